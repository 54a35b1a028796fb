"""Ids of spans that others know already: what a command or a service was told is the span that is made."""

from __future__ import annotations

from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator


class ChosenIds(IdGenerator):
    """Gives the id that was chosen for the next span, else a random one; all spans are of one trace."""

    def __init__(self, trace: str) -> None:
        self._trace = int(trace, 16)
        self._random = RandomIdGenerator()
        self.following: str | None = None

    def generate_trace_id(self) -> int:
        return self._trace

    def generate_span_id(self) -> int:
        chosen, self.following = self.following, None
        return int(chosen, 16) if chosen else self._random.generate_span_id()
