"""`pipe doctor`: what this machine has, and which tools of pipe.yml can't be had here."""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def _found(pipe: Any, **env: str) -> dict[str, str]:
    done = pipe("doctor", "--output", "json", env=env)
    return next(one for one in json.loads(done.stdout) if one["name"] == "tools")


def test_doctor_examines_the_machine_and_leaves_nothing_behind(pipe: Any) -> None:
    done = pipe("doctor", "--output", "json")
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert {"Python", "sh", "git", "/proc", "stray processes", "locks", "durability", "locale", "agents"} <= set(found)
    assert all(one["why"] for one in found.values() if one["status"] != "ok")
    assert (done.returncode == 1) == any(one["status"] == "fail" for one in found.values())
    assert os.listdir(pipe.folder) == []


def test_a_server_whose_program_is_not_installed_is_told(pipe: Any) -> None:
    (pipe.folder / "pipe.yml").write_text(
        """
mcp_servers:
  good: {command: [PYTHON, x]}
  none: {command: [no-such-program-here, x]}
  path: {command: [./tools/server]}
  away: {command: [sh], cwd: nowhere}
  key: {url: "https://x.example/mcp", headers: {Authorization: {from: env, key: MISSING_KEY}}}
""".replace("PYTHON", sys.executable)
    )
    found = _found(pipe)
    assert found["status"] == "warn"
    for part in (
        "mcp:none: no-such-program-here is not installed",
        "mcp:path: ./tools/server",
        "mcp:away: its `cwd` is no directory",
        "mcp:key: ",
        "MISSING_KEY",
    ):
        assert part in found["found"]
    assert "mcp:good" not in found["found"]
    assert found["why"] and found["do"]


def test_without_servers_and_with_good_ones_it_is_well(pipe: Any) -> None:
    assert _found(pipe)["status"] == "ok"
    (pipe.folder / "pipe.yml").write_text("mcp_servers: {a: {command: [sh]}, b: {url: 'https://x.example/mcp'}}\n")
    assert (_found(pipe)["status"], _found(pipe)["found"]) == ("ok", "mcp:a, mcp:b")
