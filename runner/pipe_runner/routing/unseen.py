"""What a task names and an agent does not look at: it is told, and never dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pipe_runner.routing.choices import AWAY, Unseen
from pipe_runner.routing.entities import NO_PORT, Entity
from pipe_runner.routing.surroundings import is_here

if TYPE_CHECKING:
    from pipe_runner.routing.cards import Card

_ASIDE: Final = frozenset({"percent", "domains", NO_PORT})
"""Roles of what is nothing to be looked at."""
_HERE: Final = "this agent measures the machine that it runs on"


def unseen(card: Card, options: Mapping[str, Any], things: Sequence[Entity]) -> tuple[Unseen, ...]:
    """What of the task's things is in none of the options."""
    found: dict[tuple[str, str], Unseen] = {}
    away = set()
    fetched = {one.text for one in things if one.role == "urls" and _is_fetched(card, options, one)}
    for one in things:
        if one.role == AWAY and (why := _away(card, options, one.value)) is not None:
            if why == _HERE and one.text in fetched:
                continue
            found.setdefault((AWAY, one.value), Unseen(one.value, why, AWAY))
            away.add(one.text)
    for one in things:
        if one.role == AWAY or one.role in _ASIDE or one.text in away:
            continue
        if one.role == "ports" and one.text in fetched:
            continue
        why = _left(card, options, one)
        if why is not None:
            found.setdefault((one.role, one.text), Unseen(one.text, why, one.role))
    return tuple(found.values())


def for_checks(schema: Mapping[str, Any], checks: Sequence[str] | None) -> bool:
    """Whether an option has a part in any of the checks that were asked for."""
    return checks is None or any(_concerns(schema, name) for name in checks)


def _concerns(schema: Mapping[str, Any], check: str) -> bool:
    only = schema.get("x-task-for")
    return check in only if isinstance(only, list) else check not in schema.get("x-task-not-for", ())


def _away(card: Card, options: Mapping[str, Any], host: str) -> str | None:
    """Why a host is not looked at, or not by all that is done."""
    if is_here(host):
        return None
    option = next((name for name in card.named("hosts") if _has(options.get(name), host)), None)
    if option is None:
        return _HERE
    schema = card.options[option]
    asked = options.get(card.roles.get("checks", ""))
    if isinstance(asked, list):
        others = [name for name in asked if not _concerns(schema, name)]
        looked = [name for name in asked if _concerns(schema, name)]
    else:
        looked = schema.get("x-task-for") or []
        others = ["the rest"] if looked else []
    return f"but for {', '.join(looked)}; {', '.join(others)}: of this machine" if others else None


def _left(card: Card, options: Mapping[str, Any], one: Entity) -> str | None:
    if one.role == "urls" and any(
        _has(options.get(name), urlsplit(one.value).hostname or "") for name in card.named("hosts")
    ):
        return None
    names = card.named(one.role)
    if one.role == "ports" and not names and _has_port(card, options, one.value):
        return None
    if _is_given(card, options, one):
        return None
    if one.role == "duration" and any(isinstance(options.get(name), int | float) for name in names):
        return None
    return f"{card.name} takes it by no option" if not names else f"{card.name} can't take it as it stands"


def _is_given(card: Card, options: Mapping[str, Any], one: Entity) -> bool:
    return any(_has(options.get(name), one.value) for name in card.named(one.role))


def _is_fetched(card: Card, options: Mapping[str, Any], one: Entity) -> bool:
    """Whether a URL is looked at, and so its host and its port, which are things of the same text."""
    checks = options.get(card.roles.get("checks", ""))
    brought = [card.options[name].get("x-task-brings") for name in card.named("urls")]
    return _is_given(card, options, one) and (
        not isinstance(checks, list) or any(b in (*checks, None) for b in brought)
    )


def _has(value: Any, wanted: str) -> bool:
    several, wanted = value if isinstance(value, list) else [value], wanted.lower()
    return any(
        str(one).lower() in (wanted, f"[{wanted}]") or _host(str(one)) == wanted for one in several if one is not None
    )


def _has_port(card: Card, options: Mapping[str, Any], port: str) -> bool:
    given = [options.get(name) for name in card.named("hosts")]
    return any(str(host).endswith(f":{port}") for one in given for host in (one if isinstance(one, list) else [one]))


def _host(value: str) -> str:
    """Without its port."""
    host, colon, port = value.lower().rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else value.lower()
