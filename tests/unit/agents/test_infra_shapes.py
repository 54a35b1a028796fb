"""Whatever an engine, a cluster or a registry answers, no shape of it is a fault of ours, and no text is unbounded."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from infra_servers import NOW

from pipe_agents.infra import aws_parts, containers, kubernetes_findings, pods, rdap
from pipe_agents.infra.common import THRESHOLDS, Absent, Look, ago, bounded, moment, of_bytes, shown, stamp, together
from pipe_agents.infra.container_findings import of_container
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt, Context
from pipe_runner.testing import FakeClock

NAMES = (
    "metadata", "name", "namespace", "status", "spec", "conditions", "type", "reason", "message", "phase", "state",
    "waiting", "terminated", "lastState", "restartCount", "containerStatuses", "replicas", "availableReplicas", "State",
    "Status", "Health", "Log", "Output", "FailingStreak", "ExitCode", "HostConfig", "Memory", "Names", "Id", "Ports",
    "PrivatePort", "RestartCount", "StartedAt", "finishedAt", "exitCode", "lastTransitionTime", "creationTimestamp",
    "deletionTimestamp", "count", "series", "involvedObject", "ownerReferences", "kind", "services", "RestartPolicy",
    "deployments", "desiredCount", "runningCount", "rolloutState", "events",
)  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
    | st.sampled_from(["True", "Failed", "Pending", "Running", "running", "exited", "restarting", "unhealthy", "Ready",
                       "CrashLoopBackOff", "OOMKilled", "2026-09-21T14:00:00Z", "0001-01-01T00:00:00Z", "x" * 5000])
)  # fmt: skip
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)
things = st.dictionaries(st.sampled_from(NAMES), values, max_size=8)


def looking() -> Look:
    nothing: Any = None
    clock = FakeClock(int(NOW * 1e9))
    context = Context(lambda kind, data: None, nothing, clock, NoMasking(), {}, {}, "/")
    attempt = Attempt("r", "n", 1, "infrastructure", {}, {}, "/", "k")
    return Look({"timeout": 1}, THRESHOLDS, {}, True, attempt, context)


LOOK = looking()
some = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


def sound(findings: list[dict[str, Any]]) -> None:
    for one in findings:
        assert len(json.dumps(one)) < 20_000
        assert "\n" not in one["summary"]


@some
@given(st.lists(things, max_size=3))
def test_a_cluster_s_things(found: list[dict[str, Any]]) -> None:
    sound(pods.of_pods(LOOK, found))
    sound(kubernetes_findings.of_nodes(LOOK, found))
    sound(kubernetes_findings.of_events(LOOK, found))
    sound(kubernetes_findings.of_jobs(LOOK, found))
    for one in found:
        for kind in ("deployments", "statefulsets", "daemonsets"):
            sound(kubernetes_findings.of_workload(LOOK, kind, one))


@some
@given(things, st.none() | things, things)
def test_an_engine_s_containers(row: dict[str, Any], detail: dict[str, Any] | None, image: dict[str, Any]) -> None:
    one = containers.measured(LOOK, row, detail, {"None": image})
    assert len(json.dumps(one)) < 20_000
    for wanted in (False, True):
        sound(of_container(LOOK, one, wanted, "docker"))


@some
@given(things)
def test_services_of_ecs_and_registries(one: dict[str, Any]) -> None:
    sound(aws_parts._ecs_service(LOOK, "r/x", one))
    rdap.registries(one)


@given(st.text(max_size=50) | leaves)
def test_any_moment_is_read_or_is_none(text: Any) -> None:
    found = moment(text)
    assert found is None or stamp(found) is None or stamp(found).endswith("Z")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-09-21T14:13:20Z", NOW),
        ("2026-09-21T14:13:20.123456789Z", NOW + 0.123456),
        ("2026-09-21T16:13:20.5+02:00", NOW + 0.5),
        ("2026-09-21", NOW - 51_200),
        ("0001-01-01T00:00:00Z", None),
        ("yesterday evening", None),
        (None, None),
    ],
)
def test_moments(text: Any, seconds: float | None) -> None:
    assert moment(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


@given(st.text(max_size=3000))
def test_shown_text_is_bounded_and_one_line(text: str) -> None:
    found = shown(text, 100)
    assert len(found) < 130
    assert len(found.splitlines()) <= 1


def test_numbers_in_words() -> None:
    assert [ago(s) for s in (0, 119, 120, 7199, 7200, 172_799, 172_800)] == [
        "0 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 d",
    ]  # fmt: skip
    assert [of_bytes(n) for n in (5, 1024, 3 * 2**20, 2**30)] == ["5 bytes", "1.0 KiB", "3.0 MiB", "1.0 GiB"]


def test_findings_are_bounded_the_worst_first() -> None:
    from pipe_agents.findings import finding

    many = [finding("x", str(n), "low" if n else "critical", "s") for n in reversed(range(1500))]
    found = bounded(many, "x", "y")
    assert len(found) == 1001
    assert (found[0]["severity"], found[-1]["status"]) == ("critical", "unavailable")


def test_what_is_done_together_keeps_its_order_and_ends_at_the_first_fault() -> None:
    async def one(number: int) -> int:
        await asyncio.sleep(0.001 * (5 - number))
        if number == 9:
            raise Absent("no", "yes")
        return number

    async def run(*numbers: int) -> list[int]:
        return await together([lambda n=n: one(n) for n in numbers], at_once=3)  # type: ignore[misc]

    assert asyncio.run(run(0, 1, 2, 3, 4)) == [0, 1, 2, 3, 4]
    with pytest.raises(Absent):
        asyncio.run(run(0, 9, 2))
