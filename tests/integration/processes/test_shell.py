"""The shell agent with real shells: values arrive byte for byte, and ends are what they are."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe_agents.shell import ShellAgent
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Context, Outcome
from pipe_runner.testing import FakeClock
from pipe_runner.types import ErrorKind, NodeStatus

Perform = Callable[..., Any]
SHELLS = ["sh", *(["bash"] if shutil.which("bash") else [])]
NASTY = "'\"$(id)`id`\\ \t*?[a]{b,c}~!#&|;<>\n\n"


@pytest.fixture
def perform(machine: Any) -> Perform:
    agent = ShellAgent()

    async def one(script: str | None = None, timeout: float | None = None, **options: Any) -> Outcome:
        if script is not None:
            options["script"] = script
        attempt = machine.attempt(options=options, timeout=timeout)
        context = Context(machine.emit, machine.processes, FakeClock(), NoMasking(), {}, {}, str(machine.folder))
        return await agent.perform(attempt, context)

    return one


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("size", [0, 1, 5_000])
@pytest.mark.few(3)
def test_s3_values_reach_the_shell_byte_for_byte_also_by_file(
    machine: Any, perform: Perform, shell: str, size: int
) -> None:
    value = NASTY * size + "é\x01\x7f end\n\n"
    options = {"shell": shell, "variables": {"PIPE_V1": value, "PIPE_V2": NASTY}}

    async def scene() -> None:
        outcome = await perform('printf %s "${PIPE_V1}x"; printf "|%s" "${PIPE_V2}"', **options)
        assert outcome.output == f"{value}x|{NASTY}".rstrip("\n")

    machine.play(scene())


def test_s3_any_text_arrives(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        values: list[str] = []

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50))
        def collect(value: str) -> None:
            values.append(value)

        await loop.run_in_executor(None, collect)
        for value in values:
            outcome = await perform('printf %s "${PIPE_V1}."', variables={"PIPE_V1": value})
            assert outcome.output == f"{value}."

    machine.play(scene())


def test_a_large_value_reaches_python_and_its_own_first_lines_stay_first(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        script = "from __future__ import annotations\nimport os\nprint(len(os.environb[b'PIPE_V1']))\n"
        outcome = await perform(script, shell="python", variables={"PIPE_V1": "é" * 100_000})
        assert outcome.output == "200000"

    machine.play(scene())


def test_a_value_that_was_given_by_file_and_is_gone_ends_the_script(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        outcome = await perform("cat() { return 1; }; true")
        assert outcome.status is NodeStatus.SUCCEEDED
        env_without_cat = machine.attempt(
            options={"script": "echo no", "variables": {"PIPE_V1": "x" * 200_000}}, env={"PATH": "/nowhere"}
        )
        context = Context(machine.emit, machine.processes, FakeClock(), NoMasking(), {}, {}, str(machine.folder))
        outcome = await ShellAgent().perform(env_without_cat, context)
        assert (outcome.status, outcome.output) == (NodeStatus.FAILED, "")

    machine.play(scene())


def test_a_failing_command_ends_the_script_and_its_last_words_are_kept(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        outcome = await perform("echo a; echo why >&2; false; echo b")
        assert (outcome.status, outcome.output) == (NodeStatus.FAILED, "a")
        assert (outcome.error.kind, outcome.error.exit_code, outcome.error.tail) == (ErrorKind.EXIT, 1, "why\n")

    machine.play(scene())


@pytest.mark.skipif("bash" not in SHELLS, reason="needs bash")
def test_bash_sees_failures_inside_pipes_and_sh_does_not(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        assert (await perform("false | cat; echo on", shell="bash")).error.exit_code == 1
        assert (await perform("false | cat; echo on")).output == "on"
        assert (await perform("[[ $- == *e* ]] && echo ${BASH_VERSION%%.*}", shell=["bash", "-eu"])).output.isdigit()

    machine.play(scene())


def test_lines_of_a_script_keep_their_numbers(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        script = "true\ntrue\nno-such-command"
        plain = (await perform(script)).error.tail
        assert "3" in plain and "no-such-command" in plain
        assert (await perform(script, variables={"PIPE_V1": "x" * 200_000})).error.tail == plain

    machine.play(scene())


def test_a_script_too_large_for_an_argument_runs_from_a_file(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        outcome = await perform(f"# {'x' * 200_000}\necho on; false; echo off")
        assert (outcome.output, outcome.error.exit_code) == ("on", 1)

    machine.play(scene())


def test_outputs_of_each_kind(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        assert (await perform("seq 3", output="lines")).output == ["1", "2", "3"]
        assert (await perform("echo '{\"a\": [0, null]}'", output="json")).output == {"a": [0, None]}
        text = "echo a=1 >> $PIPE_OUTPUT; echo b=2 >> $PIPE_OUTPUT; echo said"
        assert (await perform(text, output="file")).output == {"a": "1", "b": "2"}
        assert machine.told().endswith("said\n")
        assert (await perform(argv=["printf", "%s-", "a b", ""])).output == "a b--"
        assert (await perform("wc -c", stdin="é\n\n")).output.strip() == "4"

    machine.play(scene())


def test_a_timeout_is_said_in_seconds(machine: Any, perform: Perform) -> None:
    async def scene() -> None:
        outcome = await perform("echo a; sleep 30", timeout=0.25)
        assert (outcome.error.kind, outcome.error.message) == (ErrorKind.TIMEOUT, "timed out after 0.25 s")
        assert outcome.output == "a"

    machine.play(scene())
