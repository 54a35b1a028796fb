"""Opens a run's way out to models and tools, where its nodes have use for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pipe_runner.types import Json

if TYPE_CHECKING:
    from pipe_runner.calls.desk import Desk
    from pipe_runner.calls.services import Services
    from pipe_runner.engine.place import Granted
    from pipe_runner.engine.settings import RunSettings
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.ports import Clock, Journal
    from pipe_runner.registry import Registry
    from pipe_runner.run import Run


def services_for(
    plan: Plan, nodes: Sequence[PlannedNode], environ: Mapping[str, str], registry: Registry
) -> tuple[Services | None, dict[str, str]]:
    """The model services for these nodes, and what of their settings is shown nowhere; None where no node asks any."""
    asking = {
        name
        for name in {node.agent for node in nodes if node.pipeline is None}
        if registry.get(name).describe().asks_models
    }
    if not asking:
        return None, {}
    from pipe_runner.calls.services import Services
    from pipe_runner.registry import ProviderTypes
    from pipe_runner.spending.prices import ListedPrices

    services = Services(plan.services.get("providers", {}), ProviderTypes(), environ, ListedPrices)
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
    from pipe_runner.calls.around import NoGate, NotRecorded
    from pipe_runner.calls.desk import Desk
    from pipe_runner.spending.purse import BudgetPurse

    assert granted.services is not None
    gate, purse = NoGate(), BudgetPurse(plan, run, journal)
    return Desk(
        granted.services, purse=purse, gate=lambda name: gate, recorder=NotRecorded(), clock=clock, closing=[purse]
    )
