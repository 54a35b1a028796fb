"""Performs the samples of an evaluation, several at a time in one event loop, until the result is decided."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from pipe_runner.compiler.given import check_handed_on
from pipe_runner.engine import RunSettings, open_run
from pipe_runner.engine.settings import Shared
from pipe_runner.errors import StorageError, UsageError
from pipe_runner.evals.deciding import Decider, Verdict
from pipe_runner.evals.graders import Answered, Grade, grade
from pipe_runner.evals.judges import NODE
from pipe_runner.evals.sample import Given, Sample, given_by, spent_by
from pipe_runner.evals.sharing import Together
from pipe_runner.evals.suite import Case, Evaluation
from pipe_runner.plan import Plan
from pipe_runner.run import Run
from pipe_runner.subplans import members
from pipe_runner.telemetry.conventions import CASE
from pipe_runner.traces import trace_around
from pipe_runner.types import Durability, Json

if TYPE_CHECKING:
    from pipe_runner.engine import ActiveRun
    from pipe_runner.registry import Registry
    from pipe_runner.telemetry.opening import Telemetry

IN_A_ROW: Final = 5
"""Samples in a row that can't be graded, after which no other is tried."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where and how the samples run. `home` is the state directory of their runs; folders are absolute."""

    home: str
    grace: float
    record: str | None = None
    replay: str | None = None
    environ: Mapping[str, str] = field(default_factory=dict)
    telemetry: Telemetry | None = None
    """Where the spans of their runs go; None: nowhere."""


@dataclass(frozen=True, slots=True)
class Result:
    """How an evaluation ended. `counted` are the samples that the verdict is made of, in the order of planning."""

    evaluation: Evaluation
    verdict: Verdict
    counted: Sequence[Sample]
    decider: Decider
    planned: int
    seconds: float
    together: Together
    stopped: str | None
    """Why not all samples were made, where it wasn't that the result was decided."""
    lost: StorageError | None = None
    """What could not be kept, so that no other sample was made."""

    def by_case(self) -> dict[str, list[Sample]]:
        """The samples that count, of each case."""
        found: dict[str, list[Sample]] = {name: [] for name in self.decider.cases}
        for sample in self.counted:
            found[sample.case].append(sample)
        return found


class Performing:
    """One evaluation under way."""

    def __init__(
        self,
        evaluation: Evaluation,
        registry: Registry,
        around: Surroundings,
        ended: Callable[[Sample], None] = lambda sample: None,
    ) -> None:
        """`ended` is told each sample that counts."""
        self._evaluation, self._registry, self._around, self._told = evaluation, registry, around, ended
        self._mend = (
            None
            if around.replay is None
            else "make them with "
            f"`{shlex.join(('pipe', 'eval', evaluation.path, '--record', os.path.relpath(around.replay)))}`"
        )
        """How recordings are made, as the user, in whose directory this begins, would do it."""
        self._together = Together(evaluation.budget)
        self._names = run_names([case.name for case in evaluation.cases])
        names = [case.name for case in evaluation.cases]
        self._decider = Decider(names, evaluation.samples, evaluation.overall, evaluation.each, evaluation.confidence)
        self._plan = [(case, number) for number in range(1, evaluation.samples + 1) for case in evaluation.cases]
        self._next = 0
        self._ended: dict[int, Sample] = {}
        self._counted: list[Sample] = []
        self._seen = 0
        """Samples that were looked at, counted or not."""
        self._in_a_row = 0
        self._decided: Verdict | None = None
        self._stopped: str | None = None
        self._active: set[ActiveRun] = set()
        self._fault: UsageError | None = None
        self._lost: StorageError | None = None
        self.busy = False
        """A run has ended while a function still ran, which nothing could end."""

    async def perform(self) -> Result:
        """All samples, or as many as it takes. Raises UsageError where runs can't be opened."""
        import anyio

        began = time.perf_counter()
        limit = self._evaluation.max_time
        timer = None
        if limit is not None:
            timer = asyncio.get_running_loop().call_later(limit, self._give_up, f"it took longer than {limit:g} s")
        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(self._width(), len(self._plan))):
                    group.start_soon(self._work)
        finally:
            if timer is not None:
                timer.cancel()
        if self._fault is not None:
            raise self._fault
        verdict = self._decided or self._decider.verdict() or Verdict.UNDECIDED
        seconds = time.perf_counter() - began
        return Result(
            self._evaluation,
            verdict,
            self._counted,
            self._decider,
            len(self._plan),
            seconds,
            self._together,
            None if self._decided else self._stopped,
            self._lost,
        )

    def _width(self) -> int:
        """Runs at the same time. Functions run in this process, where only those of one run can be told apart."""
        plan = self._evaluation.plan
        agents = {node.agent for node in members(plan.nodes, plan.subplans) if node.pipeline is None}
        functions = any(self._registry.get(agent).describe().runs_functions for agent in agents)
        return 1 if functions else self._evaluation.concurrency

    # ------------------------------------------------------------ stopping

    def stop(self, why: str) -> None:
        """Begin no other sample, and stop those under way; called again: kill them."""
        self._stopped = self._stopped or why
        for active in list(self._active):
            active.stop(why)

    def _give_up(self, why: str) -> None:
        if self._stopped is None:
            self.stop(why)

    def _stop_others(self) -> None:
        """Since the result is decided; those that are being stopped are not told again, which would kill them."""
        for active in list(self._active) if self._stopped is None else ():
            active.stop("the result is decided")

    def _enough(self) -> bool:
        return self._decided is not None or self._stopped is not None

    # ------------------------------------------------------------ samples

    async def _work(self) -> None:
        while not self._enough() and self._next < len(self._plan):
            index = self._next
            self._next += 1
            case, number = self._plan[index]
            try:
                sample = await self._sample(case, number)
            except StorageError as error:
                self._lost = self._lost or error
                self._give_up(error.message)
                sample = Sample(case.name, number, f"{self._names[case.name]}.{number}", None, error.message)
            self._ended[index] = sample
            self._count()

    def _count(self) -> None:
        """Count what has ended, as far as nothing before it is missing."""
        while self._decided is None and self._seen in self._ended:
            sample = self._ended[self._seen]
            self._seen += 1
            if self._stopped is not None and sample.passed is None:
                continue  # it was cut short; what others were paid for counts, wherever they stand in the plan
            self._counted.append(sample)
            if sample.passed is None:
                self._in_a_row += 1
            else:
                self._in_a_row = 0
                self._decider.count(sample.case, sample.passed)
            self._told(sample)
            if self._evaluation.early_stop and len(self._counted) < len(self._plan):
                self._decided = self._decider.verdict()
            if self._decided is not None:
                self._stop_others()
            elif sample.hopeless or self._in_a_row == IN_A_ROW:
                self._give_up("the samples can't be graded")
            elif self._together.used_up:
                self._give_up("the budget of the evaluation is used up")

    async def _sample(self, case: Case, number: int) -> Sample:
        evaluation = self._evaluation
        name = f"{self._names[case.name]}.{number}"
        began = time.perf_counter()
        only = (evaluation.node,) if evaluation.node is not None else ()
        try:
            inputs = check_handed_on(evaluation.plan, case.inputs)
            given, run = await self._run(evaluation.plan, inputs, name, only, case.name)
        except UsageError as error:  # a secret that isn't there, for one: no run can be opened
            self._fault = self._fault or error
            self._give_up(error.message)
            return Sample(case.name, number, name, None, error.message)
        seconds = time.perf_counter() - began
        tokens, cost = spent_by(run)
        if given.fault is not None:
            passed = False if given.measured else None
            return Sample(case.name, number, name, passed, given.fault, (), None, seconds, tokens, cost, given.hopeless)
        scope: dict[str, Json] = {
            "output": given.output,
            "expected": case.expected,
            "inputs": inputs,
            "case": case.name,
            "duration": run.duration_s or 0.0,
            "tokens": tokens,
            "cost": cost,
        }
        grades = await self._grades(scope, name)
        passed = False if any(one.passed is False for one in grades) else None
        if all(one.passed for one in grades):
            passed = True
        why = "; ".join(f"{one.grader}: {one.why}" for one in grades if not one.passed)
        hopeless = any(one.hopeless for one in grades)
        return Sample(case.name, number, name, passed, why, grades, given.output, seconds, tokens, cost, hopeless)

    async def _grades(self, scope: Mapping[str, Json], name: str) -> tuple[Grade, ...]:
        """What the graders say; models are asked last, and not where another one has said no."""
        found: dict[str, Grade] = {}
        graders = self._evaluation.graders

        async def ask(plan: Plan, inputs: Mapping[str, Json], grader: str) -> Answered:
            place = [one.name for one in graders].index(grader)
            tail = grader if len(grader) <= 24 else f"{grader[:20]}{place}"
            try:
                given, _ = await self._run(plan, inputs, f"{name}.{tail}", (), str(scope["case"]), node=NODE)
            except UsageError as error:
                return Answered(fault=error.message)
            return Answered(given.output, given.fault, given.hopeless)

        for grader in sorted(graders, key=lambda one: one.judge is not None):
            if grader.judge is not None and any(one.passed is False for one in found.values()):
                continue
            found[grader.name] = await grade(grader, scope, ask)
        return tuple(found[grader.name] for grader in graders if grader.name in found)

    async def _run(
        self,
        plan: Plan,
        inputs: Mapping[str, Json],
        name: str,
        only: Sequence[str],
        case: str,
        *,
        node: str | None = None,
    ) -> tuple[Given, Run]:
        """One run, kept under its name."""
        around = self._around
        listens = None if around.telemetry is None else around.telemetry.beside({CASE: case})
        settings = RunSettings(
            around.home,
            run_id=name,
            only=tuple(only),
            durability=Durability.OS,
            grace=around.grace,
            cache_domain=name,  # a result of another sample would be no sample
            record=_folder(around.record, name),
            replay=_folder(around.replay, name),
            mend=self._mend,
            shared=Shared(self._together.gates, self._together.within),
            trace=trace_around(around.environ) if listens is None else listens.trace,
        )
        registry = self._registry.fresh()
        try:
            sinks = () if listens is None else (listens,)
            alone = plan._replace(group=None)  # no sample waits for another one, nor is cancelled by it
            active = open_run(alone, inputs, settings, registry=registry, environ=around.environ, sinks=sinks)
            return await self._performed(active, only, node)
        finally:
            if listens is not None:
                listens.over()

    async def _performed(self, active: ActiveRun, only: Sequence[str], node: str | None) -> tuple[Given, Run]:
        self._active.add(active)
        try:
            if active.processes.marks:
                active.processes.adopt(asyncio.get_running_loop(), kept=False)
            if self._enough():
                active.stop(self._stopped or "the result is decided")
            run = await active.perform()
        finally:
            self._active.discard(active)
            self.busy = self.busy or active.busy
            active.close()
        of = node or (only[0] if only else None)
        together = self._together
        unpriced = partial(together.unpriced, run.id)
        return given_by(run, active.rundir, of, used_up=together.used_up, unpriced=unpriced), run

    # ------------------------------------------------------------ for signals

    @property
    def grace(self) -> float:
        return self._around.grace

    @property
    def processes(self) -> Performing:
        """Those of all runs that are under way."""
        return self

    def guard(self, grace: float) -> tuple[int, int] | None:
        return None

    def end_now(self) -> None:
        for active in list(self._active):
            active.processes.end_now()

    def let_start(self) -> None:
        for active in list(self._active):
            active.processes.let_start()


def run_names(cases: Sequence[str]) -> dict[str, str]:
    """What the runs of each case are called: its name, as far as a file can be called so, told apart by a number."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for number, case in enumerate(cases, 1):
        name = _UNFIT.sub("-", case).strip("-")[:40] or f"case-{number}"
        if name in taken:
            name = next(free for at in count(number) if (free := f"{name}-{at}") not in taken)
        taken.add(name)
        found[case] = name
    return found


def _folder(home: str | None, name: str) -> str | None:
    return None if home is None else os.path.join(home, name)


__all__ = ["Performing", "Result", "Surroundings", "run_names"]
