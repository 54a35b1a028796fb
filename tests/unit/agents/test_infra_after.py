"""`infrastructure_action` after its request: what was done is never told as not done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from infra_servers import Ops
from infra_servers.authority import Authority
from infra_servers.cloud import Cloud, instance
from infra_servers.cluster import Cluster, deployment, kubeconfig
from infra_servers.engine import Engine
from infra_servers.http import Reply, Request, serving
from infra_servers.units import Systemctl, unit

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

AWS = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "s3cret"}
REBOOT = {"action": "reboot_instance", "instance": "i-0000000a", "region": "eu-central-1"}
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"


def then(answers: Callable[[Request], Reply], method: str, change: Callable[[], None]) -> Callable[[Request], Reply]:
    """The same answers, and a change after the first request of that method."""

    def answered(request: Request) -> Reply:
        reply = answers(request)
        if request.method == method:
            change()
        return reply

    return answered


@pytest.mark.parametrize("reply", [Reply({"message": "starting"}, 503), Reply(delay=30)], ids=["refuses", "hangs"])
def test_a_container_that_was_acted_on_is_told_so_though_the_engine_says_no_more(tmp_path: Path, reply: Reply) -> None:
    engine = Engine()
    engine.add("web")
    answers = then(engine, "POST", lambda: engine.replies.update({"/containers/web/json": reply}))
    with serving(answers) as server:
        output = Ops(tmp_path, {"DOCKER_HOST": server.url}).act(
            action="restart_container", container="web", grace=0, timeout=0.5 if reply.delay else 60
        )
    assert engine.acted == ["restart web"]
    assert (output["performed"], output["after"]["state"], output["after"]["pid"]) == (True, "not known", None)
    assert output["summary"].startswith("web was running, was restarted, and is in a state that is not known (")


def test_a_container_that_is_gone_after_its_stop_was_stopped(tmp_path: Path) -> None:
    engine = Engine()
    engine.add("web")
    with serving(then(engine, "POST", engine.containers.clear)) as server:
        output = Ops(tmp_path, {"DOCKER_HOST": server.url}).act(action="stop_container", container="web")
    assert (output["performed"], output["changed"], output["after"]["state"]) == (True, True, "gone")
    assert output["summary"] == "web was running, was stopped, and is gone"


@pytest.mark.parametrize("status", [502, 503, 504])
def test_where_who_stands_between_gives_the_answer_nobody_knows(tmp_path: Path, status: int) -> None:
    engine = Engine()
    engine.add("web")
    engine.replies["/containers/web/stop"] = Reply({"message": "upstream"}, status)
    with serving(engine) as server, pytest.raises(NodeFault) as raised:
        Ops(tmp_path, {"DOCKER_HOST": server.url}).act(action="stop_container", container="web")
    assert raised.value.kind is ErrorKind.TIMEOUT
    assert f"(status {status}): upstream; nobody knows whether it was done" in raised.value.message


def test_a_service_that_was_restarted_is_told_so_though_systemd_says_no_more(tmp_path: Path) -> None:
    systemctl = Systemctl(tmp_path / "bin")
    systemctl.says(unit("web.service"))
    systemctl.put("after", "")
    output = Ops(tmp_path, {"PATH": f"{tmp_path}/bin"}).act(action="restart_service", service="web")
    assert (output["performed"], output["after"]["state"]) == (True, "not known")
    assert "was restarted, and is in a state that is not known (systemctl printed nothing" in output["summary"]


def test_where_systemctl_fails_and_says_no_more_nobody_knows(tmp_path: Path) -> None:
    systemctl = Systemctl(tmp_path / "bin")
    systemctl.says(unit("web.service"))
    systemctl.put("refused", "Failed to wait for response: Connection reset by peer")
    program = systemctl.folder / "systemctl"
    program.write_text(program.read_text().replace("exit 4", ": > units; exit 1"))
    with pytest.raises(NodeFault) as raised:
        Ops(tmp_path, {"PATH": f"{tmp_path}/bin"}).act(action="restart_service", service="web")
    assert raised.value.kind is ErrorKind.TIMEOUT
    assert "exited with 1" in raised.value.message
    assert "nobody knows whether it was done" in raised.value.message
    assert "nothing was done" not in raised.value.message


def test_a_deployment_that_was_changed_is_told_so_though_the_server_says_no_more(tmp_path: Path) -> None:
    authority, cluster = Authority(datetime.now(UTC)), Cluster()
    cluster.things["deployments"] = [deployment("web", 3, 3)]
    answers = then(cluster, "PATCH", lambda: cluster.replies.update({DEPLOYMENT: Reply({"message": "no"}, 503)}))
    tls = authority.sign("api", ["127.0.0.1"]).server(tmp_path, authority)
    with serving(answers, tls=tls) as server:
        path = kubeconfig(tmp_path / "config", server.url, authority, authority.sign("me", []))
        output = Ops(tmp_path, {"KUBECONFIG": str(path)}).act(action="scale_deployment", deployment="web", replicas=5)
    assert (output["performed"], output["after"]["state"], output["after"]["replicas"]) == (True, "not known", None)
    assert "was scaled to 5, and is in a state that is not known (" in output["summary"]


@pytest.mark.parametrize(("status", "code"), [(500, "InternalError"), (503, "Unavailable")])
def test_a_reboot_that_aws_fails_to_answer_may_have_been_done(tmp_path: Path, status: int, code: str) -> None:
    cloud = Cloud({"DescribeInstanceStatus": [instance("i-0000000a")], "RebootInstances": (status, code)})
    with serving(cloud) as server, pytest.raises(NodeFault) as raised:
        Ops(tmp_path, {"AWS_ENDPOINT_URL": server.url, **AWS}).act(**REBOOT)
    assert raised.value.kind is ErrorKind.TIMEOUT
    assert "nobody knows whether it was done" in raised.value.message
    assert "nothing was done" not in raised.value.message
    assert cloud.asked.count("RebootInstances") == 1


def test_a_reboot_that_was_accepted_is_told_so_though_aws_says_no_more(tmp_path: Path) -> None:
    cloud = Cloud({"DescribeInstanceStatus": [instance("i-0000000a")]})

    def answers(request: Request) -> Reply:
        reply = cloud(request)
        if cloud.asked[-1] == "RebootInstances":
            cloud.answers["DescribeInstanceStatus"] = (503, "Unavailable")
        return reply

    with serving(answers) as server:
        output = Ops(tmp_path, {"AWS_ENDPOINT_URL": server.url, **AWS}).act(**REBOOT)
    assert (output["performed"], output["after"]["state"]) == (True, "not known")


def test_a_dry_run_of_a_reboot_without_an_answer_has_done_nothing(tmp_path: Path) -> None:
    cloud = Cloud({"DescribeInstanceStatus": [instance("i-0000000a")], "RebootInstances": Reply(delay=30)})
    with serving(cloud) as server, pytest.raises(NodeFault) as raised:
        Ops(tmp_path, {"AWS_ENDPOINT_URL": server.url, **AWS}).act(**REBOOT, dry_run=True, timeout=1.5)
    assert raised.value.kind is ErrorKind.UNAVAILABLE
    assert raised.value.message.startswith("nothing was done: ")
