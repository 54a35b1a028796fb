"""What ticket.yml counts in a log, and what it lets a model look up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

SERVICES = Path(__file__).parent.parent / "support" / "services.json"


def counts(log: str) -> dict[str, dict[str, int]]:
    """How many lines of each level a service has in a log of `time level service text`."""
    found: dict[str, Counter[str]] = {}
    for line in log.splitlines():
        words = line.split(maxsplit=3)
        if len(words) == 4:
            found.setdefault(words[2], Counter())[words[1]] += 1
    return {service: dict(sorted(found[service].items())) for service in sorted(found)}


def look_up(service: str) -> dict[str, str | bool]:
    """Who owns a service, whether it pages at night, and what its runbook says."""
    services: dict[str, dict[str, str | bool]] = json.loads(SERVICES.read_text(encoding="utf-8"))
    if service not in services:
        raise KeyError(f"there is no service {service!r}, only {', '.join(services)}")
    return services[service]
