"""The gate of one provider: who asks it waits here, and what it answers decides how soon others go.

Asked for the first time, a request goes out as soon as limits allow. After a 429 all that ask the same model wait as
long as the service says, and fewer go at once until it answers again. After failures in a row nobody asks but one,
now and then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipe_runner.calls.counts import counted, fitting
from pipe_runner.calls.seams import Call
from pipe_runner.limits.allowance import Allowance
from pipe_runner.limits.breaker import PROBES, Breaker
from pipe_runner.limits.repeats import Repeats
from pipe_runner.models import ModelFault, ModelResponse, Reason, Usage, was_sent
from pipe_runner.ports import Attempt

DOWN: Final = frozenset({Reason.UNAVAILABLE, Reason.TIMED_OUT})
"""Faults that say nothing but that the service can't answer."""
LONGEST_PAUSE: Final = 120.0
"""Seconds that a service may ask to wait, at most; more, and the call fails with what it asked."""


_COUNTED: Final = frozenset({408, 429})
"""Statuses of refusals that services may count all the same."""


class Waits(NamedTuple):
    """How long calls wait, in seconds; tests make them short."""

    outage: float = 60.0
    """For a service that doesn't answer, since it stopped; then calls fail at once, but for those that try."""
    limited: float = 300.0
    """For one that limits its rate, since the call began, where its attempt has no timeout of its own."""
    pause: float = 1.0
    """After a 429 that says nothing, or to come at once; doubled each time."""
    probes: tuple[float, ...] = PROBES


class _Waiter(NamedTuple):
    future: asyncio.Future[bool]
    """True: it tries whether the service answers again."""
    repeat: bool
    model: str


class _Told:
    """What the service said to calls of one model: limits are often a model's."""

    __slots__ = ("limited", "slowed", "until")

    def __init__(self) -> None:
        self.until = 0.0
        """Until when nobody asks it."""
        self.slowed = -1.0
        """When it last said 429."""
        self.limited = 0
        """Its answers in a row that were a 429."""


def _refused(asked: float | None, pause: float, most: float) -> str | None:
    """Why a call that was told to come later, `pause` seconds after it began, doesn't; None: it does."""
    if asked is not None and asked > min(LONGEST_PAUSE, most):
        return f"; it asks to wait {_seconds(asked)} s, which is longer than this call may"
    if pause < most:
        return None
    said = "to wait" if asked is None else f"to wait {_seconds(max(asked, 0.0))} s"
    return f"; it asks {said}, which makes {_seconds(pause)} s in all, and this call may wait for {_seconds(most)} s"


def _seconds(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0") if number >= 1 else f"{round(number, 3):g}"


class ProviderGate:
    """Shared by all calls of one provider in this process."""

    def __init__(self, name: str, limits: Mapping[str, Any], waits: Waits | None = None) -> None:
        loop = asyncio.get_running_loop()
        self._loop, self._now = loop, loop.time
        self._name = name
        self._waits = waits or Waits()
        self._most = float(limits.get("concurrency") or "inf")
        self._requests = Allowance(limits["rpm"], self._now) if limits.get("rpm") else None
        self._tokens = Allowance(limits["tpm"], self._now) if limits.get("tpm") else None
        self._repeats = Repeats(self._now)
        self._breaker = Breaker(self._now, self._waits.probes)
        self._window = self._most
        """Calls in flight that the service seems to bear."""
        self._flying = 0
        self._told: dict[str, _Told] = {}
        """By model."""
        self._slowed = -1.0
        """When a 429 last made calls fewer."""
        self._limited = 0
        """Answers in a row that were a 429."""
        self._waiters: deque[_Waiter] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def through(
        self,
        attempt: Attempt,
        tokens: int,
        call: Call,
        *,
        model: str = "",
        longest: float | None = None,
    ) -> ModelResponse:
        """Perform the call when it may go out; see the port."""
        began, repeat = self._now(), attempt.number > 1
        again = False
        while True:
            if longest is not None:
                self._too_late(began + longest, model)
            trying = await self._enter(repeat and not again, model)
            sent = self._now()
            if not (repeat or again):
                self._repeats.first()
            requests = held = 0.0
            out = False
            try:
                if self._requests is not None:
                    requests = await self._requests.take(1)
                if self._tokens is not None:
                    held = await self._tokens.take(tokens)
                sent, out = self._now(), True
                answer = await call()
            except ModelFault as fault:
                self._not_used(fault, requests, held)
                self._failed(fault, sent, model, trying=trying)
                if fault.reason is not Reason.RATE_LIMITED or fault.begun:
                    raise
                most = self._waits.limited if attempt.timeout is None else attempt.timeout
                most = most if longest is None else min(most, longest)
                refused = _refused(fault.retry_after, self._until(model) - began, most)
                if refused is not None:
                    fault.message += refused
                    raise
                again = True
                continue
            except BaseException as error:
                if not (out and was_sent(error)):
                    self._give_back(requests, held)
                self._leave()
                if trying:
                    self._breaker.abandoned()
                self._wake()
                raise
            self._answered(model)
            self._give_back(0, _unused(held, answer.usage))
            return answer

    # ------------------------------------------------------------ in

    async def _enter(self, repeat: bool, model: str) -> bool:
        """Wait for a place; True where this call tries whether the service answers again."""
        if not repeat and not self._waiters and self._free() and self._now() >= self._until(model):
            self._flying += 1
            return False
        waiter = _Waiter(self._loop.create_future(), repeat, model)
        self._waiters.append(waiter)
        self._wake()
        try:
            return await waiter.future
        except asyncio.CancelledError as cancelled:
            if waiter.future.done() and not waiter.future.cancelled() and waiter.future.exception() is None:
                self._leave()  # its place had come in the same moment
                if waiter.future.result():
                    self._breaker.abandoned()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            cancelled.add_note(self._why(model))
            self._wake()
            raise

    def _free(self) -> bool:
        return self._breaker.opened is None and self._flying < min(self._most, max(1.0, self._window))

    def _until(self, model: str) -> float:
        """Until when a call waits, since the service said so."""
        told = self._told.get(model)
        return 0.0 if told is None else told.until

    def _wake(self) -> None:
        """Let out all that may go, and look again when time alone changes that."""
        self._waiters = deque(waiter for waiter in self._waiters if not waiter.future.done())
        if self._breaker.opened is not None:
            self._try()
        else:
            self._let_out()
        self._look_again()

    def _let_out(self) -> None:
        held: list[_Waiter] = []
        now = self._now()
        while self._waiters and self._free():
            waiter = self._waiters.popleft()
            if now < self._until(waiter.model) or (waiter.repeat and not self._repeats.take()):
                held.append(waiter)
                continue
            self._flying += 1
            waiter.future.set_result(False)
        self._waiters.extendleft(reversed(held))

    def _try(self) -> None:
        breaker, now = self._breaker, self._now()
        assert breaker.opened is not None
        if not breaker.probing and now >= breaker.due:
            for waiter in self._waiters:
                if now >= self._until(waiter.model) and (not waiter.repeat or self._repeats.take()):
                    breaker.probing = True
                    self._flying += 1
                    self._waiters.remove(waiter)
                    waiter.future.set_result(True)
                    break
        if now >= breaker.opened + self._waits.outage:
            for waiter in self._waiters:
                waiter.future.set_exception(ModelFault(Reason.UNAVAILABLE, self._why(waiter.model), sent=False))
            self._waiters.clear()

    def _look_again(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiters:
            return
        now, breaker = self._now(), self._breaker
        times = [self._until(model) for model in {waiter.model for waiter in self._waiters}]
        if breaker.opened is not None:
            times.append(breaker.opened + self._waits.outage)
            if not breaker.probing:
                times.append(breaker.due)
        if any(waiter.repeat for waiter in self._waiters) and self._repeats.wait() > 0:
            times.append(now + self._repeats.wait())
        later = [at for at in times if at > now]
        if later:
            self._timer = self._loop.call_at(min(later) + 0.001, self._wake)

    # ------------------------------------------------------------ out

    def _leave(self) -> None:
        self._flying -= 1

    def _give_back(self, requests: float, tokens: float) -> None:
        if self._requests is not None and requests:
            self._requests.give_back(requests)
        if self._tokens is not None and tokens:
            self._tokens.give_back(tokens)

    def _not_used(self, fault: ModelFault, requests: float, tokens: float) -> None:
        """Give back what the service can't have counted of a call that failed."""
        if not fault.sent:
            self._give_back(requests, tokens)
        elif fault.usage is not None:
            self._give_back(0, _unused(tokens, fault.usage))
        elif fault.status is not None and 400 <= fault.status < 500 and fault.status not in _COUNTED:
            self._give_back(0, tokens)

    def _answered(self, model: str) -> None:
        self._leave()
        if self._breaker.opened is not None:
            self._window = 2.0  # others follow it, twice as many each time, not all at once
        elif self._window < self._most:
            self._window += 1.0 if self._limited == 0 else 1.0 / max(1.0, self._window)
        self._breaker.answered()
        self._repeats.answered()
        self._limited = 0
        if model in self._told:
            self._told[model].limited = 0
        if self._waiters:
            self._wake()

    def _failed(self, fault: ModelFault, sent: float, model: str, *, trying: bool) -> None:
        self._leave()
        if fault.reason in DOWN:
            if trying or self._breaker.opened is None:  # of others it is known already
                self._breaker.failed(fault.message)
                if self._breaker.opened is not None:
                    self._repeats.silent()
        else:
            self._breaker.answered()
        if fault.reason is Reason.RATE_LIMITED:
            self._slow_down(fault.retry_after, sent, model)
        self._wake()

    def _slow_down(self, asked: float | None, sent: float, model: str) -> None:
        """Answers to calls that were sent before the last pause say nothing new."""
        now = self._now()
        if sent >= self._slowed:
            self._limited += 1
            self._window = max(1.0, min(self._window, float(self._flying + 1)) / 2)
            self._slowed = now
        told = self._told.setdefault(model, _Told())
        if sent >= told.slowed:
            told.limited += 1
            told.slowed = now
        pause = self._pause(asked, told.limited)
        told.until = max(told.until, now + min(pause, LONGEST_PAUSE))

    def _pause(self, asked: float | None, limited: int) -> float:
        """Seconds after as many answers in a row that were a 429; "at once" is not believed, and "soon" not twice."""
        ours: float = self._waits.pause * 2 ** min(limited - 1, 5)
        if asked is None or asked <= 0:
            return ours
        if asked < self._waits.pause:
            return max(asked, self._waits.pause / 20) if limited == 1 else max(asked, ours / 2)
        return asked

    def _too_late(self, until: float, model: str) -> None:
        """Raises where it is known that no call goes out by then."""
        now, breaker = self._now(), self._breaker
        if self._until(model) > max(now, until):
            raise ModelFault(Reason.RATE_LIMITED, self._why(model), sent=False)
        if breaker.opened is not None and (breaker.probing or breaker.due > now):
            raise ModelFault(Reason.UNAVAILABLE, self._why(model), sent=False)

    def _why(self, model: str) -> str:
        """Why calls wait, in a sentence."""
        breaker, now = self._breaker, self._now()
        if breaker.opened is not None:
            seconds = now - breaker.opened
            return f"provider {self._name} has not answered for {seconds:.0f} s; the last time it said: {breaker.why}"
        told = self._told.get(model)
        if told is not None and (told.until > now or told.limited):
            return f"provider {self._name} limits its rate, and asked to wait"
        return f"it waited for its turn at provider {self._name}"


def _unused(tokens: float, usage: Usage | None) -> float:
    """Of tokens that were taken, those that a call didn't use; none where it isn't known what it used."""
    if usage is None or not counted(usage):
        return 0.0
    used = fitting(usage)
    return max(tokens - used.input - used.output, 0.0)
