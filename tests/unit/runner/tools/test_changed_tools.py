"""A tool that is another one than the run was told of is called by nobody."""

from __future__ import annotations

from tests.unit.runner.tools.conftest import ECHO, ENVIRONMENT, ONE, Bench, fault

from pipe_runner.models import ModelRequest
from pipe_runner.testing import Answer


def test_a_tool_that_changes_while_the_run_uses_it_fails_the_node(bench: Bench) -> None:
    bench.server("changes")
    run, _ = bench.run(ECHO, ECHO, "done")
    assert fault(run)["message"] == "the tool echo of MCP server plain has changed while the run used it"


def test_a_tool_that_has_changed_is_called_by_no_other_node_either(bench: Bench) -> None:
    def answer(request: ModelRequest) -> Answer:
        return Answer(tools=ECHO.tools, delay=1.0 if request.messages[-1].text == "b" else 0.0)

    bench.server("changes")
    run, _ = bench.run(answer, text=ONE + ONE.rpartition("nodes:\n")[2].replace("a: {", "b: {").replace(": x", ": b"))
    assert fault(run)["message"] == "the tool echo of MCP server plain has changed while the run used it"
    assert fault(run, "b")["message"] == fault(run)["message"]


def test_after_a_change_each_tool_is_looked_at_not_only_the_one_that_is_called_next(bench: Bench) -> None:
    bench.server("changes")
    run, _ = bench.run(ENVIRONMENT, ENVIRONMENT, ECHO, "done")
    assert fault(run)["message"] == "the tool echo of MCP server plain has changed while the run used it"
