"""What a run's calls of models may cost at most, as far as its file tells: for `pipe plan`. Asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipe_runner.calls.size import most_tokens
from pipe_runner.models import Message, ModelRequest, ProviderSettings
from pipe_runner.plan import MOST_OUT, FanOut, Plan, PlannedNode
from pipe_runner.spending.prices import ListedPrices
from pipe_runner.spent import nanos_up
from pipe_runner.subplans import members

_TIMES: Final = {"max_reasks": ("output_schema", 2), "max_iterations": ("tools", 10), "": ("explain", 1)}
"""Options that bound how often an agent asks again: beside which other option they count, and their default. That of
an explanation can't be set."""
_SENT: Final = frozenset(
    {"provider", "model", "system", "prompt", "max_tokens", "temperature", "top_p", "stop", "seed"}
)
"""Options with which the size of a request is known from the file."""


class NodeBound(NamedTuple):
    """What a node may cost at most."""

    node: str
    most: int | None
    """1e-9 dollars; None: nothing bounds it, and `why` says what isn't known."""
    calls: int | None = None
    why: str = ""
    by_budget: bool = False


class Bound(NamedTuple):
    """What a run may cost at most; `by_budget`: by its own."""

    nodes: tuple[NodeBound, ...]
    most: int | None
    by_budget: bool = False


class Unbounded(Exception):
    """The file doesn't say something of a node that would bound it; says why."""


def bound(plan: Plan, nodes: Sequence[PlannedNode], asking: Collection[str], environ: Mapping[str, str]) -> Bound:
    """`asking` names the agents that ask models; `nodes` are those that may run, sub-pipelines flattened."""
    found = tuple(_of_node(plan, node, environ) for node in nodes if _asks(node, asking))
    found += tuple(_of_repeated(plan, node) for node in nodes if _repeats_calls(plan, node, asking))
    costs = [one.most for one in found if one.most is not None]
    total = sum(costs) if len(costs) == len(found) else None
    limit = plan.budget.max_cost if plan.budget is not None else None
    if limit is not None and (total is None or limit < total):
        return Bound(found, limit, True)
    return Bound(found, total)


def _of_node(plan: Plan, node: PlannedNode, environ: Mapping[str, str]) -> NodeBound:
    limit = node.budget.max_cost if node.budget is not None else None
    try:
        calls, each = _calls(node), _each(plan, node, environ)
    except Unbounded as error:
        return NodeBound(node.id, limit, None, "" if limit is not None else str(error), limit is not None)
    most = calls * each
    if limit is not None and limit < most:
        return NodeBound(node.id, limit, calls, by_budget=True)
    return NodeBound(node.id, most, calls)


def _repeats_calls(plan: Plan, node: PlannedNode, asking: Collection[str]) -> bool:
    """Whether it runs a sub-pipeline that asks models for each of its items; the run lists none of its nodes."""
    if node.pipeline is None or node.fan_out is None:
        return False
    return any(_asks(one, asking) for one in members([node], plan.subplans))


def _asks(node: PlannedNode, asking: Collection[str]) -> bool:
    """An agent may ask for some of its nodes only; those have providers."""
    return node.pipeline is None and node.agent in asking and "provider" in _options(node)


def _of_repeated(plan: Plan, node: PlannedNode) -> NodeBound:
    limit = node.budget.max_cost if node.budget is not None else None
    why = "" if limit is not None else "what its sub-pipeline does for each item is known to the run alone"
    return NodeBound(node.id, limit, None, why, limit is not None)


def _options(node: PlannedNode) -> Mapping[str, Any]:
    return node.options.data if isinstance(node.options.data, dict) else {}


def _calls(node: PlannedNode) -> int:
    """Of all its items and attempts together, at most; of one choice."""
    return _items(node.fan_out) * node.retry.max_attempts * _rounds(node)


def _rounds(node: PlannedNode) -> int:
    """Calls in one attempt."""
    options, found = _options(node), 1
    for name, (beside, default) in _TIMES.items():
        if options.get(beside):
            times = options.get(name, default)
            if not isinstance(times, int):
                raise Unbounded(f"its `{name}` is known to the run alone")
            found *= 1 + times
    return found


def _items(fan_out: FanOut | None) -> int:
    if fan_out is None:
        return 1
    if isinstance(fan_out.items.data, list):
        return len(fan_out.items.data)
    raise Unbounded("how many items it has is known to the run alone")


def _each(plan: Plan, node: PlannedNode, environ: Mapping[str, str]) -> int:
    """What a call may cost, all choices that may be asked for it together; 1e-9 dollars."""
    options, total = _options(node), 0
    most_out = options.get("max_tokens") or MOST_OUT
    if not isinstance(most_out, int):
        raise Unbounded("its `max_tokens` is known to the run alone")
    for name, model in choices(plan, options):
        if not model:
            raise Unbounded(f"neither it nor provider {name} in pipe.yml names a model")
        prices = prices_of(plan, name, environ)
        read = _read(node, model, most_out)
        if read is None:
            read = prices.window(model)
        if read is None:
            raise Unbounded("the size of what it asks is known to the run alone")
        cost = prices.most(model, read, most_out)
        if cost is None:
            raise Unbounded(f"the price of model {model} of provider {name} is not known")
        total += nanos_up(cost)
    return total


def _read(node: PlannedNode, model: str, most_out: int) -> int | None:
    """Tokens that a call reads at most, where the file says all that is sent."""
    options = _options(node)
    texts = [options.get("system") or "", options.get("prompt")]
    if not options.keys() <= _SENT or not all(isinstance(text, str) for text in texts):
        return None
    messages = tuple(Message("user", text) for text in texts if text)
    return most_tokens(ModelRequest(model, messages, max_tokens=most_out)) - most_out


def choices(plan: Plan, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Providers and models; with lists of the same length by pairs, else each with each."""
    names, models = options.get("provider"), options.get("model")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Unbounded("its provider is known to the run alone")
    said = models if isinstance(models, list) else [models]
    if not all(model is None or isinstance(model, str) for model in said):
        raise Unbounded("its model is known to the run alone")
    pairs = zip(names, said, strict=True) if len(names) == len(said) > 1 else ((n, m) for n in names for m in said)
    for name, model in pairs:
        yield name, model or _written(plan, name).get("model") or ""


def _written(plan: Plan, name: str) -> Mapping[str, Any]:
    found = plan.services.get("providers", {}).get(name)
    return found if isinstance(found, dict) else {}


def prices_of(plan: Plan, name: str, environ: Mapping[str, str]) -> ListedPrices:
    """Without the provider itself: what pipe.yml and the usual variables say is enough."""
    options = dict(_written(plan, name))
    kind = options.get("type") or name
    if kind == "openai" and not options.get("base_url") and environ.get("OPENAI_BASE_URL"):
        options["base_url"] = environ["OPENAI_BASE_URL"]
    return ListedPrices(kind, ProviderSettings(name, options), options.get("prices") or {})
