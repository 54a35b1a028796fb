"""A credential that was written out in pipe.yml is shown nowhere: not in faults, not in listings."""

from __future__ import annotations

import json
from typing import Any

import pytest

SECRET = "q7Zx9-canary"


@pytest.mark.few(8)
@pytest.mark.parametrize(
    "line",
    [
        'providers: {a: {type: openai, base_url: "https://user:%s@host.example/v1"}}',
        'providers: {a: {type: openai, base_url: "https://%s@host.example/v1"}}',
        'providers: {a: {type: openai, base_url: "https://user:%s/x@host.example/v1"}}',
        'providers: {a: {type: openai, base_url: "https://host.example/v1?api_key=%s"}}',
        'providers: {a: {type: openai, base_url: "https://host.example/v1#%s"}}',
        'providers: {a: {type: openai, base_url: ["https://user:%s@host.example/v1"]}}',
        'providers: {a: {type: openai, proxy: "http://user:%s@proxy:3128"}}',
        'providers: {a: {type: nope, base_url: "https://user:%s@host.example/v1"}}',
        "providers: {a: {type: openai, headers: {X-Api-Token: %s}, tpye: 3}}",
        "providers: {a: {type: openai, headers: {X-Api-Token: [%s]}}}",
        "providers: {a: {type: openai, query: {api-key: %s}, timeot: 5s}}",
        'mcp_servers: {m: {url: "https://user:%s@host.example/mcp"}}',
        'mcp_servers: {m: {url: "https://host.example/mcp?token=%s"}}',
        'mcp_servers: {m: {url: "https://host.example/mcp", headers: {X-Custom-Auth: %s}, cwd: x}}',
        'mcp_servers: {m: {command: [npx, "--api-key=%s"], url: "https://x.example"}}',
        'mcp_servers: {m: {command: [npx, --token, %s], url: "https://x.example"}}',
        'mcp_servers: {m: {command: [npx, "Authorization: Bearer %s"], url: "https://x.example"}}',
        'policy: {http: {proxy: "ftp://user:%s@proxy"}}',
        "providers: {a: {type: openai, query: {api-key: %s, api-key: [}}}",
        'providers: {a: {type: openai, base_url: "https://user:%s@host.example", [}}',
    ],
)
@pytest.mark.parametrize("secret", [SECRET, pytest.param("ab1", marks=pytest.mark.few(5))])
def test_s4_no_fault_shows_it(pipe: Any, line: str, secret: str) -> None:
    (pipe.folder / "pipe.yml").write_text(line % secret + "\n")
    (pipe.folder / "p.yml").write_text("version: 1\nnodes: {a: {run: 'true'}}\n")
    for words in (["check", "pipe.yml"], ["check", "pipe.yml", "--output", "json"], ["run", "p.yml"], ["providers"]):
        done = pipe(*words)
        assert done.returncode != 0, words
        assert secret not in done.stdout + done.stderr, done.stdout + done.stderr


def test_s4_one_that_is_written_with_escapes_or_folded_is_not_shown_either(pipe: Any) -> None:
    (pipe.folder / "pipe.yml").write_text(r"""
providers:
  a: {type: openai, headers: {X-Api-Token: "can\u0061ry-escaped"}, tpye: 1}
  b: {type: openai, base_url: "https://user:can\u0061ry-escaped@h/v1"}
mcp_servers:
  c:
    url: >-
      https://user:canary-folded@h/v1
  d: {command: [srv, --token, "can\u0061ry-escaped"], url: "https://x.example"}
""")
    text = pipe("check", "pipe.yml").stdout
    assert text.count("E50") >= 2 and "E204" in text
    for part in ("ary-escaped", "canary-folded"):
        assert part not in text


def test_what_is_no_credential_stays_readable(pipe: Any) -> None:
    text = "providers: {a: {type: openai, api_key: {from: env, key: MINE}, base_url: 'http://h/@x', tpye: 3}}\n"
    (pipe.folder / "pipe.yml").write_text(text)
    assert text.strip() in pipe("check", "pipe.yml").stdout


def test_s4_no_listing_shows_it(pipe: Any) -> None:
    (pipe.folder / "pipe.yml").write_text(f"""
providers:
  a:
    type: openai
    headers: {{X-Api-Token: {SECRET}, X-Team: red}}
    query: {{api-key: {SECRET}, api-version: "2024-10-21"}}
mcp_servers:
  m: {{command: [npx, srv, --api-key={SECRET}, --token, {SECRET}]}}
""")
    for words in (["providers", "a"], ["providers", "a", "--output", "json"], ["tools"], ["tools", "--output", "json"]):
        done = pipe(*words)
        assert done.returncode == 0
        assert SECRET not in done.stdout + done.stderr
    found = json.loads(pipe("providers", "a", "--output", "json").stdout)["settings"]
    assert found["headers"]["value"] == {"X-Api-Token": "***", "X-Team": "red"}
    assert found["query"]["value"] == {"api-key": "***", "api-version": "2024-10-21"}
    assert "npx srv --api-key=*** --token ***" in pipe("tools").stdout


def test_s4_an_address_of_the_environment_is_shown_without_it(pipe: Any) -> None:
    for url in (f"https://u:{SECRET}@h:9x/v1", f"https://u:{SECRET}@h/v1?api_key={SECRET}", f"https://h/?k={SECRET}"):
        done = pipe("providers", "openai", env={"OPENAI_BASE_URL": url})
        assert SECRET not in done.stdout + done.stderr
