"""Options of an agent from what a task names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.routing.choices import Choice, Matched
from pipe_runner.routing.entities import Entity, of_role
from pipe_runner.routing.unseen import for_checks
from pipe_runner.routing.words import stems

if TYPE_CHECKING:
    from pipe_runner.routing.cards import Card

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SURE: Final = 0.5
"""From this score on, a capability was asked for by words of its own."""


def drawn(card: Card, things: tuple[Entity, ...], matched: Sequence[Matched]) -> dict[str, Any]:
    """The options that the task fills, as far as the agent takes them."""
    options: dict[str, Any] = {}
    checks = _checks(card.options[card.roles["checks"]], matched) if "checks" in card.roles else None
    for role, option in card.roles.items():
        schema = card.options[option]
        if role == "checks":
            value: Any = checks
        elif not for_checks(schema, checks):
            value = None
        elif role == "host":
            hosts = _places(card, things)
            several = len(hosts) > 1 and "hosts" in card.roles
            value = None if several else _value(role, schema, _suiting(card, option, role, hosts))
        elif role == "hosts" and "host" in card.roles and len(of_role(things, role)) == 1:
            value = None
        elif role == "hosts":
            value = _value(role, schema, _suiting(card, option, role, _places(card, things, option)))
        else:
            value = _value(role, schema, _suiting(card, option, role, of_role(things, role)))
        if value is not None:
            options[option] = value
    for option, beside in _beside(card, options):
        options[option] = beside
    asked = options.get(card.roles.get("checks", ""))
    if isinstance(asked, list):  # what is named is looked at, whatever else was asked for
        brought = [card.options[option].get("x-task-brings") for option in options]
        asked += [check for check in brought if check is not None and check not in asked]
    if not _fits(card, options):
        for option, schema in card.options.items():
            if isinstance(schema, dict) and "x-task-default" in schema and option not in options:
                options[option] = schema["x-task-default"]
    return fitting(card, options)[0]


def supposed(card: Card, things: tuple[Entity, ...], options: Mapping[str, Any]) -> str:
    """Which options have what no task said, and that it is so."""
    named = {one.value for one in things}
    said = {name: one for name, one in options.items() if "x-task-with" not in card.options[name] or one in named}
    told = [f"{option} {value}" for option, value in _beside(card, said) if options.get(option) == value]
    return f"; none is named, so {', '.join(told)}" if told else ""


def _beside(card: Card, options: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """What an option is where the task names nothing for its role, and something of another role (`x-task-with`)."""
    found = []
    for role, option in card.roles.items():
        schema = card.options[option]
        for other, value in schema.get("x-task-with", {}).items() if isinstance(schema, dict) else ():
            alike = "hosts" if role == "host" else role
            if card.roles.get(other) in options and not any(name in options for name in card.named(alike)):
                found.append((option, value))
    return found


def fitting(card: Card, options: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The options without those that the agent refuses, and the names of these."""
    kept, refused = dict(options), list[str]()
    for _ in range(len(options) + 1):
        wrong = _wrong(card, kept)
        if not wrong:
            break
        for name in wrong:
            refused.append(name)
            kept.pop(name, None)
    return kept, refused


def accepted(
    chosen: Sequence[Choice], cards: Mapping[str, Card], given: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], list[str]]:
    """The options of each choice with those that were given over them, and the given ones that none of them takes. One
    agent gets all of them; of several each gets those that it has."""
    if len(chosen) == 1:
        known = set(cards[chosen[0].agent].options)
        unknown = sorted(set(given) - known) if known else []
        return [{**chosen[0].options, **given}], unknown
    found, taken = [], set[str]()
    for one in chosen:
        own = {name: value for name, value in given.items() if name in cards[one.agent].options}
        taken.update(own)
        found.append({**one.options, **own})
    return found, sorted(set(given) - taken)


def lacking(card: Card, options: Mapping[str, Any]) -> list[str]:
    """Options that the agent needs and that are not given."""
    return [name for name in card.needs if name not in options]


def _fits(card: Card, options: Mapping[str, Any]) -> bool:
    """Whether the agent takes them; one by one they may be right, and together not enough."""
    try:
        return card.model is None or card.model.model_validate(dict(options)) is not None
    except Exception:
        return False


def _wrong(card: Card, options: Mapping[str, Any]) -> list[str]:
    if card.model is None:
        return []
    from pydantic import ValidationError

    try:
        card.model.model_validate(dict(options))
    except ValidationError as error:
        told = error.errors(include_url=False, include_context=False, include_input=False)
        named = [str(one["loc"][0]) for one in told if one["loc"] and one["type"] != "missing"]
        found = [name for name in dict.fromkeys(named) if name in options]
        whole = [one for one in told if not one["loc"]]
        return found or (_least(card, options) if whole else [])
    except Exception:  # a plugin's validator stumbles
        return list(options)
    return []


def _least(card: Card, options: Mapping[str, Any]) -> list[str]:
    """What goes where options contradict each other: what was only asked for, before what was named."""
    checks = card.roles.get("checks")
    return [checks] if checks is not None and checks in options else list(options)[-1:]


def _places(card: Card, things: tuple[Entity, ...], option: str | None = None) -> list[str]:
    """The hosts, with the ports that stand beside them where the agent takes both as one."""
    hosts = of_role(things, "hosts")
    if option is None or "ports" in card.roles:
        return hosts
    found = []
    for host in hosts:
        text = next(one.text for one in things if one.role == "hosts" and one.value == host)
        port = next((one.value for one in things if one.role == "ports" and one.text == text), None)
        whole = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        found.append(whole if port is not None and _is_taken(card, option, [whole]) else host)
    return found


def _suiting(card: Card, option: str, role: str, values: Sequence[str]) -> list[str]:
    """Those that the option takes, so that one that it doesn't costs no other."""
    schema = card.options[option]
    pattern = schema.get("x-task-pattern")
    kept = [one for one in values if not isinstance(pattern, str) or re.match(pattern, one)]
    if not kept or card.model is None or _is_taken(card, option, _value(role, schema, kept)):
        return kept
    return [one for one in kept if _is_taken(card, option, _value(role, schema, [one]))]


def _is_taken(card: Card, option: str, value: Any) -> bool:
    from pydantic import ValidationError

    if card.model is None:
        return True
    try:
        card.model.model_validate({option: value})
    except ValidationError as error:
        return not any(one["loc"][:1] == (option,) for one in error.errors(include_url=False, include_context=False))
    except Exception:  # a plugin's validator stumbles
        return False
    return True


def _value(role: str, schema: Mapping[str, Any], values: Sequence[str]) -> Any:
    if not values:
        return None
    lists = [one for one in schema.get("anyOf", ()) if isinstance(one, dict) and one.get("type") == "array"]
    if lists and len(values) > 1:  # one, or several
        schema = lists[0]
    if schema.get("type") == "array":
        items = schema.get("items", {})
        most = schema.get("maxItems")
        return [_one(role, items, value) for value in values[: most if isinstance(most, int) else None]]
    return _one(role, schema, values[0])


def _one(role: str, schema: Mapping[str, Any], value: str) -> Any:
    kind = schema.get("type")
    if role == "duration" and kind in ("integer", "number"):
        return int(value[:-1]) * _SECONDS[value[-1]]
    if role in ("ports", "processes") and kind == "integer" and value.isdigit():
        return int(value)
    if role == "ports" and kind is None and value.isdigit():
        return int(value)
    return value


def _last(one: Matched) -> str:
    return one.capability.rpartition(".")[2]


def _is_named(one: Matched) -> bool:
    """Whether the task has the capability's own name."""
    return set(stems(_last(one))) <= {stem for text in one.words for stem in stems(text)}


def _checks(schema: Mapping[str, Any], matched: Sequence[Matched]) -> list[str] | None:
    """Of what to look at: what the task asked for by words of its own, and nothing where it asked in general."""
    sure = [one for one in matched if one.score >= SURE]
    if not sure:
        return None
    items = schema.get("items", {})
    allowed = items.get("enum") if isinstance(items, dict) else None
    names = [_last(one) for one in matched if one.score >= max(sure[0].score * SURE, SURE) or _is_named(one)]
    kept = [name for name in dict.fromkeys(names) if not isinstance(allowed, list) or name in allowed]
    return kept or None
