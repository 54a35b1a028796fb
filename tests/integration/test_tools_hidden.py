"""What an MCP server says of its secrets is shown nowhere, asked by hand or by a lock, also where it is cut (S4)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest

from pipe_runner.engine.listing import list_tools
from pipe_runner.errors import NodeFault

pytest.importorskip("mcp")
TOKEN = "canary/of+a<engine>-0123456789"
SERVER = """
import json, os, sys
how, token = sys.argv[1], os.environ["TOKEN"]
NAME = token if how == "named" else "echo"
if how == "ends":
    sys.stderr.write(token + "x" * (4096 - len(token) // 2))
    sys.exit(3)
if how == "talks":
    print("y" * 190 + token, flush=True)
    sys.exit(3)
for line in sys.stdin:
    asked = json.loads(line)
    answer = {"jsonrpc": "2.0", "id": asked.get("id")}
    if asked["method"] == "initialize":
        about = {"name": token, "version": token}
        version = asked["params"]["protocolVersion"]
        answer["result"] = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    elif how == "fails":
        answer["error"] = {"code": -1, "message": "x" * 285 + token}
    else:
        schema = {"type": "object", "properties": {"a": {"type": "string", "description": token}}}
        answer["result"] = {"tools": [{"name": NAME, "description": "its key is " + token, "inputSchema": schema}]}
    if "id" in asked:
        print(json.dumps(answer), flush=True)
"""


def listed(tmp_path: Path, how: str, token: str = TOKEN) -> Any:
    (tmp_path / "server.py").write_text(SERVER)
    said = {"command": [sys.executable, "server.py", how], "env": {"TOKEN": {"from": "env", "key": "TOKEN"}}}
    return anyio.run(list_tools, {"one": said}, ["one"], {"TOKEN": token}, str(tmp_path))["one"]


def test_s4_tools_are_listed_without_the_secrets_of_their_server(tmp_path: Path) -> None:
    found = listed(tmp_path, "lists")
    assert TOKEN not in json.dumps(found.tools)
    assert found.tools[0]["description"] == "its key is ***"
    assert found.digests["echo"] != listed(tmp_path, "lists", "another-one")[2]["echo"], "pins are of what it says"


def test_s4_tools_whose_names_hold_a_secret_are_pinned_all_together(tmp_path: Path) -> None:
    found = listed(tmp_path, "named", "key-0123456789")
    assert found.pins == found.digest != listed(tmp_path, "lists", "key-0123456789").digest
    assert listed(tmp_path, "lists").pins == listed(tmp_path, "lists").digests


@pytest.mark.parametrize("how", ["fails", "ends", "talks"])
def test_s4_no_part_of_a_secret_is_in_a_fault_of_a_server(tmp_path: Path, how: str) -> None:
    fault = listed(tmp_path, how)
    assert isinstance(fault, NodeFault)
    told = f"{fault.message} {fault.tail}"
    assert "***" in told
    assert not any(TOKEN[at : at + 6] in told for at in range(len(TOKEN) - 5))
