"""Who cancels a run that is just being opened for a resume is heard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from tests.integration.conftest import Project

from pipe_runner.types import RunStatus


class Meanwhile(tuple[str, ...]):
    """No nodes; does something when the resume asks for them, which it does once it has read the log."""

    does: Callable[[], object]

    def __bool__(self) -> bool:
        self.does()
        return False


def test_a_cancel_during_the_opening_of_a_resume_is_not_lost(tmp_path: Path) -> None:
    project = Project(tmp_path)
    done = project.run("nodes: {a: {run: 'test -e go && sleep 30'}}\n")
    assert done.status == "failed"
    (tmp_path / "go").touch()
    asked = tmp_path / ".pipe" / "runs" / "r" / "cancel"
    only = Meanwhile()
    only.does = asked.touch
    active = project.open(only=only)
    run: Any = anyio.run(active.perform)
    assert run.status is RunStatus.CANCELLED


def test_a_cancel_of_the_last_runner_is_forgotten(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert project.run("nodes: {a: {run: test -e go}}\n").status == "failed"
    (tmp_path / "go").touch()
    (tmp_path / ".pipe" / "runs" / "r" / "cancel").touch()
    assert project.run().status == "succeeded"
