"""The gates of a process, by provider."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipe_runner.limits.gate import ProviderGate, Waits


class Gates:
    """Makes a gate when a provider is first asked. Runs that are given the same one share its limits."""

    def __init__(self, waits: Waits | None = None) -> None:
        self._waits = waits
        self._gates: dict[str, ProviderGate] = {}

    def get(self, name: str, limits: Mapping[str, Any]) -> ProviderGate:
        """The gate of a provider; `limits` are those of pipe.yml: `concurrency`, `rpm`, `tpm`."""
        found = self._gates.get(name)
        if found is None:
            found = self._gates[name] = ProviderGate(name, limits, self._waits)
        return found
