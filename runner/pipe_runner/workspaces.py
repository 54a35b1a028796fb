"""The files of attempts: directories of their own, what their needs left put there, and what they leave kept."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping
from errno import EDQUOT, EIO, ENOSPC
from functools import partial
from time import monotonic
from typing import Any, Final, NamedTuple

from pipe_runner.clearing import clear
from pipe_runner.errors import NodeFault, StorageError, in_seconds
from pipe_runner.halts import LEAST, Halt, Halted, Late
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import Attempt, Emit, Executor, Files, LeftFile, Masker, NodeError, Outcome
from pipe_runner.run import NodeState, Run
from pipe_runner.subplans import instance
from pipe_runner.types import ENDED_WELL, ErrorKind, Json, NodeStatus

KEPT: Final = "artifacts"
"""Where a run keeps artifacts, in its directory, by digest."""
_NO_ROOM: Final = (ENOSPC, EDQUOT, EIO)


class Left(NamedTuple):
    """A file that a node or an item has left: who, and what its event says of it."""

    node: PlannedNode
    by: str
    file: Mapping[str, Any]


def left_for(node: PlannedNode, plan: Plan, run: Run, output: Callable[[NodeState], Json]) -> list[Left]:
    """The artifacts of what a node needs, each path once: of two with the same path that of the later node.

    One node is later than another if it needs it, else if it stands behind it in the file; so with the items of a list.
    Of a node that runs a sub-pipeline they are those of the nodes inside.
    A node with a directory of its own is also given those of nodes that it only reads, as handlers do.
    """
    wanted = {*node.needs, *node.reads} if node.own_workspace else set(node.needs)
    found: dict[str, Left] = {}
    for index in sorted(wanted, key=lambda index: (-plan.nodes[index].priority, index)):
        need = plan.nodes[index]
        if need.artifacts or need.pipeline is not None:
            found.update((str(left.file["path"]), left) for left in _left_by(need, plan.subplans, run, output))
    return list(found.values())


def _left_by(
    node: PlannedNode, subplans: Mapping[str, Plan], run: Run, output: Callable[[NodeState], Json]
) -> Iterator[Left]:
    for name, state in _states(node, run, output):
        if node.pipeline is not None:
            inside = instance(subplans[node.pipeline], name, node.priority).nodes
            for one in sorted(inside, key=lambda one: (-one.priority, one.index)):
                yield from _left_by(one, subplans, run, output)
        elif state.status in ENDED_WELL:
            yield from (Left(node, name, file) for file in state.artifacts)


def counted_for(node: PlannedNode, plan: Plan, run: Run, output: Callable[[NodeState], Json]) -> dict[str, str]:
    """Digests of the artifacts that a key of the node's result counts, by path and who left them: those that are put
    into a directory of its own, and those that come from one."""
    return {
        f"{one.file['path']} of {one.by}": str(one.file["sha256"])
        for one in left_for(node, plan, run, output)
        if node.own_workspace or one.node.own_workspace
    }


def _states(need: PlannedNode, run: Run, output: Callable[[NodeState], Json]) -> Iterator[tuple[str, NodeState]]:
    state = run.find(need.id)
    if state is None:
        return
    if need.fan_out is None:
        yield need.id, state
        return
    items = run.items.get(need.id, {})
    results = output(state)
    order = [str(one["key"]) for one in results if isinstance(one, dict)] if isinstance(results, list) else list(items)
    yield from ((f"{need.id}[{key}]", items[key]) for key in order if key in items)


def files_of(node: PlannedNode, plan: Plan, run: Run, output: Callable[[NodeState], Json]) -> Files | None:
    """What happens with files around an attempt of a node, if anything.

    Into the project is put all that comes from directories of their own, and what was left where the node works and is
    gone by then."""
    left = [
        LeftFile(one.by, one.file, node.own_workspace or one.node.own_workspace)
        for one in left_for(node, plan, run, output)
        if node.own_workspace or one.node.own_workspace or _cwd(one.node) == _cwd(node)
    ]
    if not (left or node.own_workspace or node.artifacts):
        return None
    return Files(node.own_workspace, node.artifacts, tuple(left))


def _cwd(node: PlannedNode) -> Json:
    return node.options.data.get("cwd") if isinstance(node.options.data, dict) and node.agent == "shell" else None


class Workspaces:
    """An executor around another one, which sees to the files of attempts that have some."""

    def __init__(self, inner: Executor, rundir: str, work: str, *, durable: bool, masker: Masker) -> None:
        self._inner, self._durable, self._masker = inner, durable, masker
        self._kept = os.path.join(rundir, KEPT)
        self._work = work
        self._stops: list[tuple[tuple[str, ...], float]] = []
        """Each stop: what it spared, and when its grace is over."""
        self._halts: dict[Halt, Attempt] = {}
        """What is copied at this moment, each with the attempt that it is for."""
        clear(work)  # what a killed runner left

    async def perform(self, attempt: Attempt, emit: Emit) -> Outcome:
        files = attempt.files
        if files is None:
            return await self._inner.perform(attempt, emit)
        stops, began = len(self._stops), monotonic()
        if files.own_workspace:
            attempt = attempt._replace(workspace=os.path.join(os.path.realpath(self._work), _name(attempt)))
        copied, rest = "", attempt
        outcome = Outcome(NodeStatus.FAILED)
        try:
            if files.left or files.own_workspace:
                copied = "the artifacts of what it needs were"
                # At a stop nothing has begun that could use the grace.
                end = partial(self._is_stopped, attempt, stops)
                await self._copy(
                    attempt, began, stops, lambda late: self._prepare(attempt, files, lambda: late() or end())
                )
                rest = _with_the_rest(attempt, began)
            if self._is_stopped(attempt, stops):
                raise Halted
            outcome = await self._inner.perform(rest, emit)
            if not files.artifacts or outcome.status is not NodeStatus.SUCCEEDED:
                return _of_all_its_time(outcome, rest, attempt)
            copied = "its artifacts were"
            found = await self._copy(attempt, began, stops, partial(self._collected, attempt, files))
            return outcome._replace(artifacts=found)
        except NodeFault as fault:
            status, error = NodeStatus.FAILED, NodeError(fault.kind, self._masker.mask_text(fault.message))
        except Late:
            why = f"timed out after {in_seconds(attempt.timeout or 0)} while {copied} copied"
            status, error = NodeStatus.FAILED, NodeError(ErrorKind.TIMEOUT, why)
        except Halted:
            status, error = NodeStatus.CANCELLED, NodeError(ErrorKind.CANCELLED, "the run was stopped")
            outcome = outcome._replace(exit_code=None)  # it is not how the attempt ended
        finally:
            if attempt.workspace:
                await asyncio.to_thread(clear, attempt.workspace)
        return outcome._replace(status=status, error=error)

    async def _copy(self, attempt: Attempt, began: float, stops: int, work: Callable[[Callable[[], bool]], Any]) -> Any:
        """Have a thread copy, in what is left of the attempt's time or, at a stop, the grace. Raises Late, Halted."""
        halt = Halt(None if attempt.timeout is None else began + attempt.timeout - monotonic())
        for _, until in self._of(attempt, stops):
            halt.stop(until - monotonic())
        self._halts[halt] = attempt
        try:
            return await halt.run(lambda: work(halt.halted))
        finally:
            del self._halts[halt]

    def _prepare(self, attempt: Attempt, files: Files, halted: Callable[[], bool]) -> None:
        """Raises NodeFault for what can't be put where it belongs, StorageError where there is no room, and Halted."""
        from pipe_runner.artifacts import put_back

        if attempt.workspace:
            try:
                clear(attempt.workspace)
                os.makedirs(attempt.workspace)
            except OSError as error:
                raise StorageError(f"cannot make {attempt.workspace}: {error.strerror}") from error
        for one in _wanted(attempt, files):
            what = f"artifact {one.file['name']} of {one.by}: {one.file['path']}"
            try:
                put_back(attempt, [one.file], self._kept, verify=True, halted=halted)
            except NodeFault as fault:
                raise NodeFault(fault.kind, f"{what}: {fault.message}") from fault
            except OSError as error:
                if attempt.workspace and error.errno in _NO_ROOM:
                    raise StorageError(f"cannot write to {attempt.workspace}: {error.strerror}") from error
                why = error.strerror or str(error)
                raise NodeFault(ErrorKind.REFUSED, f"{what} can't be put into the working directory: {why}") from error

    def _collected(self, attempt: Attempt, files: Files, halted: Callable[[], bool]) -> Any:
        from pipe_runner.artifacts import collect

        copied = collect(attempt, files.artifacts, self._kept, durable=self._durable, halted=halted)
        return self._masker.mask_json([item.to_json() for item in copied])  # a file's name may hold a secret

    def _is_stopped(self, attempt: Attempt, before: int) -> bool:
        """Whether it was, since it began after so many stops."""
        return any(True for _ in self._of(attempt, before))

    def _of(self, attempt: Attempt, before: int) -> Iterator[tuple[tuple[str, ...], float]]:
        """The stops of it."""
        return (one for one in self._stops[before:] if not (one[0] and attempt.node.startswith(one[0])))

    def stop(self, grace: float, spare: tuple[str, ...] = ()) -> None:
        self._stops.append((spare, monotonic() + grace))
        self._inner.stop(grace, spare) if spare else self._inner.stop(grace)
        for halt, attempt in self._halts.items():
            if not (spare and attempt.node.startswith(spare)):
                halt.stop(grace)

    async def close(self) -> None:
        await self._inner.close()


def _with_the_rest(attempt: Attempt, began: float) -> Attempt:
    """With the time that it has left, since it began then."""
    if attempt.timeout is None:
        return attempt
    return attempt._replace(timeout=max(began + attempt.timeout - monotonic(), LEAST))


def _of_all_its_time(outcome: Outcome, rest: Attempt, attempt: Attempt) -> Outcome:
    """With all the time of the attempt in its sentence, where what was left of it was up."""
    error = outcome.error
    if error is None or error.kind is not ErrorKind.TIMEOUT or rest.timeout == attempt.timeout:
        return outcome
    said, meant = (f"after {in_seconds(one.timeout or 0)}" for one in (rest, attempt))
    return outcome._replace(error=error._replace(message=error.message.replace(said, meant, 1)))


def _wanted(attempt: Attempt, files: Files) -> Iterator[LeftFile]:
    """What is to be put into the working directory; what is there already is left alone."""
    if attempt.workspace:
        yield from files.left
        return
    from pipe_runner.artifacts import working_directory

    try:
        base, top, _ = working_directory(attempt)
    except NodeFault:  # there is none, as the agent will tell
        return
    os.close(top)
    for one in files.left:
        path = str(one.file["path"])
        if one.replaces or not ("***" in path or os.path.lexists(os.path.join(base, path))):
            yield one


def _name(attempt: Attempt) -> str:
    """The name of an attempt's directory; differs for every node, item and attempt of the run, and not by case."""
    node = attempt.node
    if not (node.isidentifier() and node.isascii() and node.islower() and len(node) <= 100):
        from hashlib import sha256

        node = f"-{sha256(node.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
    return f"{node}.{attempt.number}"
