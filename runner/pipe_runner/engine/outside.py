"""Opens a run's way out to models and tools, where its nodes have use for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.calls.desk import Desk
    from pipe_runner.calls.seams import Recorder
    from pipe_runner.calls.services import Services
    from pipe_runner.engine.place import Granted
    from pipe_runner.engine.settings import RunSettings
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.ports import Clock, Journal, Masker
    from pipe_runner.registry import Registry
    from pipe_runner.run import Run


def services_for(
    plan: Plan, nodes: Sequence[PlannedNode], environ: Mapping[str, str], registry: Registry, *, recorded: bool
) -> tuple[Services | None, dict[str, str]]:
    """The model services for these nodes, and what of their settings is shown nowhere; None where no node
    asks any, and nothing is recorded."""
    agents = {node.agent for node in nodes if node.pipeline is None}
    asking = {name for name in agents if registry.get(name).describe().asks_models}
    if not asking and not recorded:
        return None, {}
    from pipe_runner.calls.services import Services
    from pipe_runner.spending.prices import ListedPrices

    services = Services(plan.services.get("providers", {}), registry.providers, environ, ListedPrices)
    names: dict[str, None] = {}
    for node in nodes:
        if node.agent in asking and isinstance(node.options.data, dict):
            given: Json = node.options.data.get("provider")
            names.update(
                dict.fromkeys(name for name in given if isinstance(name, str)) if isinstance(given, list) else {}
            )
    return services, services.secrets(tuple(names))


def open_desk(plan: Plan, run: Run, settings: RunSettings, granted: Granted, journal: Journal, clock: Clock) -> Desk:
    """The way out of one run."""
    from pipe_runner.calls.around import NotRecorded
    from pipe_runner.calls.desk import Desk
    from pipe_runner.limits.gates import Gates
    from pipe_runner.spending.purse import BudgetPurse

    services = granted.services
    assert services is not None
    shared, purse = settings.shared, BudgetPurse(plan, run, journal)
    gates = Gates() if shared is None else shared.gates
    return Desk(
        services,
        purse=purse if shared is None else shared.within(purse, run.id),
        gate=lambda name: gates.get(name, services.get(name).limits),
        recorder=granted.recorder or NotRecorded(),
        clock=clock,
        closing=[purse],
    )


def recorder_for(settings: RunSettings, masker: Masker, *, anew: bool) -> Recorder | None:
    """What keeps calls, or answers them, where the user asked for it; raises UsageError where nothing was recorded.

    `anew`: the run begins, and so does its recording.
    """
    if settings.record is None and settings.replay is None:
        return None
    from pipe_runner.recordings.folder import Folder
    from pipe_runner.recordings.recorder import Recording, Replaying

    if settings.replay is not None:
        return Replaying(Folder(settings.replay), masker)
    return Recording(Folder(str(settings.record)), masker, anew=anew)
