"""Opens a run's way out to models and tools, where its nodes have use for one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipe_runner.executors.reasons import COMMANDS
from pipe_runner.registry import asks_models
from pipe_runner.subplans import versions_of
from pipe_runner.types import AUTO, Json

if TYPE_CHECKING:
    from pipe_runner.calls.desk import Desk
    from pipe_runner.calls.seams import Recorder
    from pipe_runner.calls.services import Services
    from pipe_runner.engine.place import Granted, Place
    from pipe_runner.engine.settings import RunSettings, Shared
    from pipe_runner.models import Orchestrates
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.ports import Clock, Masker
    from pipe_runner.registry import Registry
    from pipe_runner.run import Run
    from pipe_runner.tools.kinds import PerformAttempt
    from pipe_runner.tools.settings import ServerSettings


def services_for(
    plan: Plan,
    nodes: Sequence[PlannedNode],
    environ: Mapping[str, str],
    registry: Registry,
    settings: RunSettings,
    *,
    recorded: bool,
) -> tuple[Services | None, dict[str, str]]:
    """The model services for these nodes, and what of their settings is shown nowhere; None where no node
    asks any, and nothing is recorded."""
    asking = [node for node in nodes if node.pipeline is None and _asks(node, registry)]
    if not asking and not recorded:
        return None, {}
    from pipe_runner.calls.services import Services
    from pipe_runner.spending.prices import prices_by

    folder = os.path.join(settings.state_dir, "cache") if settings.keeps else None
    services = Services(plan.services.get("providers", {}), registry.providers, environ, prices_by(folder))
    names: dict[str, None] = {}
    for node in asking:
        given: Json = node.options.data.get("provider") if isinstance(node.options.data, dict) else None
        chosen = [name for name in given if isinstance(name, str)] if isinstance(given, list) else []
        names.update(dict.fromkeys(chosen))
        services.first.update(chosen[:1])
    return services, services.secrets(tuple(names))


def _asks(node: PlannedNode, registry: Registry) -> bool:
    """Whether models are asked by it, or by agents that are chosen for it."""
    data = node.options.data  # most nodes have no provider, and of ten thousand no agent is asked
    if not isinstance(data, dict) or "provider" not in data:
        return False
    return asks_models(registry.get(node.agent), data)


def agents_of(nodes: Sequence[PlannedNode]) -> set[str]:
    """The agents that perform these nodes, and those that their models may use."""
    found = {node.agent for node in nodes if node.pipeline is None}
    tools = _tools_of(nodes)
    if tools:
        from pipe_runner.tools.wanted import agents_in

        found |= agents_in(tools)
    return found


def servers_for(
    plan: Plan, nodes: Sequence[PlannedNode], environ: Mapping[str, str]
) -> tuple[Mapping[str, ServerSettings], dict[str, str], Mapping[str, Any]]:
    """The MCP servers whose tools these nodes list, what of their settings is shown nowhere, and what pipe.lock pins.

    Raises UsageError where pipe.lock can't be read.
    """
    tools = _tools_of(nodes)
    if not tools:
        return {}, {}, {}
    from pipe_runner.tools.settings import server_settings
    from pipe_runner.tools.wanted import servers_in

    written = plan.services.get("mcp_servers", {})
    names = [name for name in servers_in(tools) if name in written]
    found = {name: server_settings(name, written[name], environ, plan.root, plan.policy) for name in names}
    secrets = {
        f"MCP server {name} {number}": value
        for name, settings in found.items()
        for number, value in enumerate(settings.secrets)
    }
    if not found:
        return found, secrets, {}
    from pipe_runner.lockfile.files import tool_pins

    return found, secrets, tool_pins(plan.root)


def _tools_of(nodes: Sequence[PlannedNode]) -> list[Json]:
    """The tools that these nodes list; most nodes list none, and of ten thousand each is looked at twice."""
    found: list[Json] = []
    for node in nodes:
        data = node.options.data
        if isinstance(data, dict) and "tools" in data and node.pipeline is None and isinstance(data["tools"], list):
            found += data["tools"]
    return found


def desk_for(
    plan: Plan,
    run: Run,
    place: Place,
    granted: Granted,
    registry: Registry,
    performs: PerformAttempt,
    clock: Clock,
    shared: Shared | None,
) -> Desk | None:
    """The way out of one run, if its nodes have use for it. `performs` is how their attempts are performed, `shared`
    what it has with others."""
    services = granted.services
    if services is None:
        return None
    from pipe_runner.calls.around import NotRecorded
    from pipe_runner.calls.desk import Desk
    from pipe_runner.limits.gates import Gates
    from pipe_runner.spending.purse import BudgetPurse
    from pipe_runner.tools.maker import Tools
    from pipe_runner.tools.servers import Servers

    if granted.recorder is not None:
        granted.recorder.begin()
    if granted.recorder is None or not granted.recorder.replays:
        services.warm()
    purse = BudgetPurse(plan, run, place.journal, resumes=shared is None)
    gates = Gates() if shared is None else shared.gates
    launch = place.processes.run if COMMANDS else None
    servers = Servers(granted.servers, launch, granted.masker, granted.pins)
    tools = Tools(registry, performs, servers, granted.masker, clock)
    return Desk(
        services,
        purse=purse if shared is None else shared.within(purse, run.id),
        gate=lambda name: gates.get(name, services.get(name).limits),
        recorder=granted.recorder or NotRecorded(),
        clock=clock,
        masker=granted.masker,
        make_toolbox=tools.make,
        closing=[tools, purse],
    )


def orchestrator_for(plan: Plan, registry: Registry, performs: PerformAttempt, clock: Clock) -> Orchestrates | None:
    """Who chooses agents during the run, where a node of the plan has use for that."""
    if AUTO not in versions_of(plan):
        return None
    from pipe_runner.orchestrator.within import WithinRun

    return WithinRun(registry, performs, clock)


def recorder_for(settings: RunSettings, nodes: Sequence[PlannedNode], masker: Masker, *, anew: bool) -> Recorder | None:
    """What keeps calls of these nodes, or answers them, where the user asked for it; raises UsageError where nothing
    was recorded, StorageError where nothing can be kept.

    `anew`: the run begins, and so does its recording; with `--only` that of its nodes, and the others' stays.
    """
    if settings.record is None and settings.replay is None:
        return None
    from pipe_runner.recordings.folder import Folder
    from pipe_runner.recordings.recorder import Recording, Replaying

    if settings.replay is not None:
        return Replaying(Folder(settings.replay), masker, settings.mend)
    only = [node.id for node in nodes] if settings.only else ()
    return Recording(Folder(str(settings.record)), masker, anew=anew and not settings.adds, only=only)


def in_the_way(settings: RunSettings) -> list[str]:
    """A warning of files beside what is recorded that are no recordings."""
    if settings.record is None:
        return []
    from pipe_runner.recordings.folder import Folder

    names = Folder(settings.record).others(some=bool(settings.only))
    shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    return [f"{settings.record} holds what --replay will refuse, since it is no recording: {shown}"] if names else []
