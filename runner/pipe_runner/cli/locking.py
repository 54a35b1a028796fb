"""`pipe lock`, and what `--frozen` refuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipe_runner.cli.boundary import colours, say, write_out
from pipe_runner.cli.settings import here
from pipe_runner.cli.words import Given
from pipe_runner.console.words import plural, safe
from pipe_runner.diagnostics import Diagnostic, in_order
from pipe_runner.errors import InvalidPipeline, NodeFault, PipeError, UsageError
from pipe_runner.lockfile.contents import Contents, aliases_in
from pipe_runner.lockfile.differences import Differences
from pipe_runner.lockfile.files import LOCK_FILE, Locked, lock_path, lock_text, merged, read_lock
from pipe_runner.text import shown_path

if TYPE_CHECKING:
    from pipe_runner.cli.plans import Planned
    from pipe_runner.plan import Plan

_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})


class _Found(NamedTuple):
    """The pipelines that are to be locked."""

    root: str
    plans: Sequence[Plan]
    whole: bool
    """They are all that the project has."""


def lock(given: Given) -> int:
    """`pipe lock [FILE…]`."""
    from pipe_runner.registry import Registry

    registry = Registry.installed()
    found = _found(given.many("file"), registry)
    locked = read_lock(found.root)
    contents = Contents(registry, os.environ)
    each = [(plan, contents.of(plan)) for plan in found.plans]
    if given.on("tools"):
        lists = _ask(found, [one for _, one in each])
        each = [(plan, contents.of(plan, lists)) for plan in found.plans]
    if given.on("check"):
        return _check(found, locked, each)
    if locked.faults:
        said = f"{LOCK_FILE} can't be read; remove it, and the same command makes it anew"
        raise InvalidPipeline([fault._replace(hint=fault.hint or said) for fault in locked.faults])
    now: dict[str, Any] = {"version": 1, "providers": {}, "mcp_servers": {}, "pipelines": {}}
    for _, one in each:
        now = merged(now, one)
    data = merged(locked.data, now)
    if found.whole:  # what nothing has any more goes, too
        data = {key: {name: data[key][name] for name in one} if key != "version" else one for key, one in now.items()}
    path = lock_path(found.root)
    _write(path, lock_text(data))
    _tell(shown_path(path), now)
    loose = [name for name in now["mcp_servers"] if "tools" not in data["mcp_servers"][name]]
    if loose:
        say(f"not pinned: the tools of {safe(', '.join(loose))}; `pipe lock --tools` asks for them")
    return 0


def refuse_changes(given: Given, planned: Planned) -> None:
    """Raise InvalidPipeline with everything that isn't as pipe.lock has it; nothing where PIPE_FROZEN says no."""
    if not given.on("frozen"):
        said = os.environ["PIPE_FROZEN"].lower()
        if said in _NO:
            return
        if said not in _YES:
            raise UsageError(f"PIPE_FROZEN: {said!r} is neither 1 nor 0")
    now = Contents(planned.registry, os.environ).of(planned.plan)
    faults = Differences(read_lock(planned.root)).of(planned.plan, now)
    if faults:
        raise InvalidPipeline(faults)


def _ask(found: _Found, locks: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, str] | str]:
    """Digests of the tools of the servers that are used and that pipe.yml doesn't pin; raises PipeError where one
    can't be asked."""
    import anyio

    from pipe_runner.engine.listing import list_tools

    written: dict[str, Any] = {}
    policy: Mapping[str, Any] = {}
    for plan, one in zip(found.plans, locks, strict=True):
        servers, policy = plan.services.get("mcp_servers", {}), plan.policy
        written.update((name, servers[name]) for name, said in one["mcp_servers"].items() if "tools" not in said)
    lists: dict[str, Mapping[str, str] | str] = {}
    for name, listed in anyio.run(list_tools, written, list(written), os.environ, found.root, policy).items():
        if isinstance(listed, NodeFault):
            raise PipeError(listed.message, hint=f"it wrote: {listed.tail}" if listed.tail else None)
        lists[name] = listed.pins
    return lists


def _check(found: _Found, locked: Locked, each: Sequence[tuple[Plan, Mapping[str, Any]]]) -> int:
    from pipe_runner.reports.diagnostics import render

    differences = Differences(locked)
    faults: list[Diagnostic] = []
    for plan, now in each:
        faults += differences.of(plan, now)
    if found.whole:
        faults += differences.left_over([now for _, now in each], alone=not faults)
    faults = in_order(faults)
    write_out(render(faults, "text", colour=colours(sys.stdout)))
    shown = shown_path(lock_path(found.root))
    if not faults:
        say(f"{plural(len(each), 'pipeline')} as {safe(shown)} has {'it' if len(each) == 1 else 'them'}")
        return 0
    say(f"{plural(len(faults), 'difference')} from {safe(shown)}")
    return 1


def _found(paths: Sequence[str], registry: Any) -> _Found:
    """The plans of these files, or of the whole project; raises InvalidPipeline with the faults of all of them."""
    from pipe_runner.cli.reading import pipeline_files
    from pipe_runner.compiler import compile_file
    from pipe_runner.project import root_of

    whole = not paths
    root = here() if whole else root_of(os.path.abspath(paths[0]))
    named = [os.path.realpath(path) for path in paths if not os.path.isdir(path)]
    compilations = {}
    for file in pipeline_files(paths or (os.path.relpath(root),)):
        if not _is_pipeline(file) and os.path.realpath(file) not in named:
            continue
        if root_of(os.path.abspath(file)) != root:
            if whole:
                continue
            raise UsageError(f"{file} is not of the project in {root}", hint="each project has a pipe.lock of its own")
        compilations[os.path.realpath(file)] = compile_file(file, root=Path(root), registry=registry)
    inside = {real for one in compilations.values() for _, real, _ in one.files}
    kept = [one for real, one in compilations.items() if real in named or real not in inside]
    if any(one.plan is None for one in kept):
        raise InvalidPipeline(in_order(fault for one in kept for fault in one.diagnostics))
    return _Found(root, [one.plan for one in kept if one.plan is not None], whole)


def _is_pipeline(file: str) -> bool:
    from pipe_runner.cases import SUFFIXES as TESTS
    from pipe_runner.evals import SUFFIXES as EVALS

    return not file.endswith((*TESTS, *EVALS)) and os.path.basename(file) not in ("pipe.yml", LOCK_FILE)


def _write(path: str, text: str) -> None:
    from pipe_runner.cli.files import write_whole

    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except (OSError, ValueError):
        pass
    write_whole(path, [text.encode("utf-8")])


def _tell(shown: str, now: Mapping[str, Any]) -> None:
    nodes = sum(len(one["nodes"]) for one in now["pipelines"].values())
    asking = "1 node that asks models" if nodes == 1 else f"{nodes} nodes that ask models"
    sys.stdout.write(safe(f"{shown}: {plural(len(now['pipelines']), 'pipeline')}, {asking}") + "\n")
    lines = {
        f"  alias: {path}: {id} asks {model['model']} of {model['provider']}, which may lead elsewhere tomorrow": None
        for path, id, model in aliases_in(now)
    }
    sys.stdout.writelines(safe(line) + "\n" for line in lines)
    sys.stdout.flush()
