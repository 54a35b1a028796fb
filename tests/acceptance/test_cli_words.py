"""What is said where values don't fit, where time was up, and where a sum is none that anybody knows."""

from __future__ import annotations

from typing import Any

import pytest

from pipe_runner.console.words import used
from pipe_runner.spent import Spent


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "{url: 'https://x.example/mcp', headers: {A: [1]}}",
            "`A` is text, or where a secret is, as `{from: env, key: NAME}`, not a list",
        ),
        ("{url: 'https://x.example/mcp', headers: {A: true}}", "not the boolean true"),
        ("{command: [a], env: {A: [1]}}", "`A` is text, a number, or where a secret is"),
        ("{command: [a], digest: [1]}", "`digest` is the digest of all tools, or a map of digests"),
    ],
)
def test_a_server_of_tools_is_told_in_words(pipe: Any, line: str, said: str) -> None:
    (pipe.folder / "pipe.yml").write_text(f"mcp_servers: {{m: {line}}}\n")
    text = pipe("check", "pipe.yml").stdout
    assert said in text
    assert "another type" not in text


PROMPT = """version: 1
inputs: {{given: {{type: {type}, default: {value}}}}}
nodes:
  a:
    agent: llm
    provider: openai
    with: {{model: m, prompt: "{{{{ item }}}}"}}
    for_each: {{items: "{{{{ inputs.given }}}}"}}
"""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("[1]", "with.prompt is text, not the number 1 (`{{ … | string }}` makes text of it)"),
        ("[true]", "with.prompt is text, not the boolean true (`{{ … | string }}` makes text of it)"),
        ("[[1]]", "with.prompt is text, not a list (`{{ … | tojson }}` makes text of it)"),
    ],
)
def test_a_prompt_that_is_none_is_told_with_what_it_is(pipe: Any, value: str, said: str) -> None:
    pipe.write("p.yml", PROMPT.format(type="array", value=value))
    done = pipe("run", "p.yml", env={"OPENAI_BASE_URL": "http://127.0.0.1:9/v1"})
    assert said in done.stderr
    assert "Input should be" not in done.stderr


def test_an_attempt_that_max_time_ends_says_so(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: sleep 9, max_time: 200ms}, b: {run: sleep 9, timeout: 200ms}}\n")
    text = pipe("run", "p.yml").stderr
    assert "a failed: timed out after 0.2 s; its max_time of 0.2 s was over" in text
    assert "b failed: timed out after 0.2 s\n" in text


def test_a_retry_for_which_max_time_leaves_no_room_is_told(pipe: Any) -> None:
    node = "{run: 'exit 3', max_time: 10s, retry: {max_attempts: 3, delay: 1m}}"
    pipe.write("p.yml", f"version: 1\nnodes: {{a: {node}}}\n")
    said = "a failed: exited with 3; its max_time of 10 s leaves no time for another attempt"
    assert said in pipe("run", "p.yml").stderr


def test_what_fails_for_other_reasons_says_nothing_of_max_time(pipe: Any) -> None:
    node = "{run: 'exit 3', max_time: 10s, retry: {max_attempts: 2, delay: 1ms}}"
    pipe.write("p.yml", f"version: 1\nnodes: {{a: {node}}}\n")
    assert "max_time" not in pipe("run", "p.yml").stderr


def test_what_was_set_aside_is_no_sum_that_is_known() -> None:
    spent = Spent()
    spent.calls, spent.tokens, spent.cost = 2, 1234, 31_200_000
    assert used(spent) == "1,234 tokens, $0.0312"
    spent.whole = 1
    assert used(spent) == "up to 1,234 tokens, up to $0.0312"
    spent.whole, spent.aside, spent.aside_tokens = 0, 1, 6
    assert used(spent) == "up to 1,240 tokens, up to $0.0312"
    spent.unpriced = 1
    assert used(spent) == "up to 1,240 tokens, at least $0.0312 (the price of 1 call is not known)"
