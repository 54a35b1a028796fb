"""What a run's calls of models may cost at most, as far as its file tells: for `pipe plan`. Asks nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipe_runner.calls.size import most_tokens
from pipe_runner.models import Message, ModelRequest, ProviderSettings
from pipe_runner.plan import MOST_OUT, Budget, FanOut, Plan, PlannedNode
from pipe_runner.spending.prices import ListedPrices
from pipe_runner.spent import nanos_up
from pipe_runner.subplans import members
from pipe_runner.types import AUTO

_TIMES: Final = {"max_reasks": ("output_schema", 2), "max_iterations": ("tools", 10), "": ("explain", 1)}
"""Options that bound how often an agent asks again: beside which other option they count, and their default. That of
an explanation can't be set."""
_ANY: Final = 2**53
"""Tokens: more than any call reads."""
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


class NoPrice(Unbounded):
    """Nobody knows a price: a budget that lets such a call out bounds nothing."""


def bound(plan: Plan, nodes: Sequence[PlannedNode], asking: Mapping[str, bool], environ: Mapping[str, str]) -> Bound:
    """`asking` names the agents that ask models, and says of each whether it is one of ours, which ask as often as is
    known here; `nodes` are those that may run, sub-pipelines flattened."""
    look = _Look(plan, asking, environ)
    found = tuple(look.of_node(node) for node in nodes if _asks(node, asking))
    found += tuple(look.of_repeated(node) for node in nodes if _repeats_calls(plan, node, asking))
    total = look.together(found)
    limit = look.limit(plan.budget)
    if limit is not None and (total is None or limit < total):
        return Bound(found, limit, True)
    return Bound(found, total)


class _Look:
    """What is known of a plan's nodes together."""

    def __init__(self, plan: Plan, asking: Mapping[str, bool], environ: Mapping[str, str]) -> None:
        self._plan, self._asking, self._environ = plan, asking, environ
        self._nodes = plan.by_id()
        self._unpriced: set[str] = set()
        """Nodes that may ask a model of unknown price, and those that run them; nothing stands for the run."""

    def of_node(self, node: PlannedNode) -> NodeBound:
        calls, why = None, ""
        most: int | None = None
        try:
            calls = self._calls(node)
            most = calls * _each(self._plan, node, self._environ)
        except Unbounded as error:
            calls, why = None, str(error)
            if isinstance(error, NoPrice):
                self._unpriced.update((node.id, *_owners(node.id), ""))
        return self._within(node, NodeBound(node.id, most, calls, why))

    def of_repeated(self, node: PlannedNode) -> NodeBound:
        """Of a node that runs a sub-pipeline for each of its items; what that asks is not looked at."""
        why = "what its sub-pipeline does for each item is known to the run alone"
        self._unpriced.update((node.id, *_owners(node.id), ""))
        return self._within(node, NodeBound(node.id, None, None, why))

    def together(self, found: Sequence[NodeBound]) -> int | None:
        """The sum; of what a sub-pipeline runs no more than its budget, or that of its node, leaves."""
        inside: dict[str, list[int | None]] = {"": []}
        for one in found:
            for owner in _owners(one.node):
                inside.setdefault(owner, [])
            inside.setdefault(_owner(one.node), []).append(one.most)
        for owner in sorted(inside, key=lambda id: -id.count(".")):
            if owner:
                inside[_owner(owner)].append(_least(_sum(inside[owner]), self._limit_of(self._nodes[owner], owner)))
        return _sum(inside[""])

    def limit(self, budget: Budget | None, of: str = "") -> int | None:
        """What a budget lets all cost that `of` asks, where it says that, and lets nothing out that it can't count."""
        if budget is None or (budget.unknown_cost and of in self._unpriced):
            return None
        return budget.max_cost

    def _within(self, node: PlannedNode, found: NodeBound) -> NodeBound:
        """The bound, or that of a budget in which the node stands, where that is less."""
        limit = self._limit_of(node, node.id)
        for owner in _owners(node.id):
            limit = _least(limit, self._limit_of(self._nodes[owner], node.id))
        if limit is None or (found.most is not None and found.most <= limit):
            return found
        return found._replace(most=limit, why="", by_budget=True)

    def _limit_of(self, node: PlannedNode, of: str) -> int | None:
        """What a node's budget says, and that of the sub-pipeline which it runs, for each of its items."""
        own = self.limit(node.budget, of)
        if node.pipeline is None:
            return own
        each = self.limit(self._plan.subplans[node.pipeline].budget, of)
        try:
            return _least(own, None if each is None else each * _items(node.fan_out))
        except Unbounded:
            return own

    def _calls(self, node: PlannedNode) -> int:
        """Of all its items and attempts together, at most; of one choice. A node in a sub-pipeline is tried anew with
        each attempt of what runs that."""
        if not self._asking[node.agent]:
            raise Unbounded(f"how often the agent {node.agent} asks is known to it alone")
        found = _items(node.fan_out) * node.retry.max_attempts * _rounds(node)
        for owner in _owners(node.id):
            found *= self._nodes[owner].retry.max_attempts
        return found


def _owner(id: str) -> str:
    """The node that runs this one; nothing for a node of the pipeline's own."""
    return id.rpartition(".")[0]


def _owners(id: str) -> Iterator[str]:
    """The nodes that run this one, from the inside to the outside."""
    while id := _owner(id):
        yield id


def _sum(costs: Sequence[int | None]) -> int | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _least(one: int | None, other: int | None) -> int | None:
    return min((cost for cost in (one, other) if cost is not None), default=None)


def _repeats_calls(plan: Plan, node: PlannedNode, asking: Collection[str]) -> bool:
    """Whether it runs a sub-pipeline that asks models for each of its items; the run lists none of its nodes."""
    if node.pipeline is None or node.fan_out is None:
        return False
    return any(_asks(one, asking) for one in members([node], plan.subplans))


def _asks(node: PlannedNode, asking: Collection[str]) -> bool:
    """An agent may ask for some of its nodes only; those have providers."""
    return node.pipeline is None and node.agent in asking and "provider" in _options(node)


def _options(node: PlannedNode) -> Mapping[str, Any]:
    return node.options.data if isinstance(node.options.data, dict) else {}


def _rounds(node: PlannedNode) -> int:
    """Calls in one attempt."""
    options = _options(node)
    if node.agent == AUTO:
        return _rounds_of_choice(options)
    if any(_tool_asks(tool) for tool in options.get("tools") or ()):
        raise Unbounded("how often its model has a tool ask a model is known to the run alone")
    found = 1
    for name, (beside, default) in _TIMES.items():
        if options.get(beside):
            times = options.get(name, default)
            if not isinstance(times, int):
                raise Unbounded(f"its `{name}` is known to the run alone")
            found *= 1 + times
    return found


def _rounds_of_choice(options: Mapping[str, Any]) -> int:
    """Of `auto`: a model is asked who is to be chosen, as `llm` is asked for a value."""
    given: list[Any] = [options.get("options"), *(one.get("options") for one in options.get("chosen") or ())]
    if any(isinstance(one, dict) and one.get("explain") not in (None, False) for one in given):
        raise Unbounded("who is chosen for it, and has a model explain, is known to the run alone")
    return 1 + _TIMES["max_reasks"][1]


def _tool_asks(tool: Any) -> bool:
    """Whether it is an agent that asks models: the compiler has put the node's providers into its options."""
    given = tool.get("with") if isinstance(tool, dict) else None
    return isinstance(given, dict) and "provider" in given and given.get("explain") is not False


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
        cost = prices.most(model, _ANY if read is None else read, most_out)
        if cost is None:
            raise NoPrice(f"the price of model {model} of provider {name} is not known")
        if read is None and cost != prices.most(model, 0, most_out):  # what it reads is not free
            raise Unbounded("the size of what it asks is known to the run alone")
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
