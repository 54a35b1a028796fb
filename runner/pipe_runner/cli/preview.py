"""`pipe run --dry-run`: what would run, in which order, and how; nothing is evaluated and nothing starts."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pipe_runner.cli.plans import Planned, shown_place
from pipe_runner.console.words import plural, safe
from pipe_runner.engine import RunSettings
from pipe_runner.engine.selection import select
from pipe_runner.plan import Plan, PlannedNode
from pipe_runner.reports.flat import flat, own_needs
from pipe_runner.reports.planned import how, written
from pipe_runner.subplans import expanded
from pipe_runner.text import json_text
from pipe_runner.types import Json, Phase, RunOn


def preview(planned: Planned, inputs: Mapping[str, Json], settings: RunSettings, output: str) -> int:
    """Print it: for people, or as one JSON object. Gives the exit code."""
    plan, nodes = flat_and_chosen(planned.plan, settings.only)
    planned = planned._replace(plan=plan)
    if output == "text":
        sys.stdout.write(_text(planned, nodes, inputs, settings))
    else:
        data = {
            "pipeline": plan.name,
            "file": plan.path,
            "inputs": dict(inputs),
            "concurrency": settings.concurrency or plan.concurrency,
            "nodes": [node_json(plan, node) for node in nodes],
        }
        indent = 2 if output == "json" else None
        sys.stdout.write(json_text(data, indent))
    return 0


def flat_and_chosen(plan: Plan, only: Sequence[str], *, repeated: bool = True) -> tuple[Plan, list[PlannedNode]]:
    """The plan with what its nodes run, and what `--only` leaves of it, in order; raises UsageError."""
    chosen = select(plan, only)
    whole = flat(plan, repeated=repeated)
    if whole is plan:
        return plan, in_order(chosen)
    ids = {node.id for node in expanded(chosen, plan.subplans, only, repeated=repeated)}
    return whole, in_order([node for node in whole.nodes if node.id in ids])


def in_order(nodes: list[PlannedNode]) -> list[PlannedNode]:
    """As they would start with one slot: phase by phase, the longest chain first, needs always before what needs
    them."""
    phases = list(Phase)
    return sorted(nodes, key=lambda node: (phases.index(node.phase), -node.priority, node.index))


def _text(planned: Planned, nodes: list[PlannedNode], inputs: Mapping[str, Json], settings: RunSettings) -> str:
    plan = planned.plan
    lines = [
        f"would run {plural(len(nodes), 'node')} of {len(plan.nodes)}, at most "
        f"{settings.concurrency or plan.concurrency} at a time; nothing was started"
    ]
    for name, value in inputs.items():
        lines.append(safe(f"  input {name} = {json.dumps(value, ensure_ascii=False)}"))
    for number, node in enumerate(nodes, 1):
        after = ", ".join(own_needs(plan, node))
        head = f"{number}. {node.id} ({node.agent}) {shown_place(plan, node, planned.shown)}"
        lines += ["", safe(head + (f", after {after}" if after else ""))]
        lines += [f"     {line}" for line in _conditions(node)]
        lines += [f"     {safe(line)}" for line in how(node)]
    return "".join(f"{line}\n" for line in lines)


def _conditions(node: PlannedNode) -> list[str]:
    lines = []
    if node.phase is not Phase.NODES:
        when = "if the run fails" if node.phase is Phase.ON_FAILURE else "always, after everything else"
        lines.append(f"{node.phase}: {when}")
    if node.run_on is not RunOn.SUCCESS:
        lines.append(f"run_on: {node.run_on}")
    if node.when_text is not None:
        lines.append(safe(f"when: {node.when_text}"))
    if node.retry.max_attempts > 1:
        lines.append(f"up to {node.retry.max_attempts} attempts")
    if node.timeout is not None:
        lines.append(f"timeout: {node.timeout:g}s")
    return lines


def node_json(plan: Plan, node: PlannedNode) -> dict[str, Any]:
    """What is known of a node before it runs."""
    return {
        "id": node.id,
        "phase": str(node.phase),
        "agent": node.agent,
        **({"chosen": node.chosen} if node.chosen is not None else {}),
        **({"file": plan.file_of(node.part)} if node.part else {}),
        "line": node.line,
        "needs": own_needs(plan, node),
        "when": node.when_text,
        "run_on": str(node.run_on),
        "with": written(node.options.data),
        "env": written(node.env.data),
        "secrets": list(node.secrets),
        "max_attempts": node.retry.max_attempts,
        "timeout_s": node.timeout,
    }
