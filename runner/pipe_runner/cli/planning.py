"""`pipe plan FILE`: what a run would do, in which order, and how long it would take. Runs nothing, connects nowhere.

The file is compiled anew (no kept plan is read, none is written), and of the state directory only logs are read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipe_runner.cli.boundary import say
from pipe_runner.cli.costs import Costs, costs, costs_json, costs_text
from pipe_runner.cli.history import table
from pipe_runner.cli.plans import shown_warnings
from pipe_runner.cli.preview import flat_and_chosen, node_json
from pipe_runner.cli.settings import cache_domain, concurrency, said, state_dir
from pipe_runner.cli.unpriced import tell_unpriced
from pipe_runner.cli.words import Given
from pipe_runner.console.words import one_line, plural, safe, seconds, short
from pipe_runner.errors import InvalidPipeline
from pipe_runner.reports.flat import own_needs, own_phases, owner_of
from pipe_runner.text import json_text
from pipe_runner.types import AUTO, Json, Phase

if TYPE_CHECKING:
    from pipe_runner.plan import Plan, PlannedNode
    from pipe_runner.reports.fates import Fate
    from pipe_runner.reports.forecast import Forecast
    from pipe_runner.reports.prospects import Prospect
    from pipe_runner.stores.durations import Past

_NAMED: Final = 8
"""Nodes that a line names before it only counts."""
_LONGEST_PATH: Final = 12
_MOST_LINES: Final = 40
_APPROVAL: Final = "approval"


class _Outlook(NamedTuple):
    """All that there is to tell."""

    plan: Plan
    shown: str
    nodes: Sequence[PlannedNode]
    """As one slot would take them."""
    inputs: Mapping[str, Json]
    concurrency: int
    fates: Mapping[int, Fate]
    forecast: Forecast
    past: Past
    cached: Mapping[int, Prospect]
    """What the cache holds for nodes with `cache:`, by index."""
    costs: Costs | None
    """Of calls of models, where there are any."""
    phases: Mapping[str, Phase]
    """Of each node in its own file, which may be a sub-pipeline."""

    @property
    def running(self) -> list[PlannedNode]:
        return [node for node in self.nodes if self.fates[node.index].may_run]


def plan(given: Given) -> int:
    """`pipe plan FILE`."""
    outlook = _outlook(given)
    if given.text("output") == "json":
        sys.stdout.write(json_text(_json(outlook)))
    else:
        sys.stdout.write("".join(f"{line}\n" for line in _text(outlook)))
    return 0


def _outlook(given: Given) -> _Outlook:
    from pipe_runner.cli.inputs import read_inputs
    from pipe_runner.cli.prospects import looked_up, with_hits
    from pipe_runner.compiler import compile_file
    from pipe_runner.registry import Registry
    from pipe_runner.reports.fates import fates
    from pipe_runner.reports.forecast import forecast
    from pipe_runner.stores.durations import past_durations

    file = given.must("file")
    registry = Registry.installed()
    compilation = compile_file(file, registry=registry)
    found = compilation.plan
    if found is None:
        raise InvalidPipeline(compilation.diagnostics)
    for one in shown_warnings(found, os.path.normpath(file)):
        say(safe(f"warning: {one}"))
    for told in tell_unpriced(found, compilation.document, registry):
        say(safe(f"warning: {told.path}:{told.line}:{told.column}: {told.code} {told.message}"))
    inputs = read_inputs(found, given)
    slots = concurrency(given) or found.concurrency
    whole, only = found, given.many("only")
    found, nodes = flat_and_chosen(whole, only, repeated=False)
    what = fates(found, nodes, inputs)
    # A state directory that nobody named is the project's, and then it has to lie in it.
    within = None if said(given, "state_dir", os.environ) is not None else found.root
    state = state_dir(given, found.root)
    past = past_durations(state, found.path, within)
    domain = cache_domain(given)
    cached = looked_up(whole, nodes, inputs, what, only=only, state=state, within=within, domain=domain)
    if past.seconds:  # what runs a sub-pipeline takes the time of that, and none itself
        past.seconds.update((node.id, 0.0) for node in nodes if node.pipeline is not None and node.fan_out is None)
    running = [node for node in nodes if what[node.index].may_run]
    phases = own_phases(whole)
    failing = {node.index for node in nodes if "." in node.id and phases[node.id] is Phase.ON_FAILURE}
    for node in nodes:
        if node.index in failing and what[node.index].may_run:
            what[node.index] = what[node.index]._replace(why=f"if {owner_of(node.id)} fails")
    outlook = forecast(found, running, with_hits(found, past.seconds, cached), slots, failing)
    asked = costs(found._replace(subplans=whole.subplans), running, registry, state, within)
    return _Outlook(found, os.path.normpath(file), nodes, inputs, slots, what, outlook, past, cached, asked, phases)


# ---------------------------------------------------------------- for people


def _text(outlook: _Outlook) -> Iterator[str]:
    plan, running = outlook.plan, outlook.running
    yield safe(
        f"{plan.name}: would run {plural(len(running), 'node')} of {len(plan.nodes)}, at most {outlook.concurrency} at "
        "a time; nothing was started"
    )
    for name, value in outlook.inputs.items():
        yield safe(f"  input {name} = {json.dumps(value, ensure_ascii=False)}")
    yield ""
    yield from table(_rows(outlook)).splitlines()
    yield ""
    yield from _choices(outlook)
    yield from _waves(outlook)
    yield from _times(outlook)
    yield from costs_text(outlook.costs)
    yield from _cache(outlook)
    yield from _decisions(outlook)
    yield from _asks(outlook)


def _choices(outlook: _Outlook) -> Iterator[str]:
    """Who was chosen for nodes of `agent: auto`, and why; who only the run can choose."""
    found = [node for node in outlook.running if node.chosen is not None or node.agent == AUTO]
    if not found:
        return
    yield "chosen for their tasks"
    for node in found:
        chosen: Any = node.chosen or ()
        for one in chosen:
            yield safe(f"  {node.id}: {one['agent']} (score {one['score']:g}): {one['why']}")
        if not chosen:
            yield safe(f"  {node.id}: when it runs, since a template, or a model, has a say in it")
    yield ""


def _rows(outlook: _Outlook) -> list[tuple[str, ...]]:
    wave_of = {node.index: number for number, wave in enumerate(outlook.forecast.waves, 1) for node in wave}
    rows: list[tuple[str, ...]] = [("#", "WAVE", "NODE", "AGENT", "TIME", "CACHE", "IF", "AFTER")]
    for number, node in enumerate(outlook.running, 1):
        past = outlook.past.seconds.get(node.id)
        time = seconds(past) if past is not None else "?"
        after = _names(own_needs(outlook.plan, node))
        found = _word(outlook.cached.get(node.index))
        row = (str(number), str(wave_of[node.index]), node.id, safe(node.agent), time, found, _if(outlook, node), after)
        rows.append(row)
    return rows if outlook.cached else [(*row[:5], *row[6:]) for row in rows]


def _word(found: Prospect | None) -> str:
    if found is None:
        return ""
    return str(found.found) if not found.hits or found.hits == found.items else f"{found.hits} of {found.items}"


def _if(outlook: _Outlook, node: PlannedNode) -> str:
    for phase in (outlook.phases[node.id], node.phase):
        if phase is not Phase.NODES:
            return str(phase)
    return "" if outlook.fates[node.index].verdict == "runs" else "perhaps"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _waves(outlook: _Outlook) -> Iterator[str]:
    waves = outlook.forecast.waves
    yield plural(len(waves), "wave")
    for number, wave in enumerate(waves[:_MOST_LINES], 1):
        phase = "" if wave[0].phase is Phase.NODES else f"{wave[0].phase}: "
        yield f"  {number}. {plural(len(wave), 'node')}: {phase}{_names([node.id for node in wave])}"
    yield from _more(len(waves))
    yield ""


def _more(count: int) -> Iterator[str]:
    if count > _MOST_LINES:
        yield f"  and {count - _MOST_LINES} more; `--output json` has them all"


def _times(outlook: _Outlook) -> Iterator[str]:
    forecast, past = outlook.forecast, outlook.past
    if not forecast.path:
        return
    steps = [node.id for node in forecast.path]
    if forecast.measured:
        guessed, times = frozenset(forecast.guessed), zip(steps, forecast.path_times, strict=True)
        steps = [f"{name} {'?' if name in guessed else seconds(time)}" for name, time in times]
    if len(steps) > _LONGEST_PATH:
        half = _LONGEST_PATH // 2
        steps = [*steps[:half], f"… {len(steps) - 2 * half} more …", *steps[-half:]]
    path = f"  {' → '.join(steps)}"
    if not forecast.measured:
        yield f"longest path: {plural(len(forecast.path), 'node')}, by number of nodes: no run of this file has times"
        yield path
    else:
        runs = "times of the last run" if past.runs == 1 else f"medians of the last {past.runs} runs"
        unsure = any(outlook.fates[node.index].verdict == "open" for node in outlook.running)
        condition = ", if every condition holds" if unsure else ""
        yield f"estimated time: {seconds(forecast.time)} at {outlook.concurrency} at a time, by the {runs}{condition}"
        if forecast.guessed:
            yield f"  no times yet, counted with {seconds(forecast.guess)} each: {_names(forecast.guessed)}"
        yield f"longest path: {seconds(forecast.path_time)} of it, which more at a time would not make shorter"
        yield path
    slots = f"more than {forecast.useful} at a time would change nothing"
    yield f"parallelism: {slots}" if forecast.useful > 1 else "parallelism: none, the nodes run one after the other"


def _cache(outlook: _Outlook) -> Iterator[str]:
    """Why a node is not in the cache, and what only the run can tell."""
    named = [(node, found) for node in outlook.running if (found := outlook.cached.get(node.index)) and found.why]
    if named:
        yield ""
        yield "not cached"
    for node, found in named[:_MOST_LINES]:
        word = "open" if found.found == "open" else "runs"
        yield f"  {node.id} {word}: {one_line(found.why)}"
    yield from _more(len(named))


def _decisions(outlook: _Outlook) -> Iterator[str]:
    for verdict, heading in (
        ("open", "decided by the run"),
        ("skipped", "would be skipped"),
        ("blocked", "would be blocked"),
        ("fails", "would fail"),
    ):
        named = [node for node in outlook.nodes if outlook.fates[node.index].verdict == verdict]
        if named:
            yield ""
            yield heading
        for node in named[:_MOST_LINES]:
            fate = outlook.fates[node.index]
            values = ", ".join(f"{name} = {short(value)}" for name, value in fate.values.items())
            yield f"  {node.id}: {one_line(fate.why)}{safe(f' ({values})') if values else ''}"
        yield from _more(len(named))


def _asks(outlook: _Outlook) -> Iterator[str]:
    """What somebody has to give: secrets, and a decision."""
    secrets = _secrets(outlook)
    if secrets:
        yield ""
        yield "secrets"
    for one in secrets:
        missing = " (not set)" if one["set"] is False else ""
        yield safe(f"  {one['name']} from {one['from']} {one['key']}{missing}: {_names(one['nodes'])}")
    approvals = [node.id for node in outlook.running if node.agent == _APPROVAL]
    if approvals:
        yield ""
        yield safe(f"waits for a person: {_names(approvals)}")


def _secrets(outlook: _Outlook) -> list[dict[str, Any]]:
    """The secrets that a run asks for, where each comes from, never a value; `set` is None where nobody looked.

    A run asks for those of every node before anything starts, whatever the conditions say."""
    found: list[dict[str, Any]] = []
    for source in outlook.plan.secrets:
        nodes = [node.id for node in outlook.nodes if source.name in node.secrets]
        if nodes:
            there = bool(os.environ.get(source.key)) if source.source == "env" else None
            found.append({"name": source.name, "from": source.source, "key": source.key, "set": there, "nodes": nodes})
    return found


# ---------------------------------------------------------------- as JSON


def _json(outlook: _Outlook) -> dict[str, Any]:
    plan, forecast = outlook.plan, outlook.forecast
    wave_of = {node.index: number for number, wave in enumerate(forecast.waves, 1) for node in wave}
    nodes = []
    for node in outlook.nodes:
        fate = outlook.fates[node.index]
        nodes.append(
            {
                **node_json(plan, node),
                "phase": str(phase if (phase := outlook.phases[node.id]) is not Phase.NODES else node.phase),
                "verdict": str(fate.verdict),
                "why": fate.why,
                "values": dict(fate.values),
                "wave": wave_of.get(node.index),
                "duration_s": outlook.past.seconds.get(node.id),
                "cache": found.to_json() if (found := outlook.cached.get(node.index)) else None,
            }
        )
    return {
        "pipeline": plan.name,
        "file": plan.path,
        "inputs": dict(outlook.inputs),
        "concurrency": outlook.concurrency,
        "nodes": nodes,
        "waves": [[node.id for node in wave] for wave in forecast.waves],
        "longest_path": {
            "nodes": [node.id for node in forecast.path],
            "duration_s": round(forecast.path_time, 6) if forecast.measured else None,
        },
        "estimate": {
            "duration_s": round(forecast.time, 6) if forecast.measured else None,
            "runs": outlook.past.runs,
            "unknown": [n.id for n in outlook.running if n.id not in outlook.past.seconds],
        },
        "cost": costs_json(outlook.costs),
        "useful_concurrency": forecast.useful,
        "secrets": _secrets(outlook),
        "approvals": [node.id for node in outlook.running if node.agent == _APPROVAL],
    }
