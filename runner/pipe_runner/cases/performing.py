"""Performs cases, one after the other in one event loop, and says how each went."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipe_runner.cases.clock import JumpingClock
from pipe_runner.cases.facts import Facts, wanted_commands
from pipe_runner.cases.matching import Unmet
from pipe_runner.cases.standin import StandIn
from pipe_runner.cases.suite import Case, Suite
from pipe_runner.compiler.given import check_handed_on
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.plan import Plan, SecretSource
from pipe_runner.ports import Event, Executor
from pipe_runner.run import Run
from pipe_runner.runlog import read_blob
from pipe_runner.secrets import made_up
from pipe_runner.subplans import members, secrets_of
from pipe_runner.types import Durability

if TYPE_CHECKING:
    from pipe_runner.engine import ActiveRun
    from pipe_runner.registry import Registry

RUN_ID = "test"
"""The id of every run of a case, so that it can be expected."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went; passed where nothing was unmet, nothing refused, nothing unable, no mock left over."""

    suite: Suite
    case: Case
    unmet: tuple[Unmet, ...]
    refused: tuple[str, ...]
    """Nodes that came to be run, are not mocked, and may not run."""
    unable: tuple[str, ...]
    """Nodes that came to be run, may run, and can't be on this system."""
    missing: tuple[str, ...]
    """Items that are mocked, by the case or by the defaults, and that there weren't."""
    there: tuple[str, ...]
    """Items that are mocked and that there were."""
    unrecorded: tuple[tuple[str, str], ...]
    """Nodes that asked what nobody has recorded, and what that was."""
    run: Run
    seconds: float
    events: Sequence[Event] = field(repr=False)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Items that the case itself mocks, and that there weren't; the defaults may be for other cases."""
        return tuple(name for name in self.missing if name in self.case.own)

    @property
    def passed(self) -> bool:
        return not (self.unmet or self.refused or self.unable or self.unmatched)


class Tape:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def accept(self, event: Event) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


async def perform(
    chosen: Iterable[tuple[Suite, Case]],
    registry: Registry,
    *,
    opened: Callable[[ActiveRun], None],
    ended: Callable[[CaseResult], bool],
) -> None:
    """Perform the cases in order. `opened` is told each run before it begins; `ended` says whether to go on."""
    state = tempfile.mkdtemp(prefix="pipe-cases-")
    before = _here()
    try:
        for suite, case in chosen:
            with contextlib.suppress(OSError):  # functions start in the project's root, as in a run
                os.chdir(suite.plan.root)
            result = await perform_case(suite, case, registry, state, opened)
            if before is not None:
                os.chdir(before)
            if not ended(result):
                break
    finally:
        if before is not None:
            os.chdir(before)
        shutil.rmtree(state, ignore_errors=True)


async def perform_case(
    suite: Suite, case: Case, registry: Registry, state: str, opened: Callable[[ActiveRun], None]
) -> CaseResult:
    """One run of the pipeline, with what the case says; `state` is a directory in which it has one for its time."""
    began = time.perf_counter()
    registry = registry.fresh()  # agents are made once for each run
    secrets = {one.name: case.secrets.get(one.name, made_up(one.name)) for one in secrets_of(suite.plan)}
    plan = _without_sources(suite.plan)
    clock, tape = JumpingClock(), Tape()
    active = open_run(
        plan,
        check_handed_on(plan, case.inputs),
        RunSettings(state, run_id=RUN_ID, durability=Durability.OS, replay=case.replay, keeps=False),
        registry=registry,
        sinks=(tape,),
        environ=secrets,
        clock=clock,
        idle=frozenset(node.id for node in members(plan.nodes, plan.subplans) if not case.runs(node.id)),
    )
    standins: list[StandIn] = []

    def around(executor: Executor) -> Executor:
        standin = StandIn(
            executor,
            case,
            registry,
            secrets=secrets,
            wanted=wanted_commands(case.expect),
            clock=clock,
            scratch=os.path.join(active.rundir.path, "scratch"),
        )
        standins.append(standin)
        return standin

    active.around = around
    try:
        opened(active)
        run = await active.perform()
        (standin,) = standins
        facts = Facts(run, tape.events, standin, lambda ref: read_blob(active.rundir, ref), plan.root)
        unmet = tuple(facts.unmet(case))
        missing, there = tuple(facts.missing(case)), tuple(facts.there(case))
    finally:
        active.close()
        shutil.rmtree(active.rundir.path, ignore_errors=True)
    refused, unable = tuple(standin.refused), tuple(standin.unable)
    misses = active.desk.misses if active.desk is not None else {}
    unrecorded = tuple((node, fault.message) for (node, _), fault in misses.items())
    took = time.perf_counter() - began
    return CaseResult(suite, case, unmet, refused, unable, missing, there, unrecorded, run, took, tape.events)


def _without_sources(plan: Plan) -> Plan:
    """The plan with every secret taken from what the case says: a test never reads a real one."""
    inside = {path: _without_sources(one) for path, one in plan.subplans.items()}
    secrets = tuple(SecretSource(one.name, "env", one.name) for one in plan.secrets)
    return plan._replace(secrets=secrets, subplans=inside)


def _here() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
