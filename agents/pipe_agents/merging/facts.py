"""What findings and measurements say of ports, services and processes, in words that can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipe_agents.findings import Finding
from pipe_agents.merging.gather import Given
from pipe_agents.merging.texts import bounded

MOST: Final = 20_000
"""Values of measurements that are looked at."""


class Fact(NamedTuple):
    """One says this of that."""

    aspect: str
    """`port`, `http`, `service`, `process`, `container`."""
    subject: str
    """Normalised: the same for the same thing, whoever speaks of it."""
    value: str
    says: str
    """For people."""
    source: str
    """The result's name."""
    finding: str | None = None
    """The finding's id; none where it is a measurement."""


_OF_CHECKS: Final[tuple[tuple[str, str, str], ...]] = (
    (r"^tcp\.refused$", "port", "refused"),
    (r"^tcp\.(filtered|unreachable)$", "port", "silent"),
    (r"^(tcp\.slow|tls\.(?!failed|connect)\w+)$", "port", "open"),
    (r"^http\.(connect|no_answer)$", "http", "silent"),
    (r"^http\.(status|slow\w*|redirect\w*|downgrade|broken_body)$", "http", "answers"),
    (r"^(service|unit)\.(failed|inactive|missing|masked)$", "service", "down"),
    (r"^service\.(restarts|memory|stale)$", "service", "up"),
    (r"^processes\.missing$", "process", "absent"),
    (r"^container\.(dead|exited|not_running|not_started|missing)$", "container", "down"),
    (r"^container\.(unhealthy|restarts|no_memory_limit)$", "container", "up"),
)
"""Checks of the agents that measure, and what they say."""
_UP: Final = ("active", "running", "up", "activating", "reloading")
_DOWN: Final = ("inactive", "failed", "dead", "exited", "stopped", "created", "deactivating")
_PORTS: Final = {
    "open": "open",
    "refused": "refused",
    "closed": "refused",
    "filtered": "silent",
    "timeout": "silent",
    "silent": "silent",
    "unreachable": "silent",
}
_KINDS: Final = r"\.(service|socket|timer|mount|scope)$"


def of_findings(findings: Iterable[Finding]) -> Iterator[Fact]:
    for one in findings:
        if one["status"] == "unavailable":
            continue
        for pattern, aspect, value in _OF_CHECKS:
            if re.search(pattern, one["check"]):
                source = ", ".join(one["agents"])
                yield Fact(aspect, subject_of(aspect, one["subject"]), value, one["summary"], source, one["id"])
                break


def of_measurements(given: Iterable[Given]) -> Iterator[Fact]:
    for one in given:
        for item, host in _maps(one.measurements):
            yield from _facts(item, host, one.name)


def _maps(value: Any) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """Every map in a value, with the host that it or a map around it names; without recursion, up to a bound."""
    waiting: list[tuple[Any, str | None]] = [(value, None)]
    seen = 0
    while waiting and seen < MOST:
        here, host = waiting.pop()
        seen += 1
        if isinstance(here, Mapping):
            named = here.get("host")
            host = named if isinstance(named, str) else host
            yield here, host
            waiting += [(item, host) for item in here.values() if isinstance(item, Mapping | list)]
        elif isinstance(here, list):
            waiting += [(item, host) for item in here if isinstance(item, Mapping | list)]


def _facts(item: Mapping[str, Any], host: str | None, source: str) -> Iterator[Fact]:
    port, state = item.get("port"), item.get("state") or item.get("status") or item.get("active_state")
    if isinstance(port, int) and host and isinstance(state, str) and state in _PORTS:
        subject = subject_of("port", f"{host}:{port}")
        yield Fact("port", subject, _PORTS[state], f"{bounded(host, 200)}:{port} is {state}", source)
    url, answered = item.get("url"), item.get("status")
    if isinstance(url, str) and isinstance(answered, int) and not isinstance(answered, bool) and answered > 0:
        yield Fact("http", subject_of("http", url), "answers", f"{bounded(url, 200)} answered {answered}", source)
    name = next((item[key] for key in ("unit", "name") if isinstance(item.get(key), str)), None)
    if name and isinstance(item.get("pid"), int) and "rss_bytes" in item:
        says = f"the process {bounded(name, 200)} runs (pid {item['pid']})"
        yield Fact("process", subject_of("process", name), "running", says, source)
        return
    active = item.get("active") if isinstance(item.get("active"), str) else state
    if not name or not isinstance(active, str) or active not in (*_UP, *_DOWN):
        return
    if "unit" in item or "sub" in item or re.search(_KINDS, name):
        aspect = "service"
    elif "image" in item:
        aspect = "container"
    else:
        return
    value = "up" if active in _UP else "down"
    yield Fact(aspect, subject_of(aspect, name), value, f"{bounded(name, 200)} is {active}", source)


def subject_of(aspect: str, subject: str) -> str:
    """The same text for the same thing."""
    text = subject.strip().lower()
    if aspect in ("port", "http"):
        return place_of(text)
    if aspect == "service":
        return re.sub(_KINDS, "", text)
    if aspect == "process":
        return re.sub(r"\s*[(\[]?(pid )?\d+[)\]]?$", "", text).rpartition("/")[2]
    return text.removeprefix("/")


def place_of(text: str) -> str:
    """`host:port` of an address or a URL, in lower case."""
    scheme, there, rest = text.strip().lower().partition("://")
    rest = rest if there else scheme
    rest = re.split(r"[/?#\s]", rest, maxsplit=1)[0].rpartition("@")[2].removesuffix(".")
    if there and not re.search(r":\d+$", rest):
        rest += {"https": ":443", "wss": ":443"}.get(scheme, ":80")
    return rest


def host_of(text: str) -> str:
    """The host of an address or a URL; any other text is returned as it stands."""
    place = place_of(text)
    return re.sub(r":\d+$", "", place)
