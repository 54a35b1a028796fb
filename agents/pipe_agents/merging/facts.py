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
    """`port`, `http`, `tls`, `service`, `process`, `container`, `host`."""
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
    (r"(^|\.)tcp\.(refused|closed)$", "port", "refused"),
    (r"(^|\.)tcp\.(filtered|silent|timeout|timed_out|unreachable)$", "port", "silent"),
    (r"(^|\.)tcp\.(open|unexpected_open|slow)$", "port", "open"),
    (r"(^|\.)http\.(refused|unreachable|failed|timeout|no_answer|unavailable)$", "http", "silent"),
    (r"(^|\.)http\.(status|slow|redirect\w*|\dxx|error_status|ok|server_error|client_error)$", "http", "answers"),
    (
        r"(^|\.)tls\.(expired|expires\w*|expiry|expiring|wrong_name|self_signed|untrusted|old_version\w*|name)$",
        "tls",
        "answers",
    ),
    (r"(^|\.)(systemd|services?|unit)\.(failed|inactive|dead|stopped|not_running|down)$", "service", "down"),
    (r"(^|\.)(systemd|services?|unit)\.(active|running|restart\w*|flapping)$", "service", "up"),
    (r"(^|\.)process(es)?\.(absent|missing|not_running|none)$", "process", "absent"),
    (r"(^|\.)process(es)?\.(cpu|memory|open_files|busy|large|\w*_high|running)$", "process", "running"),
    (r"(^|\.)containers?\.(exited|stopped|dead|down|not_running)$", "container", "down"),
    (r"(^|\.)containers?\.(running|unhealthy|restart\w*)$", "container", "up"),
)
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
        for item in _maps(one.measurements):
            yield from _facts(item, one.name)


def _maps(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every map in a value, without recursion, up to a bound."""
    waiting, seen = [value], 0
    while waiting and seen < MOST:
        here = waiting.pop()
        seen += 1
        if isinstance(here, Mapping):
            yield here
            waiting += [item for item in here.values() if isinstance(item, Mapping | list)]
        elif isinstance(here, list):
            waiting += [item for item in here if isinstance(item, Mapping | list)]


def _facts(item: Mapping[str, Any], source: str) -> Iterator[Fact]:
    host = next((item[key] for key in ("host", "target", "address") if isinstance(item.get(key), str)), None)
    port, state = item.get("port"), item.get("state") or item.get("status") or item.get("active_state")
    if isinstance(port, int) and host and isinstance(state, str) and state in _PORTS:
        subject = subject_of("port", f"{host}:{port}")
        yield Fact("port", subject, _PORTS[state], f"{bounded(host, 200)}:{port} is {state}", source)
    url, answered = item.get("url"), item.get("status")
    if isinstance(url, str) and isinstance(answered, int) and not isinstance(answered, bool) and answered > 0:
        yield Fact("http", subject_of("http", url), "answers", f"{bounded(url, 200)} answered {answered}", source)
    name = next((item[key] for key in ("unit", "service", "name") if isinstance(item.get(key), str)), None)
    active = item.get("active") if isinstance(item.get("active"), str) else state
    if not name or not isinstance(active, str) or active not in (*_UP, *_DOWN):
        return
    if "unit" in item or "service" in item or re.search(_KINDS, name):
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
    if aspect in ("port", "http", "tls"):
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
