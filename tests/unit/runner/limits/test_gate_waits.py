"""How long calls wait after a 429: never without a pause, and only those of the model that was limited."""

from __future__ import annotations

import asyncio

import pytest

from pipe_runner.limits.gate import ProviderGate, Waits
from pipe_runner.models import Finish, ModelFault, ModelResponse, Reason, Usage
from pipe_runner.ports import Attempt

SHORT = Waits(outage=5.0, limited=1.0, pause=0.02, probes=(0.02, 0.04, 0.08))


def attempt(timeout: float | None = None) -> Attempt:
    return Attempt("r", "n", 1, "llm", {}, {}, "/", "k", timeout=timeout)


class Service:
    """Says 429 the first `times`, with `asked` seconds to wait."""

    def __init__(self, asked: float | None, times: int = 1_000_000) -> None:
        self.asked, self.times, self.seen = asked, times, 0

    async def call(self) -> ModelResponse:
        self.seen += 1
        if self.seen <= self.times:
            raise ModelFault(Reason.RATE_LIMITED, "429", retry_after=self.asked, status=429)
        return ModelResponse("ok", Finish.STOP, usage=Usage(1, 1))


@pytest.mark.few(2)
@pytest.mark.parametrize("asked", [0.0, -5.0, 0.0001, None])
@pytest.mark.parametrize("calls", [1, 10])
def test_v2_a_service_that_asks_for_no_wait_again_and_again_is_not_hammered(asked: float | None, calls: int) -> None:
    async def main() -> None:
        service, gate = Service(asked), ProviderGate("p", {}, SHORT)
        asking = (gate.through(attempt(), 10, service.call, model="a") for _ in range(calls))
        ends = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(end, ModelFault) for end in ends)
        assert service.seen <= calls + 10

    asyncio.run(main())


def test_a_service_that_asks_for_a_short_wait_once_is_asked_again_after_it() -> None:
    async def main() -> None:
        service = Service(0.05, times=1)
        gate = ProviderGate("p", {}, SHORT._replace(pause=0.8))
        began = asyncio.get_running_loop().time()
        assert (await gate.through(attempt(), 10, service.call)).text == "ok"
        assert asyncio.get_running_loop().time() - began < 0.7

    asyncio.run(main())


def test_a_call_that_gives_up_after_many_short_waits_says_how_long_it_waited() -> None:
    async def main() -> None:
        service, gate = Service(0.4), ProviderGate("p", {}, SHORT)
        with pytest.raises(ModelFault) as caught:
            await gate.through(attempt(timeout=0.5), 10, service.call)
        said = caught.value.message
        assert "asks to wait 0.4 s, which makes 0.8" in said, said
        assert said.endswith("this call may wait for 0.5 s")
        assert "longer than this call may" not in said

    asyncio.run(main())


def test_a_wait_holds_for_the_model_that_was_limited_and_for_no_other() -> None:
    async def main() -> None:
        limited, free = Service(30.0), Service(None, times=0)
        gate = ProviderGate("p", {}, SHORT)
        with pytest.raises(ModelFault):
            await gate.through(attempt(), 10, limited.call, model="a", longest=0.1)
        asked = [gate.through(attempt(), 10, free.call, model="b", longest=longest) for longest in (None, 0.1)]
        answers = await asyncio.wait_for(asyncio.gather(*asked), 1.0)
        assert [answer.text for answer in answers] == ["ok", "ok"]
        with pytest.raises(ModelFault, match="limits its rate"):
            await gate.through(attempt(), 10, limited.call, model="a", longest=0.1)
        assert limited.seen == 1

    asyncio.run(main())


def test_v2_a_service_that_stopped_is_tried_by_a_model_that_was_not_told_to_wait() -> None:
    async def main() -> None:
        limited, free = Service(30.0), Service(None, times=0)
        gate = ProviderGate("p", {}, SHORT)

        async def down() -> ModelResponse:
            raise ModelFault(Reason.UNAVAILABLE, "503", status=503)

        with pytest.raises(ModelFault):
            await gate.through(attempt(), 10, limited.call, model="a", longest=0.1)
        failing = (gate.through(attempt(), 10, down, model="b") for _ in range(8))
        waiting = [asyncio.ensure_future(one) for one in failing]
        await asyncio.sleep(0.05)
        answer = await asyncio.wait_for(gate.through(attempt(), 10, free.call, model="b"), 2.0)
        assert answer.text == "ok"
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(main())
