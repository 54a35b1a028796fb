"""What holds for every agent that we bring: a new one is added to CASES, and then everything here is asked of it."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest
from auto_case import Chooses
from http_case import HTTP
from infra_case import engine
from measuring_cases import MEASURING, make_large
from pydantic import BaseModel, ValidationError

from pipe_runner.errors import NodeFault
from pipe_runner.masking import SecretMasker
from pipe_runner.models import ModelFault, ModelRequest, Reason
from pipe_runner.ports import Agent, Attempt, Clock, Command, Context, Emit, Masker, NodeError, Outcome, ProcessEnd
from pipe_runner.registry import Registry
from pipe_runner.testing import Answer, FakeClock, FakeProvider
from pipe_runner.types import ErrorKind, EventKind, NodeStatus

SECRET = "very-secret-value"
HEAVY = (
    "pydantic", "yaml", "jinja2", "networkx", "httpx2", "httpcore2", "boto3", "rich", "click", "importlib.metadata",
    "jsonschema",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One agent's examples. `{url}` stands for a server on loopback; the root holds `tools/f.py`."""

    works: Mapping[str, Any]
    fails: tuple[Mapping[str, Any], ErrorKind]
    leaks: Mapping[str, Any]
    """Options that hold the secret, and fail."""
    slow: Mapping[str, Any]
    """Takes a minute, if it is not ended."""
    wrong: tuple[Mapping[str, Any], ...]
    """Options that the model must refuse."""
    output: Any = field(default=None)
    clock: Callable[[], Clock] = FakeClock


CASES: dict[str, Case] = {
    "shell": Case(
        works={"script": "echo hello"},
        fails=({"script": "exit 3"}, ErrorKind.EXIT),
        leaks={"script": f"echo {SECRET} >&2; exit 1"},
        slow={"argv": ["sleep", "60"]},
        wrong=({"script": 1}, {"output": "yaml", "script": "x"}),
        output="hello",
    ),
    "python": Case(
        works={"call": "tools/f.py:works", "args": [1], "kwargs": {"b": [2]}},
        fails=({"call": "tools/f.py:fails", "args": ["x"]}, ErrorKind.EXCEPTION),
        leaks={"call": "tools/f.py:fails", "args": [SECRET]},
        slow={"call": "tools/f.py:slow"},
        wrong=({}, {"call": "no_function"}, {"call": "a:b", "args": {}}, {"call": "a:b", "kwargs": []}),
        output={"a": 1, "b": [2]},
    ),
    "http": Case(**HTTP),
    "llm": Case(
        works={"provider": ["fake"], "prompt": "works", "output_schema": {"type": "object", "required": ["a"]}},
        fails=({"provider": ["fake"], "prompt": "fails"}, ErrorKind.UNAVAILABLE),
        leaks={"provider": ["fake"], "prompt": f"leaks {SECRET}", "output_schema": {"type": "integer"}},
        slow={"provider": ["fake"], "prompt": "slow"},
        wrong=(
            {},
            {"prompt": 1},
            {"prompt": "x", "messages": [{"role": "user", "content": "x"}]},
            {"messages": []},
            {"messages": [{"role": "tool", "content": "x"}]},
            {"messages": [{"role": "system", "content": "x"}]},
            {"prompt": "x", "tools": ["mcp:server"]},
            {"prompt": "x", "tools": [{"name": "x"}]},
            {"prompt": "x", "images": [{"base64": "x"}]},
            {"prompt": "x", "max_reasks": -1},
            {"prompt": "x", "max_tokens": "5"},
            {"prompt": "x", "model": []},
        ),
        output={"a": 1},
    ),
    **{name: Case(**given) for name, given in MEASURING.items()},
}


def says(request: ModelRequest) -> Any:
    """What the model of these tests answers."""
    word, _, rest = request.messages[-1].text.partition(" ")
    if word == "fails":
        raise ModelFault(Reason.UNAVAILABLE, "the service is not there")
    late = Answer("late", delay=60)
    return {"works": {"a": 1}, "slow": late, "What": late}.get(word, rest)


class Way:
    """A way out to that model."""

    async def ask(self, attempt: Any, choices: Any, request: Any, emit: Any, on_piece: Any = None) -> Any:
        return await FakeProvider(says).generate_with_metadata(request, on_piece)


WAITING = ("approval",)
"""Agents whose attempts end in a question; tests/acceptance/test_cli_deciding.py has what becomes of it."""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path.startswith("/slow"):
            time.sleep(3)
        body = engine(self.path)
        self.send_response(200 if self.path.startswith("/works") else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


class Serving(ThreadingHTTPServer):
    request_queue_size = 128  # with the 5 of the library, those who come together wait for seconds


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = Serving(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    server.block_on_close = False
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/f.py").write_text(
        "import asyncio\n"
        "def works(a, b): return {'a': a, 'b': b}\n"
        "def fails(x): raise ValueError(x)\n"
        "async def slow(): await asyncio.sleep(60)\n"
    )
    make_large(tmp_path)
    return tmp_path


class PlainLauncher:
    """Starts processes without a warden; enough for commands that end when they are killed."""

    async def run(self, command: Command, attempt: Attempt, emit: Emit, masker: Masker) -> ProcessEnd:
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            env=dict(command.env),
            cwd=command.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            stdout, stderr = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        tail = masker.mask_text(stderr.decode()).encode()
        return ProcessEnd(process.returncode, None, stdout, tail, duration=0.0)


@dataclass
class Bench:
    root: Path
    url: str
    events: list[tuple[EventKind, Mapping[str, Any]]] = field(default_factory=list)

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        filled: dict[str, Any] = json.loads(json.dumps(given).replace("{url}", self.url))
        return filled

    async def perform(self, agent: Agent, given: Mapping[str, Any]) -> Outcome:
        secrets = {"TOKEN": SECRET}
        attempt = Attempt("run-1", "n", 1, agent.name, self.options(given), {}, str(self.root), "key", ("TOKEN",))
        context = Context(
            lambda kind, data: self.events.append((kind, data)),
            PlainLauncher(),
            CASES[agent.name].clock(),
            SecretMasker(secrets),
            {},
            secrets,
            str(self.root),
            outside=Way() if agent.name in ("llm", "findings") else None,  # type: ignore[arg-type]
            orchestrator=Chooses() if agent.name == "auto" else None,
        )
        return await agent.perform(attempt, context)

    def run(self, name: str, given: Mapping[str, Any]) -> Outcome:
        """The outcome; a NodeFault becomes the outcome that an executor makes of it."""

        async def once() -> Outcome:
            agent = Registry.installed().get(name)
            try:
                return await self.perform(agent, given)
            except NodeFault as fault:
                return Outcome(
                    NodeStatus.FAILED, error=NodeError(fault.kind, fault.message, fault.exit_code, fault.tail)
                )
            finally:
                await close(agent)

        return asyncio.run(once())


async def close(agent: Agent) -> None:
    end: Callable[[], Any] | None = getattr(agent, "close", None)
    if end is not None:
        await end()


@pytest.fixture
def bench(root: Path, url: str) -> Bench:
    return Bench(root, url)


def ours() -> list[str]:
    registry = Registry.installed()
    return [n for n in registry.names() if (o := registry.origin(n)) is not None and o.distribution == "pipe-runner"]


def test_every_agent_of_ours_has_a_case() -> None:
    assert sorted([*CASES, *WAITING]) == ours()


every = pytest.mark.parametrize("name", sorted(CASES))
even_waiting = pytest.mark.parametrize("name", sorted([*CASES, *WAITING]))


@even_waiting
def test_its_name_is_the_one_that_it_is_registered_under(name: str) -> None:
    agent = Registry.installed().get(name)
    assert agent.name == name
    assert agent.version


@even_waiting
def test_it_can_be_described_in_one_sentence(name: str) -> None:
    about = Registry.installed().get(name).describe()
    assert about.summary.endswith(".")
    assert "\n" not in about.summary
    fields = {f.alias or n for n, f in Registry.installed().get(name).options_model().model_fields.items()}
    assert {option.partition(".")[0] for option in about.secret_options} <= fields


@even_waiting
@pytest.mark.few(4)
def test_importing_it_is_cheap(name: str) -> None:
    target = Registry.installed().target(name)
    assert target is not None
    script = (
        "import sys\nfrom pipe_runner.registry import Registry\n"
        f"Registry.from_targets({{'x': {target!r}}}).get('x').describe()\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (ended.stdout, ended.stderr) == ("[]\n", "")


@even_waiting
def test_its_options_are_closed_and_explained(name: str) -> None:
    model = Registry.installed().get(name).options_model()
    assert issubclass(model, BaseModel)
    assert model.model_config.get("extra") == "forbid"
    schema = model.model_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    for option, about in schema["properties"].items():
        assert about.get("description"), f"{option} has no description"


@every
def test_its_options_take_what_works_and_refuse_what_is_wrong(name: str, bench: Bench) -> None:
    case, model = CASES[name], Registry.installed().get(name).options_model()
    for given in (case.works, case.fails[0], case.leaks, case.slow):
        model.model_validate(bench.options(given))
        jsonschema.validate(bench.options(given), model.model_json_schema())
        with pytest.raises(ValidationError):
            model.model_validate({**bench.options(given), "surely_unknown": 1})
    for given in case.wrong:
        with pytest.raises(ValidationError):
            model.model_validate(given)


@every
def test_its_output_is_what_it_declares(name: str, bench: Bench) -> None:
    case = CASES[name]
    outcome = bench.run(name, case.works)
    assert outcome.status is NodeStatus.SUCCEEDED, outcome
    if case.output is not None:
        assert outcome.output == case.output
    schema: Any = Registry.installed().get(name).output_schema(bench.options(case.works))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(outcome.output, schema)
    assert_json(outcome.output)


@even_waiting
def test_it_declares_an_output_without_knowing_any_option(name: str) -> None:
    schema: Any = Registry.installed().get(name).output_schema({})
    jsonschema.Draft202012Validator.check_schema(schema)


@every
def test_a_failure_has_a_kind_and_a_sentence(name: str, bench: Bench) -> None:
    given, kind = CASES[name].fails
    outcome = bench.run(name, given)
    assert outcome.status is NodeStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.kind is kind
    assert outcome.error.message
    assert "Traceback" not in outcome.error.message
    assert len(outcome.error.tail or "") <= 4096
    assert_json(outcome.output)


@every
def test_s4_no_error_output_or_event_of_it_holds_a_secret(name: str, bench: Bench) -> None:
    outcome = bench.run(name, CASES[name].leaks)
    assert outcome.error is not None
    assert SECRET not in repr(outcome)
    assert SECRET not in repr(bench.events)


@every
def test_x3_it_ends_when_it_is_cancelled(name: str, bench: Bench) -> None:
    async def bounded() -> float:
        agent = Registry.installed().get(name)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await bench.perform(agent, CASES[name].slow)
        seconds = time.monotonic() - start
        await close(agent)
        return seconds

    assert asyncio.run(bounded()) < 2


@every
def test_attempts_can_run_at_the_same_time(name: str, bench: Bench) -> None:
    async def together() -> list[Outcome]:
        agent = Registry.installed().get(name)
        outcomes = await asyncio.gather(*(bench.perform(agent, CASES[name].works) for _ in range(10)))
        await close(agent)
        return outcomes

    outcomes = asyncio.run(together())
    assert [outcome.status for outcome in outcomes] == [NodeStatus.SUCCEEDED] * 10


@every
def test_closing_it_twice_or_unused_does_no_harm(name: str) -> None:
    async def twice() -> None:
        agent = Registry.installed().get(name)
        await close(agent)
        await close(agent)

    asyncio.run(twice())


def assert_json(value: Any) -> None:
    """Only exact JSON types, no NaN."""
    if isinstance(value, list):
        for item in value:
            assert_json(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            assert type(key) is str
            assert_json(item)
    else:
        assert type(value) in (type(None), bool, int, float, str)
        assert not isinstance(value, float) or math.isfinite(value)
