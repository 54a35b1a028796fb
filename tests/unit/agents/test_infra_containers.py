"""`infrastructure`: what it says of containers is what the engine said; and the actions on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from infra_servers import NOW, Ops, one, told
from infra_servers.engine import LONG, PODMAN, Engine
from infra_servers.http import HttpServer, Reply, serving

from pipe_agents.infrastructure_action import InfrastructureActionAgent
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

DAY = 86400
FRESH = "2026-09-21T14:13:00Z"
"""20 s before the time of these tests."""


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def server(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpServer]:
    with serving(engine, uds=str(tmp_path_factory.mktemp("s") / "d.sock")) as made:
        yield made


@pytest.fixture
def ops(tmp_path: Path, server: HttpServer) -> Ops:
    return Ops(tmp_path, {"DOCKER_HOST": server.url})


def look(ops: Ops, **options: Any) -> dict[str, Any]:
    return ops.look(checks=["containers"], **options)


def test_a_quiet_engine_gives_no_finding(ops: Ops, engine: Engine, server: HttpServer) -> None:
    engine.add("web", ports=[{"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"}])
    engine.add("done", "exited")
    output = look(ops)
    assert told(output) == {}
    measured = output["measurements"]["containers"]
    assert (measured["engine"], measured["version"], measured["api"]) == ("docker", "28.2.2", "1.47")
    assert (measured["total"], measured["running"], measured["exited"]) == (2, 1, 1)
    web = measured["containers"][0]
    assert (web["name"], web["ports"], web["memory_limit_bytes"]) == ("web", ["0.0.0.0:8080->80/tcp"], 2**28)
    assert (web["seconds_in_state"], web["started_at"]) == (3599.877, "2026-09-21T13:13:20Z")
    assert {request.method for request in server.asked} == {"GET"}
    assert {request.path.split("/")[1] for request in server.asked} == {"version", "v1.47"}


@pytest.mark.parametrize("about", [None, PODMAN], ids=["docker", "podman"])
def test_each_state_is_told(ops: Ops, engine: Engine, about: dict[str, Any] | None) -> None:
    engine.about = about or engine.about
    key = "Healthcheck" if about else "Health"
    log = [
        {"ExitCode": 0, "Output": "fine"},
        {"ExitCode": 1, "Output": "curl: (7) refused\npassword=hunter2secret " + "x" * 5000},
    ]
    engine.add("loop", "restarting", restarts=12, ExitCode=137)
    engine.add("young", restarts=6, StartedAt=FRESH)
    engine.add("often", restarts=6)
    engine.add("seldom", restarts=4)
    engine.add("sick", **{key: {"Status": "unhealthy", "FailingStreak": 4, "Log": log}})
    engine.add("fine", **{key: {"Status": "healthy", "FailingStreak": 0, "Log": log[:1]}})
    engine.add("starved", "exited", OOMKilled=True, ExitCode=137, host={"Memory": 64 * 2**20})
    engine.add("bad", "exited", ExitCode=2, host={"RestartPolicy": {"Name": "always"}})
    engine.add("killed", "exited", ExitCode=137, host={"RestartPolicy": {"Name": "always"}})
    engine.add("tried", "exited", ExitCode=1)
    engine.add("told", "exited", ExitCode=143)
    engine.add("long-ago", "exited", ExitCode=1, FinishedAt="2026-09-01T00:00:00Z")
    engine.add("never", "created", Error="port is already allocated")
    engine.add("still", "paused")
    engine.add("gone", "dead")
    output = look(ops)
    assert told(output) == {
        "container.restart_loop:loop": "high",
        "container.restart_loop:young": "high",
        "container.unhealthy:sick": "high",
        "container.oom_killed:starved": "high",
        "container.dead:gone": "high",
        "container.restarts:often": "medium",
        "container.exited:bad": "medium",
        "container.not_started:never": "medium",
        "container.exited:killed": "low",
        "container.exited:tried": "low",
        "container.paused:still": "low",
    }
    sick = one(output, "container.unhealthy:sick")
    assert sick["evidence"]["failing_streak"] == 4
    assert "hunter2" not in repr(output)
    assert sick["summary"].startswith("sick is unhealthy: 4 checks of its health in a row failed: curl: (7) refused")
    assert len(sick["evidence"]["health_output"]) < 550
    assert sick["suggestion"].startswith("podman" if about else "docker")
    assert one(output, "container.oom_killed:starved")["evidence"]["memory_limit_bytes"] == 64 * 2**20
    assert (
        "exit code 2, and is not started again although its policy is always"
        in one(output, "container.exited:bad")["summary"]
    )
    assert "137 (SIGKILL)" in one(output, "container.exited:killed")["summary"]
    measured = output["measurements"]["containers"]
    assert {k: measured[k] for k in ("total", "running", "restarting", "paused", "exited", "unhealthy")} == {
        "total": 15, "running": 5, "restarting": 1, "paused": 1, "exited": 6, "unhealthy": 1,
    }  # fmt: skip


def test_those_that_must_run_are_missed(ops: Ops, engine: Engine) -> None:
    engine.add("web")
    engine.add("db", "exited", ExitCode=0)
    assert told(look(ops, containers=["web", "db", "cache"])) == {
        "container.missing:cache": "high",
        "container.not_running:db": "high",
    }


def test_limits_images_and_disk(ops: Ops, engine: Engine) -> None:
    engine.images = [
        {"Id": "sha256:aa", "RepoTags": ["old:1"], "Created": int(NOW - 400 * DAY), "Size": 1000},
        {"Id": "sha256:bb", "RepoTags": [], "Created": int(NOW), "Size": 2 * 2**30},
        {"Id": "sha256:cc", "RepoTags": ["<none>:<none>"], "Created": int(NOW), "Size": 5},
    ]
    engine.replies["/system/df"] = Reply(
        {
            "LayersSize": 7,
            "Containers": [{"SizeRw": 3}, {}],
            "Volumes": [{"UsageData": {"Size": 11}}],
            "BuildCache": None,
        }
    )
    engine.add("a", image="app:latest", host={"Memory": 0}, image_id="sha256:aa")
    engine.add("b", image="app", host={"Memory": 0, "NanoCpus": 1_500_000_000})
    engine.add("c", image="app@sha256:00", host={"CpuQuota": 50_000, "CpuPeriod": 100_000}, image_id="sha256:dd")
    output = look(ops, disk_use=True)
    assert told(output) == {
        "container.no_memory_limit:docker": "low",
        "image.dangling:docker": "low",
        "image.old:docker": "low",
        "image.latest:docker": "info",
    }
    assert one(output, "container.no_memory_limit:docker")["evidence"]["names"] == ["a", "b"]
    assert one(output, "image.old:docker")["evidence"] == {"containers": 2, "oldest_days": 400.0, "names": ["a", "b"]}
    measured = output["measurements"]["containers"]
    assert measured["disk"] == {"images_bytes": 7, "containers_bytes": 3, "volumes_bytes": 11, "build_cache_bytes": 0}
    assert (measured["images"], measured["dangling_images"], measured["dangling_bytes"]) == (3, 2, 2 * 2**30 + 5)
    assert [c["cpu_limit"] for c in measured["containers"]] == [None, 1.5, 0.5]


def test_a_huge_list_is_counted_and_bounded(ops: Ops, engine: Engine) -> None:
    for number in range(1200):
        engine.add(f"c{number}")
    output = look(ops, timeout=60)
    measured = output["measurements"]["containers"]
    assert (measured["total"], measured["running"], len(measured["containers"])) == (1200, 1200, 1000)
    assert one(output, "containers.details:docker")["status"] == "unavailable"
    assert sum(container["inspected"] for container in measured["containers"]) == 300


@pytest.mark.parametrize(
    ("path", "reply", "why"),
    [
        ("/version", Reply(raw=b"<html>no engine</html>"), "with what is no JSON: <html>no engine</html>"),
        ("/version", Reply({"ApiVersion": "x"}), "with what is no JSON"),
        ("/version", Reply(None, 500, b"boom"), "with status 500: boom"),
        ("/version", Reply({"message": "no"}, 403), "refuses GET /version (status 403): no"),
        ("/containers/json", Reply(None, 500, b'{"message": "disk gone"}'), "with status 500: disk gone"),
        ("/containers/json", Reply(raw=b"[" * 100_000), "with what is no JSON"),
        ("/containers/json", Reply([], delay=30), "gave no whole answer within 0.5 s"),
    ],
)  # fmt: skip
def test_an_engine_that_answers_wrong_is_unavailable(
    ops: Ops, engine: Engine, path: str, reply: Reply, why: str
) -> None:
    engine.replies[path] = reply
    output = look(ops, timeout=0.5 if reply.delay else 60)
    assert told(output) == {"containers:docker": "unavailable"}
    assert why in output["findings"][0]["why"]
    assert output["measurements"]["containers"] is None


def test_an_engine_that_hangs_is_a_fault_where_containers_must_run(ops: Ops, engine: Engine) -> None:
    engine.replies["/version"] = Reply({}, delay=30)
    output = look(ops, timeout=0.5, containers=["web", "db"])
    assert told(output) == {"containers.silent:docker": "high", "containers:docker": "unavailable"}
    assert "whether web, db run can't be asked" in one(output, "containers.silent:docker")["summary"]


def test_answers_of_other_shapes_harm_nobody(ops: Ops, engine: Engine) -> None:
    engine.replies["/containers/json"] = Reply(
        [1, None, {}, {"Id": "../../etc", "Names": [7], "State": None}, {"Id": "ab", "Names": ["/\x1b[2Jx\n" * 200]}]
    )
    engine.replies["/containers/ab/json"] = Reply({"State": [], "HostConfig": 3, "RestartCount": -1, "Config": "x"})
    engine.replies["/images/json"] = Reply({"not": "a list"})
    output = look(ops)
    assert output["measurements"]["containers"]["total"] == 3
    assert one(output, "containers.details:docker")["status"] == "unavailable"


def test_without_a_socket_it_says_what_is_needed(tmp_path: Path) -> None:
    ops = Ops(tmp_path, {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    output = look(ops)
    assert one(output, "containers:docker")["why"] == f"{tmp_path}/none.sock is not there"
    for host in ("ssh://me@host", "fd://", "tcp://[", "http:///x"):
        assert told(look(ops, docker_host=host)) == {"containers:docker": "unavailable"}


def test_a_socket_that_may_not_be_opened_says_so(ops: Ops, server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    async def refused(*_: Any, **__: Any) -> Any:
        refuse()

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("anyio.connect_unix", refused)
    (finding,) = look(ops)["findings"]
    assert finding["why"].endswith("may not be opened by this user")
    assert finding["needs"].startswith("permission to read and write")


# ---------------------------------------------------------------- actions


def test_a_container_is_restarted_once(ops: Ops, engine: Engine) -> None:
    engine.add("web", restarts=3)
    output = ops.act(action="restart_container", container="web", grace=5)
    assert engine.acted == ["restart web"]
    assert (output["performed"], output["changed"]) == (True, True)
    assert output["before"]["pid"] == 4001
    assert output["after"]["pid"] == 4002
    assert output["before"]["since"] == LONG.partition(".")[0] + "Z"
    assert output["summary"] == "web was running, was restarted, and is running"


def test_where_there_is_nothing_to_do_that_is_said(ops: Ops, engine: Engine) -> None:
    engine.add("web")
    engine.replies["/containers/web/restart"] = Reply(status=304, raw=b"")
    output = ops.act(action="restart_container", container="web")
    assert output["changed"] is False
    assert output["summary"] == "web was running, there was nothing to restart, and is running"


def test_a_dry_run_does_nothing(ops: Ops, engine: Engine, server: HttpServer) -> None:
    engine.add("web")
    output = ops.act(action="stop_container", container="web", dry_run=True)
    assert (output["performed"], output["changed"], output["after"]) == (False, False, None)
    assert output["summary"] == "dry run: web is running, and would be stopped"
    assert {request.method for request in server.asked} == {"GET"}
    assert ops.act(action="stop_container", container="web")["after"]["exit_code"] == 143


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply({"message": "not allowed"}, 403), ErrorKind.REFUSED),
        (Reply({"message": "cannot stop"}, 500), ErrorKind.HTTP),
        (Reply(None, delay=30), ErrorKind.TIMEOUT),
    ],
)  # fmt: skip
def test_an_action_that_fails_is_not_asked_for_again(
    ops: Ops, engine: Engine, server: HttpServer, reply: Reply, kind: ErrorKind
) -> None:
    engine.add("web")
    engine.replies["/containers/web/stop"] = reply
    with pytest.raises(NodeFault) as raised:
        ops.act(action="stop_container", container="web", timeout=0.5 if reply.delay else 60, grace=0)
    assert raised.value.kind is kind
    assert [request.path for request in server.asked if request.method == "POST"] == ["/v1.47/containers/web/stop"]
    assert ("nobody knows whether it was done" in raised.value.message) == (kind is ErrorKind.TIMEOUT)


def test_what_is_not_there_is_not_found(ops: Ops) -> None:
    with pytest.raises(NodeFault) as raised:
        ops.act(action="stop_container", container="web")
    assert raised.value.kind is ErrorKind.NOT_FOUND


def test_x3_an_action_that_is_cancelled_ends_soon(ops: Ops, engine: Engine) -> None:
    engine.add("web")
    engine.replies["/containers/web/stop"] = Reply(None, delay=30)

    async def bounded() -> None:
        async with asyncio.timeout(0.3):
            await ops.perform(InfrastructureActionAgent, action="stop_container", container="web")

    began = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(bounded())
    assert time.monotonic() - began < 20
