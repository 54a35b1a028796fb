"""What a model says to pipelines/ticket.yml, for stand-ins; as a program it records that example.

`PYTHONPATH=tests/servers python -m model_servers.ticket` starts the stand-in of `install.sh`, a process of its own, and
runs the example against it with `--record pipelines/recordings/ticket`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from model_servers import standins
from model_servers.dialects import Dialect, Said
from model_servers.service import Asked, Reply

REPOSITORY: Final = Path(__file__).resolve().parents[3]
RECORDING: Final = "pipelines/recordings/ticket"
ANSWER: Final = {
    "service": "billing",
    "severity": "high",
    "owner": "team payments",
    "why": "It charged two customers twice and stopped at 02:12, with invoices left.",
}
OUTPUTS: Final = {
    "severity": "high",
    "owner": "team payments",
    "paged": f"to team payments, now, {ANSWER['why']}",
    "errors": 5,
}
LOOK_UP: Final = ("look_up", {"args": ["billing"]})
FIXTURES: Final[list[dict[str, Any]]] = [
    {"match": {"hasToolResult": True}, "response": {"content": json.dumps(ANSWER)}},
    {
        "match": {"userMessage": "The log of this night"},
        "response": {"toolCalls": [{"id": "call-1", "name": LOOK_UP[0], "arguments": LOOK_UP[1]}]},
    },
]
RESULT: Final = b"refund by reference"
"""Words of what the tool gives: where they stand, the model has looked the service up."""


def says(dialect: Dialect) -> Any:
    """Answers as the fixtures do, for a `Service`."""

    def choose(asked: Asked) -> Reply:
        if RESULT in asked.body:
            said = Said(pieces=(json.dumps(ANSWER)[:40], json.dumps(ANSWER)[40:]), read=640, wrote=48)
        else:
            said = Said(pieces=(), calls=[("call-1", *LOOK_UP)], finish="tool_calls", read=520, wrote=17)
        reply: Reply = dialect.either(said)(asked)
        return reply

    return choose


def record() -> int:
    with tempfile.TemporaryDirectory() as folder, standins.aimock(Path(folder), FIXTURES) as url:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("PIPE_", "OPENAI_"))}
        env |= {"OPENAI_BASE_URL": f"{url}/v1"}
        command = [sys.executable, "-m", "pipe_runner", "run", "pipelines/ticket.yml", "--state-dir", folder]
        return subprocess.run([*command, "--record", RECORDING], cwd=REPOSITORY, env=env, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(record())
    except standins.NotThere as error:
        sys.exit(str(error))
