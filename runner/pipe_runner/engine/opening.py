"""Opens a run, or one that is to go on: directory, lock, log, secrets, warden; everything before the first event."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipe_runner import __version__
from pipe_runner.acted import take_back
from pipe_runner.engine.active import ActiveRun
from pipe_runner.engine.checkout import git_sha
from pipe_runner.engine.clock import SystemClock
from pipe_runner.engine.inputs import refuse_secrets
from pipe_runner.engine.outside import agents_of, in_the_way, recorder_for, servers_for, services_for
from pipe_runner.engine.place import Granted, Place
from pipe_runner.engine.requests import REQUEST, keep_request, kept_request, request_text
from pipe_runner.engine.selection import select
from pipe_runner.engine.settings import RunSettings
from pipe_runner.errors import PipeError, StorageError, UsageError
from pipe_runner.executors.descriptors import room_to_run
from pipe_runner.executors.leftovers import end_leftovers
from pipe_runner.executors.pool import Pool
from pipe_runner.executors.reasons import COMMANDS
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.ports import Clock, EventSink, Masker
from pipe_runner.reruns import items_to_rerun, reasons_to_rerun, run_anew
from pipe_runner.run import Run
from pipe_runner.runlog import LogWriter, RunDir, RunLock, UnkeptLog, new_run_id, repair
from pipe_runner.runlog.faults import storage_fault
from pipe_runner.runlog.order import Order, order_of_next
from pipe_runner.runlog.reader import opening_of
from pipe_runner.subplans import expanded, members, secrets_of, versions_of
from pipe_runner.types import EventKind, Json, RunStatus

if TYPE_CHECKING:
    from pipe_runner.calls.services import Services
    from pipe_runner.registry import Registry


def open_run(
    plan: Plan,
    inputs: Mapping[str, Json],
    settings: RunSettings,
    *,
    registry: Registry,
    sinks: Sequence[EventSink] = (),
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    idle: Collection[str] = (),
) -> ActiveRun:
    """A new run, ready to be performed. Raises UsageError (selection, secrets, ids) and StorageError.

    `idle` are nodes for which something else stands in (`ActiveRun.around`), so that nothing is started for them.
    """
    room_to_run()
    clock = clock or SystemClock()
    nodes = select(plan, settings.only)
    every = members(nodes, plan.subplans, settings.only)
    granted = _grant(plan, every, environ, registry, settings)
    refuse_secrets(inputs, granted)
    data: dict[str, Any] = {
        "pipeline": plan.name,
        "path": plan.path,
        "root": plan.root,
        "digest": plan.digest,
        "inputs": dict(inputs),
        "nodes": _digests(expanded(nodes, plan.subplans, settings.only)),
        "only": list(settings.only),
        "versions": _versions(plan),
        **_choices(expanded(nodes, plan.subplans, settings.only)),
        "git_sha": git_sha(plan.root),
        "durability": str(settings.durability),
        **settings.recordings(plan.root),
    }
    if settings.task is not None:
        data["task"] = granted.masker.mask_text(settings.task)
    now = clock.now_ns()
    order = order_of_next(settings.state_dir, now) if settings.keeps else None
    if order is not None:
        data["order"] = str(order)
    request = request_text(data)
    run_id = settings.run_id or new_run_id(now)
    begin = _begin if settings.keeps else _begin_unkept
    place = begin(run_id, request, settings, [node for node in every if node.id not in idle], registry)
    if settings.keeps:
        (order or Order(now)).keep(place.rundir)
    opening = (EventKind.RUN_STARTED, data)
    return ActiveRun(plan, nodes, Run(id=run_id), place, opening, settings, registry, granted, sinks, clock)


def _begin(run_id: str, request: str, settings: RunSettings, nodes: Sequence[PlannedNode], registry: Registry) -> Place:
    try:
        rundir = RunDir.create(settings.state_dir, run_id, settings.where)
    except StorageError as error:
        raise _nothing_begun(error) from error
    with contextlib.ExitStack() as undo:
        lock = _lock_new(rundir)
        undo.callback(lock.release)
        try:
            processes = _processes(rundir, nodes, registry, settings)
            undo.callback(processes.abandon)
            keep_request(rundir, request)
            journal = LogWriter.create(rundir, settings.durability)
        except StorageError as error:
            raise _nothing_begun(error) from error
        undo.pop_all()
    return Place(rundir, lock, journal, processes)


def _begin_unkept(
    run_id: str, _: str, settings: RunSettings, nodes: Sequence[PlannedNode], registry: Registry
) -> Place:
    """The place of a run of which nothing is kept: what it needs works on every system."""
    rundir = RunDir.unkept(settings.state_dir, run_id)
    return Place(rundir, None, UnkeptLog(rundir), _processes(rundir, nodes, registry, settings))


def _lock_new(rundir: RunDir) -> RunLock:
    """The lock of a run that has not begun; what was left where it was ended before that is cleared away."""
    try:
        lock = RunLock.acquire(rundir)
    except StorageError as error:
        raise _nothing_begun(error) from error
    try:
        rundir.refuse_begun()  # another process may have had the directory at the same time, and begun
        if rundir.taken_over:
            end_leftovers(rundir.id, rundir.warden_lock_path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(rundir.path, REQUEST))
    except OSError as error:
        lock.release()
        raise _nothing_begun(storage_fault("clear", error.filename or rundir.path, error)) from error
    except BaseException:
        lock.release()
        raise
    return lock


def open_resume(
    run_id: str,
    plan: Plan,
    settings: RunSettings,
    *,
    registry: Registry,
    sinks: Sequence[EventSink] = (),
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> ActiveRun:
    """A run that goes on: its log repaired, what it left running ended, what is left to do known (`reasons`).

    A run that was ended before its first event was whole begins again: nothing of it had started.
    Raises RunBusy while another process works on it, LogDamaged, StorageError, UsageError.
    """
    room_to_run()
    clock = clock or SystemClock()
    rundir = RunDir.open(settings.state_dir, run_id, settings.where)
    with contextlib.ExitStack() as undo, _storage(rundir):
        lock = RunLock.acquire(rundir)
        undo.callback(lock.release)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(rundir.cancel_path)  # first of all: one that comes from now on is meant for this runner
        repaired = repair(rundir)
        run = repaired.run
        begun = opening_of(rundir.log_path, rundir.id) is not None
        kept = {} if begun else kept_request(rundir)
        only = run.only if begun else tuple(kept.get("only", ()))
        done = run.status is RunStatus.SUCCEEDED
        nodes = [] if done else _selected_before(plan, settings.only, only)
        every = expanded(nodes, plan.subplans, only)
        reasons: dict[str, str] = {}
        if not begun:
            run.id = rundir.id
            reasons = {node.id: "not started" for node in every}
        elif not done:
            end_leftovers(rundir.id, rundir.warden_lock_path)
            take_back(run, (node.id for node in every))
            reasons = reasons_to_rerun(run, nodes, plan)
        gained = _gained(run, plan) if begun and not done else {}
        wanted = members([node for node in nodes if node.id in reasons], plan.subplans, only)
        again = settings if begun else settings._replace(only=settings.only or only)  # as it was started
        granted = _grant(plan, wanted, environ, registry, again, anew=not begun)
        refuse_secrets(gained, granted)
        journal = LogWriter.append_to(rundir, settings.durability, repaired)
        undo.callback(journal.close)
        if begun and not done:
            from pipe_runner.engine.overrun import tell_overrun

            tell_overrun(rundir, run, journal, clock, reasons)
        processes = _processes(rundir, wanted, registry, settings)
        undo.callback(processes.abandon)
        place = Place(rundir, lock, journal, processes)
        kept = {key: said for key, said in kept.items() if key not in ("record", "replay")}
        data = {
            **kept,
            **settings.recordings(plan.root),
            "digest": plan.digest,
            "nodes": _digests(every),
            "versions": _versions(plan),
            **_choices(every),
        }
        opening = (EventKind.RUN_STARTED, data)
        if begun:
            data.update(rerun=list(reasons), reasons=reasons, git_sha=git_sha(plan.root))
            anew = run_anew(every, reasons)
            if anew:
                data["anew"] = anew
            items = items_to_rerun(run, every, reasons, plan.subplans)
            if items:
                data["items"] = items
            if gained:
                data["inputs"] = {**run.inputs, **gained}
            opening = (EventKind.RUN_RESUMED, data)
        active = ActiveRun(plan, nodes, run, place, opening, settings, registry, granted, sinks, clock)
        undo.pop_all()
    active.reasons, active.nothing_to_do = reasons, done
    return active


@contextlib.contextmanager
def _storage(rundir: RunDir) -> Iterator[None]:
    """What the system says of the run's files, as StorageError."""
    try:
        yield
    except OSError as error:
        raise storage_fault("go on with", error.filename or rundir.path, error) from error


def _gained(run: Run, plan: Plan) -> dict[str, Json]:
    """Inputs that the file declares since the run was started, with their defaults; raises UsageError without one."""
    new = [declared for declared in plan.inputs if declared.name not in run.inputs]
    missing = [declared.name for declared in new if declared.required]
    if missing:
        raise UsageError(
            f"the file has gained inputs that have no default: {', '.join(missing)}",
            hint="give them a default, or start a new run with `pipe run -i NAME=VALUE`",
        )
    _check_kept(run, plan)
    return {declared.name: declared.default for declared in new}


def _check_kept(run: Run, plan: Plan) -> None:
    """The inputs that the run was started with are still what the file asks for; raises UsageError."""
    from pipe_runner.compiler.matching import mismatches

    faults: list[str] = []
    for declared in plan.inputs:
        value = run.inputs.get(declared.name)
        if value is not None and "***" not in json.dumps(value):  # what held a secret is not known any more
            faults += mismatches(value, declared.schema, f"input `{declared.name}`")
    if faults:
        raise UsageError(
            "the run was started with inputs that the file does not take any more\n" + "\n".join(faults),
            hint="change the file back, or start a new run with `pipe run -i NAME=VALUE`",
        )


def _selected_before(plan: Plan, only: Sequence[str], before: Sequence[str]) -> list[PlannedNode]:
    """The nodes of a run that goes on: those that it was started with, where nobody says otherwise now."""
    try:
        return select(plan, only or before)
    except UsageError as error:
        if only:
            raise
        raise UsageError(
            f"the run was started with {' '.join(f'--only {name}' for name in before)}, and {plan.path} has no such "
            "node any more",
            hint="call the node what it was called, or start a new run with `pipe run`",
        ) from error


def _nothing_begun(error: StorageError) -> StorageError:
    if error.hint is not None and "resume" not in error.hint:
        return error
    return StorageError(
        error.message,
        hint="nothing was begun: mend that, or keep the run elsewhere with --state-dir or PIPE_STATE_DIR, and start it "
        "again with `pipe run`",
    )


def _grant(
    plan: Plan,
    nodes: Sequence[PlannedNode],
    environ: Mapping[str, str] | None,
    registry: Registry,
    settings: RunSettings,
    *,
    anew: bool = True,
) -> Granted:
    """The secrets that these nodes are granted, and what hides them.

    Hidden are also those of the plan's other nodes, as far as they can be had: a node that ran before this resume may
    have left one where a node that runs now prints it (S4).
    """
    environ = os.environ if environ is None else environ
    recorded = settings.record is not None or settings.replay is not None
    services, keys = services_for(plan, nodes, environ, registry, settings, recorded=recorded)
    servers, more, pins = servers_for(plan, nodes, environ)
    keys.update(more)
    short = _too_short(keys) if keys else []
    every = {name for node in members(plan.nodes, plan.subplans) for name in node.secrets}
    sources = secrets_of(plan) if plan.subplans else plan.secrets
    if not every:
        masker = _masker_of(keys, services, finds=_find_secrets(nodes, registry))
        warned = (*short, *in_the_way(settings))
        return Granted(
            {}, masker, warned, services, recorder_for(settings, nodes, masker, anew=anew), servers, pins, keys
        )
    from pipe_runner.secrets import resolve

    names = {name for node in nodes for name in node.secrets}
    wanted = [source for source in sources if source.name in names]
    unused = names - _needed(nodes, registry) if settings.replay is not None else ()
    values, warnings = resolve(wanted, environ, plan.root, unused)
    hidden = {**keys, **values}
    for source in sources:
        if source.name in every - names:
            with contextlib.suppress(PipeError):  # nobody asks for it now
                hidden.update(resolve([source], environ, plan.root)[0])
    masker = _masker_of(hidden, services)
    recorder = recorder_for(settings, nodes, masker, anew=anew)
    warned = (*warnings, *short, *in_the_way(settings))
    return Granted(values, masker, warned, services, recorder, servers, pins, hidden)


def _needed(nodes: Sequence[PlannedNode], registry: Registry) -> set[str]:
    """The secrets that are put to use also where recordings answer what leaves the machine."""
    here = [node for node in nodes if node.secrets and node.pipeline is None]
    return {name for node in here if not registry.get(node.agent).describe().goes_outside for name in node.secrets}


def _too_short(keys: Mapping[str, str]) -> list[str]:
    from pipe_runner.secrets import unmasked

    return unmasked(keys)


def _find_secrets(nodes: Sequence[PlannedNode], registry: Registry) -> bool:
    """Whether agents may come by secrets that are not known yet."""
    return any(registry.get(agent).describe().finds_secrets for agent in agents_of(nodes))


def _masker_of(secrets: Mapping[str, str], services: Services | None, *, finds: bool = False) -> Masker:
    """Hides these, and what the clients of models fetch later; `finds`: and what agents find."""
    if services is None:
        return SecretMasker(secrets) if secrets or finds else NoMasking()
    masker = SecretMasker(secrets)
    services.conceal, services.mask = masker.add, masker.mask_text
    return masker


def _processes(rundir: RunDir, nodes: Sequence[PlannedNode], registry: Registry, settings: RunSettings) -> Pool:
    """The launcher; its warden starts here, beside what this process still has to import."""
    agents = [registry.get(agent).describe() for agent in agents_of(nodes)]
    functions = any(agent.runs_functions for agent in agents)
    go_on = rundir.command("resume", *settings.recording_words)
    processes = Pool(rundir.id, rundir.warden_lock_path, functions=functions, go_on=go_on)
    if COMMANDS and (functions or any(agent.runs_processes for agent in agents)):
        processes.start()
    return processes


def _digests(nodes: Sequence[PlannedNode]) -> dict[str, str]:
    return {node.id: node.digest for node in nodes}


def _choices(nodes: Sequence[PlannedNode]) -> dict[str, Json]:
    """Who was chosen before the run for nodes of `agent: auto`, and why."""
    chosen: dict[str, Json] = {node.id: node.chosen for node in nodes if node.chosen is not None}
    return {"chosen": chosen} if chosen else {}


def _versions(plan: Plan) -> dict[str, Json]:
    python = ".".join(str(part) for part in sys.version_info[:3])
    return {"pipe": __version__, "python": python, "agents": versions_of(plan)}
