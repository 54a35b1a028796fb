"""The gate of a provider: an outage sees hardly more requests than without repeats, and a 429 uses up no attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pipe_runner.errors import NodeFault
from pipe_runner.limits.gate import ProviderGate, Waits
from pipe_runner.models import Finish, ModelFault, ModelResponse, Reason, Usage, nothing_sent
from pipe_runner.ports import Attempt
from pipe_runner.types import ErrorKind

SHORT = Waits(outage=0.6, limited=5.0, pause=0.02, probes=(0.02, 0.04, 0.08))


def attempt(number: int = 1, timeout: float | None = None) -> Attempt:
    return Attempt("r", "n", number, "llm", {}, {}, "/", "k", timeout=timeout)


class Service:
    """Counts what reaches it, and answers as it is told; `most` is how many it saw at the same time."""

    def __init__(self, say: Callable[[int], ModelFault | None] = lambda n: None, seconds: float = 0.001) -> None:
        self.say, self.seconds = say, seconds
        self.seen = self.now = self.most = 0

    async def call(self) -> ModelResponse:
        self.seen += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(self.seconds)
            fault = self.say(self.seen)
        finally:
            self.now -= 1
        if fault is not None:
            raise fault
        return ModelResponse("ok", Finish.STOP, usage=Usage(1, 1))


def down(n: int = 0) -> ModelFault:
    return ModelFault(Reason.UNAVAILABLE, "503 from the service", status=503)


def limited(seconds: float | None = None) -> ModelFault:
    return ModelFault(Reason.RATE_LIMITED, "429", retry_after=seconds, status=429)


def run(main: Callable[[], Awaitable[Any]]) -> Any:
    return asyncio.run(main())  # type: ignore[arg-type]


async def node(gate: ProviderGate, service: Service, attempts: int) -> str:
    """A node with `retry`, as the scheduler makes its attempts."""
    for number in range(1, attempts + 1):
        try:
            return (await gate.through(attempt(number), 10, service.call)).text
        except ModelFault as fault:
            last = str(fault.reason)
    return last


@pytest.mark.parametrize("nodes", [40, 200])
def test_v2_an_outage_sees_at_most_a_tenth_more_requests_than_without_repeats(nodes: int) -> None:
    async def main() -> None:
        service = Service(down)
        gate = ProviderGate("p", {}, SHORT)
        ends = await asyncio.gather(*(node(gate, service, 5) for _ in range(nodes)))
        assert set(ends) == {"unavailable"}
        assert service.seen <= 1.1 * nodes

    run(main)


def test_v2_one_call_at_a_time_tries_and_all_go_on_when_it_is_answered() -> None:
    async def main() -> None:
        back = False
        service = Service(lambda n: None if back else down())
        gate = ProviderGate("p", {"concurrency": 4}, SHORT)
        first = await asyncio.gather(*(node(gate, service, 1) for _ in range(6)))
        assert "unavailable" in first
        service.most = 0
        waiting = [asyncio.ensure_future(node(gate, service, 1)) for _ in range(20)]
        await asyncio.sleep(0.1)
        assert service.most == 1
        back = True
        began = asyncio.get_running_loop().time()
        ends = await asyncio.gather(*waiting)
        assert ends.count("ok") >= 16
        assert asyncio.get_running_loop().time() - began < 0.5

    run(main)


def test_v2_a_wait_for_a_429_costs_no_attempt() -> None:
    async def main() -> None:
        service = Service(lambda n: limited(0.01) if n <= 3 else None)
        gate = ProviderGate("p", {}, SHORT)
        assert await node(gate, service, 1) == "ok"
        assert service.seen == 4

    run(main)


def test_after_a_429_all_wait_as_long_as_the_service_says() -> None:
    async def main() -> None:
        service = Service(lambda n: limited(0.2) if n == 1 else None)
        gate = ProviderGate("p", {}, SHORT)
        first = asyncio.ensure_future(node(gate, service, 1))
        await asyncio.sleep(0.02)
        others = [asyncio.ensure_future(node(gate, service, 1)) for _ in range(5)]
        await asyncio.sleep(0.1)
        assert service.seen == 1
        assert await asyncio.gather(first, *others) == ["ok"] * 6

    run(main)


def test_a_storm_of_429_makes_calls_fewer_and_not_more() -> None:
    async def main() -> None:
        bears = 3

        def say(n: int) -> ModelFault | None:
            return limited() if service.now > bears else None

        service = Service(say, seconds=0.01)
        gate = ProviderGate("p", {}, SHORT)
        ends = await asyncio.gather(*(node(gate, service, 1) for _ in range(60)))
        assert ends == ["ok"] * 60
        assert service.seen < 60 * 4

    run(main)


@pytest.mark.parametrize(("asked", "told"), [(3600.0, "3600"), (31_536_000.0, "31536000"), (1234.56, "1234.6")])
def test_a_wait_that_nobody_would_sit_out_fails_at_once_and_says_how_long(asked: float, told: str) -> None:
    async def main() -> None:
        service = Service(lambda n: limited(asked))
        gate = ProviderGate("p", {}, SHORT)
        with pytest.raises(ModelFault) as caught:
            await gate.through(attempt(), 10, service.call)
        assert caught.value.retry_after == asked
        assert f"it asks to wait {told} s" in caught.value.message
        assert service.seen == 1

    run(main)


def test_an_outage_that_lasts_fails_calls_at_once_and_says_since_when() -> None:
    async def main() -> None:
        service = Service(down)
        gate = ProviderGate("p", {}, SHORT)
        await asyncio.gather(*(node(gate, service, 1) for _ in range(8)))
        await asyncio.sleep(0.7)
        began = asyncio.get_running_loop().time()
        with pytest.raises(ModelFault, match=r"has not answered for 1 s; the last time it said: 503|503 from"):
            await gate.through(attempt(2), 10, service.call)
        with pytest.raises(ModelFault, match="503 from the service"):
            await gate.through(attempt(), 10, service.call)
        assert asyncio.get_running_loop().time() - began < 0.3

    run(main)


def test_a_call_that_is_cancelled_while_it_waits_leaves_its_place_to_others() -> None:
    async def main() -> None:
        service = Service(seconds=0.05)
        gate = ProviderGate("p", {"concurrency": 1}, SHORT)
        one = asyncio.ensure_future(node(gate, service, 1))
        await asyncio.sleep(0)
        two = asyncio.ensure_future(node(gate, service, 1))
        three = asyncio.ensure_future(node(gate, service, 1))
        await asyncio.sleep(0.01)
        two.cancel()
        assert await one == await three == "ok"
        with pytest.raises(asyncio.CancelledError) as caught:
            await two
        assert "waited for its turn at provider p" in "".join(caught.value.__notes__)
        assert service.seen == 2

    run(main)


def test_a_probe_that_is_cancelled_leaves_the_next_one_to_try() -> None:
    async def main() -> None:
        back = False
        service = Service(lambda n: None if back else down())
        gate = ProviderGate("p", {}, SHORT)
        await asyncio.gather(*(node(gate, service, 1) for _ in range(6)))
        service.seconds = 5.0
        probe = asyncio.ensure_future(node(gate, service, 1))
        await asyncio.sleep(0.1)
        probe.cancel()
        back, service.seconds = True, 0.001
        assert await asyncio.wait_for(node(gate, service, 1), 2) == "ok"

    run(main)


def test_a_call_that_fails_before_it_is_sent_leaves_its_place_to_others() -> None:
    async def main() -> None:
        service = Service()
        gate = ProviderGate("p", {"concurrency": 1}, SHORT)

        async def keyless() -> ModelResponse:
            await asyncio.sleep(0.01)
            raise NodeFault(ErrorKind.CREDENTIALS, "no key")

        lacking = asyncio.ensure_future(gate.through(attempt(), 10, keyless))
        await asyncio.sleep(0)
        other = asyncio.ensure_future(node(gate, service, 1))
        with pytest.raises(NodeFault):
            await lacking
        assert await asyncio.wait_for(other, 1) == "ok"

    run(main)


def test_no_more_calls_are_in_flight_than_the_project_says() -> None:
    async def main() -> None:
        service = Service(seconds=0.005)
        gate = ProviderGate("p", {"concurrency": 3}, SHORT)
        assert await asyncio.gather(*(node(gate, service, 1) for _ in range(30))) == ["ok"] * 30
        assert service.most == 3

    run(main)


def test_requests_and_tokens_of_a_minute_are_held() -> None:
    async def main() -> None:
        service = Service()
        gate = ProviderGate("p", {"rpm": 10}, SHORT)
        ten = asyncio.gather(*(node(gate, service, 1) for _ in range(10)))
        assert await asyncio.wait_for(ten, 2) == ["ok"] * 10
        eleventh = asyncio.ensure_future(node(gate, service, 1))
        await asyncio.sleep(0.1)
        assert service.seen == 10
        eleventh.cancel()

        counted = ProviderGate("q", {"tpm": 30}, SHORT)  # each sets 10 aside and uses 2
        assert await asyncio.wait_for(asyncio.gather(*(node(counted, service, 1) for _ in range(10))), 2)

    run(main)


@pytest.mark.parametrize(
    "fault",
    [
        ModelFault(Reason.REFUSED, "400", status=400),
        ModelFault(Reason.REFUSED, "no connection", sent=False),
        ModelFault(Reason.INVALID_OUTPUT, "cut off", usage=Usage(1, 1)),
    ],
    ids=["refused", "not sent", "counted"],
)
def test_calls_that_used_nothing_use_up_no_tokens_of_the_minute(fault: ModelFault) -> None:
    async def main() -> None:
        service = Service(lambda n: fault)
        gate = ProviderGate("p", {"tpm": 30}, SHORT)
        for _ in range(8):
            with pytest.raises(ModelFault):
                await asyncio.wait_for(gate.through(attempt(), 10, service.call), 1)
        assert service.seen == 8

    run(main)


def test_tokens_that_a_failed_call_may_have_used_stay_used() -> None:
    async def main() -> None:
        service = Service(lambda n: ModelFault(Reason.INVALID_OUTPUT, "500", status=500))
        gate = ProviderGate("p", {"tpm": 30}, SHORT)
        assert await asyncio.wait_for(asyncio.gather(*(node(gate, service, 1) for _ in range(3))), 2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(gate.through(attempt(), 10, service.call), 0.1)
        assert service.seen == 3

    run(main)


def test_who_is_stopped_before_its_call_is_sent_gives_back_its_turn_and_its_tokens() -> None:
    async def unsent() -> ModelResponse:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as cancelled:
            nothing_sent(cancelled, "no connection was free")
            raise
        raise AssertionError

    async def main() -> None:
        service = Service()
        gate = ProviderGate("p", {"rpm": 2, "tpm": 30}, SHORT)
        for tokens in (30, 30):
            stopped = asyncio.ensure_future(gate.through(attempt(), tokens, unsent))
            await asyncio.sleep(0.02)
            stopped.cancel()
            await asyncio.wait({stopped})
        assert await asyncio.wait_for(asyncio.gather(*(node(gate, service, 1) for _ in range(2))), 1)
        assert service.seen == 2

    run(main)


def test_who_can_ask_somebody_else_waits_briefly_for_a_service_that_limits_its_rate() -> None:
    async def main() -> None:
        service = Service(lambda n: limited(0.2))
        gate = ProviderGate("p", {}, SHORT)
        with pytest.raises(ModelFault) as caught:
            await gate.through(attempt(), 10, service.call, longest=0.1)
        assert (caught.value.reason, service.seen) == (Reason.RATE_LIMITED, 1)
        with pytest.raises(ModelFault, match="limits its rate") as caught:
            await gate.through(attempt(), 10, service.call, longest=0.1)
        assert (caught.value.sent, service.seen) == (False, 1), "it is known to be told the same"
        waited = Service(lambda n: limited(0.05) if n == 1 else None)
        again = ProviderGate("p", {}, SHORT)
        assert (await again.through(attempt(), 10, waited.call, longest=10.0)).text == "ok"

    run(main)


def test_another_model_of_the_provider_is_asked_while_one_is_limited() -> None:
    async def main() -> None:
        first, second = Service(lambda n: limited(3.0)), Service()
        gate = ProviderGate("p", {}, SHORT)
        waiting = asyncio.ensure_future(gate.through(attempt(), 10, first.call, model="a"))
        await asyncio.sleep(0.05)
        asked = (gate.through(attempt(), 10, second.call, model="b") for _ in range(4))
        answers = await asyncio.wait_for(asyncio.gather(*asked), 1.0)
        assert [answer.text for answer in answers] == ["ok"] * 4
        with pytest.raises(ModelFault):
            await gate.through(attempt(), 10, first.call, model="a", longest=0.1)
        assert (first.seen, second.seen) == (1, 4)
        waiting.cancel()

    run(main)


def test_another_model_that_is_limited_as_well_waits_as_long_as_it_was_told() -> None:
    async def main() -> None:
        first, second = Service(lambda n: limited(30.0)), Service(lambda n: limited(0.1) if n == 1 else None)
        gate = ProviderGate("p", {}, SHORT)
        with pytest.raises(ModelFault):
            await gate.through(attempt(), 10, first.call, model="a", longest=0.1)
        began = asyncio.get_running_loop().time()
        asked = [asyncio.ensure_future(gate.through(attempt(), 10, second.call, model="b"))]
        await asyncio.sleep(0.02)
        asked += [asyncio.ensure_future(gate.through(attempt(), 10, second.call, model="b"))]
        await asyncio.sleep(0.02)
        assert second.seen == 1
        assert [answer.text for answer in await asyncio.gather(*asked)] == ["ok", "ok"]
        assert 0.09 < asyncio.get_running_loop().time() - began < 2.0

    run(main)


def test_who_can_ask_somebody_else_does_not_wait_for_a_service_that_does_not_answer() -> None:
    async def main() -> None:
        service = Service(down)
        gate = ProviderGate("p", {}, SHORT)
        await asyncio.gather(*(node(gate, service, 1) for _ in range(8)))
        seen, began = service.seen, asyncio.get_running_loop().time()
        with pytest.raises(ModelFault):
            await gate.through(attempt(), 10, service.call, longest=5.0)
        assert service.seen <= seen + 1
        assert asyncio.get_running_loop().time() - began < SHORT.outage

    run(main)


def test_v1_a_call_whose_answer_had_begun_is_not_made_again_here() -> None:
    """It may have been paid for, and was set aside once."""

    async def main() -> None:
        begun = ModelFault(Reason.RATE_LIMITED, "throttled in its answer", begun=True)
        service = Service(lambda n: begun if n == 1 else None)
        with pytest.raises(ModelFault, match="in its answer"):
            await ProviderGate("p", {}, SHORT).through(attempt(), 10, service.call)
        assert service.seen == 1

    run(main)
