"""`infrastructure`: what it says of a cluster is what the API said; accounts, refusals, pages; and the actions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from infra_servers import NOW, Ops, one, told
from infra_servers.authority import Authority
from infra_servers.cluster import Cluster, container, deployment, ended, event, kubeconfig, node, pod
from infra_servers.http import HttpServer, Reply, serving

from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(datetime.now(UTC))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def server(cluster: Cluster, authority: Authority, tmp_path: Path) -> Iterator[HttpServer]:
    certificate = authority.sign("api", ["127.0.0.1", "api.internal"])
    with serving(cluster, tls=certificate.server(tmp_path, authority)) as made:
        yield made


@pytest.fixture
def ops(tmp_path: Path, server: HttpServer, authority: Authority) -> Ops:
    path = kubeconfig(tmp_path / "config", server.url, authority, authority.sign("me", []))
    return Ops(tmp_path, {"KUBECONFIG": str(path)})


def look(ops: Ops, **options: Any) -> dict[str, Any]:
    return ops.look(checks=["kubernetes"], **options)


def test_a_quiet_cluster_gives_no_finding(ops: Ops, cluster: Cluster, server: HttpServer) -> None:
    cluster.things["nodes"] = [node("n1"), node("n2")]
    cluster.things["pods"] = [pod("web-1", "Running", container(restarts=2)), pod("job-1", "Succeeded")]
    cluster.things["deployments"] = [deployment("web", 3, 3)]
    cluster.things["events"] = [event("Pulled", "ok", "Normal"), event("BackOff", "old", at="2026-09-20T00:00:00Z")]
    output = look(ops)
    assert told(output) == {}
    assert output["measurements"]["kubernetes"] == {
        "server": f"127.0.0.1:{server.port}", "context": "lab", "version": "v1.33.4+k3s1", "namespace": None,
        "nodes": 2, "nodes_ready": 2, "pods": 2, "pods_by_phase": {"Running": 1, "Succeeded": 1}, "pods_not_ready": 0,
        "restarts": 2, "deployments": 1, "deployments_available": 1, "warnings": 1, "truncated": [],
    }  # fmt: skip
    assert {request.method for request in server.asked} == {"GET"}
    assert {request.query.get("limit") for request in server.asked} == {None, "500"}


def test_nodes_workloads_and_events(ops: Ops, cluster: Cluster) -> None:
    cluster.things["nodes"] = [
        node("n1", "Unknown"), node("n2", DiskPressure="True"), node("n3", spec={"unschedulable": True}), node("n4"),
    ]  # fmt: skip
    rolling = {"type": "Available", "status": "True", "lastTransitionTime": "2026-09-21T14:00:00Z"}
    lost = {**rolling, "status": "False"}
    late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    cluster.things["deployments"] = [
        deployment("down", 2, 0, lost),
        deployment("less", 3, 1, lost),
        deployment("rolls", 3, 2, rolling),
        deployment("young", 3, 0, lost, creationTimestamp="2026-09-21T14:12:00Z"),
        deployment("stuck", 3, 3, late),
        deployment("off", 0, 0),
    ]
    cluster.things["statefulsets"] = [deployment("db", 3, 2), deployment("queue", 3, 2)]
    cluster.things["statefulsets"][1]["status"] |= {"currentRevision": "a", "updateRevision": "b"}
    given_up = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}
    for name, at in (("import", "2026-09-21T14:00:00Z"), ("ancient", "2026-08-01T00:00:00Z")):
        job = {"metadata": {"name": name, "namespace": "default"}, "spec": {}}
        status = {"failed": 7, "conditions": [{**given_up, "lastTransitionTime": at}]}
        cluster.things["jobs"].append({**job, "status": status})
    daemons = {"metadata": {"name": "log", "namespace": "kube-system"}, "spec": {}}
    cluster.things["daemonsets"] = [
        {**daemons, "status": {"desiredNumberScheduled": 4, "numberAvailable": 3, "updatedNumberScheduled": 4}}
    ]
    cluster.things["events"] = [
        event("BackOff", "restarting failed container", count=40),
        event("FailedScheduling", "0/4 nodes are available"),
        event("BackOff", "again", count=2),
    ]
    output = look(ops)
    assert told(output) == {
        "node.not_ready:n1": "critical",
        "deployment.unavailable:default/down": "critical",
        "node.pressure:n2": "high",
        "deployment.unavailable:default/less": "high",
        "deployment.stuck:default/stuck": "high",
        "statefulset.unavailable:default/db": "high",
        "daemonset.unavailable:kube-system/log": "high",
        "deployment.unavailable:default/rolls": "medium",
        "deployment.unavailable:default/young": "medium",
        "statefulset.unavailable:default/queue": "medium",
        "job.failed:default/import": "medium",
        "node.cordoned:n3": "low",
        "events.warning:default": "low",
    }
    assert "is not ready for 2 h" in one(output, "node.not_ready:n1")["summary"]
    assert one(output, "deployment.unavailable:default/less")["evidence"]["available"] == 1
    events = one(output, "events.warning:default")["evidence"]
    assert (events["events"], events["by_reason"]) == (3, {"BackOff": 42, "FailedScheduling": 1})
    assert output["measurements"]["kubernetes"]["warnings"] == 43
    assert output["measurements"]["kubernetes"]["deployments_available"] == 2


def test_what_is_wrong_with_one_of_several_containers_of_a_pod_has_an_id_of_its_own(ops: Ops, cluster: Cluster) -> None:
    bad, fine = {"restarts": 1, "lastState": ended("OOMKilled", 137)}, {"restarts": 0}
    found = []
    for web in (bad, fine):
        cluster.things["pods"] = [pod("two", "Running", container("web", **web), container("log", **bad))]
        found.append(set(told(look(ops))))
    assert found == [
        {"pod.oom_killed:default/two/web", "pod.oom_killed:default/two/log"},
        {"pod.oom_killed:default/two/log"},
    ]


def test_pods(ops: Ops, cluster: Cluster) -> None:
    loop = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}}
    no_image = {"waiting": {"reason": "ImagePullBackOff", "message": "pull access denied"}}
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/4 nodes: too little memory",
    }
    young = {"creationTimestamp": "2026-09-21T14:13:00Z"}
    cluster.things["pods"] = [
        pod("loop", "Running", container(restarts=31, ready=False, state=loop, lastState=ended("Error", 1))),
        pod("image", "Pending", container(ready=False, state=no_image)),
        pod("config", "Pending", container(ready=False, state={"waiting": {"reason": "CreateContainerConfigError"}})),
        pod("pending", "Pending", conditions=[unscheduled]),
        pod("young", "Pending", conditions=[unscheduled], about=young),
        pod("oom", "Running", container(restarts=1, lastState=ended("OOMKilled", 137))),
        pod("oom-old", "Running", container(restarts=1, lastState=ended("OOMKilled", 137, "2026-09-01T00:00:00Z"))),
        pod("often", "Running", container(restarts=5, lastState=ended("Error", 1))),
        pod("often-old", "Running", container(restarts=9, lastState=ended("Error", 1, "2026-09-01T00:00:00Z"))),
        pod("unready", "Running", container(ready=False)),
        pod("evicted", "Failed", reason="Evicted", message="The node was low on resource: memory."),
        pod("failed", "Failed", container(ready=False, state=ended("Error", 4))),
        pod(
            "try-1",
            "Failed",
            container(ready=False, state=ended("Error", 1)),
            about={"ownerReferences": [{"kind": "Job"}]},
        ),
        pod("lost", "Unknown"),
        pod("going", "Running", container(), about={"deletionTimestamp": "2026-09-21T13:13:20Z"}),
        pod("fine", "Running", container(restarts=4)),
        pod("done", "Succeeded", container(ready=False, state=ended("Completed", 0))),
    ]
    output = look(ops)
    assert told(output) == {
        "pod.config:default/config": "high",
        "pod.crash_loop:default/loop": "high",
        "pod.image:default/image": "high",
        "pod.oom_killed:default/oom": "high",
        "pod.pending:default/pending": "high",
        "pod.unknown:default/lost": "high",
        "pod.evicted:default/evicted": "medium",
        "pod.failed:default/failed": "medium",
        "pod.not_ready:default/unready": "medium",
        "pod.restarts:default/often": "medium",
        "pod.terminating:default/going": "medium",
        "pod.restarts:default/often-old": "low",
        "pod.failed:default/try-1": "low",
    }
    assert "31 restarts, last with exit code 1" in one(output, "pod.crash_loop:default/loop")["summary"]
    assert one(output, "pod.pending:default/pending")["summary"].endswith("0/4 nodes: too little memory")
    assert one(output, "pod.oom_killed:default/oom")["evidence"]["seconds_since_end"] == 600
    assert one(output, "pod.failed:default/failed")["evidence"]["exit_codes"] == [4]
    measured = output["measurements"]["kubernetes"]
    assert (measured["pods"], measured["restarts"], measured["pods_not_ready"]) == (17, 51, 2)


def test_what_may_not_be_listed_says_which_permission_is_needed(ops: Ops, cluster: Cluster) -> None:
    cluster.forbidden = ("nodes", "events")
    cluster.things["deployments"] = [deployment("down", 1, 0)]
    output = look(ops, namespace="default")
    assert told(output) == {
        "deployment.unavailable:default/down": "critical",
        "kubernetes.events:lab": "unavailable",
        "kubernetes.nodes:lab": "unavailable",
    }
    assert one(output, "kubernetes.nodes:lab")["needs"] == "permission (RBAC) to list nodes in namespace default"
    assert output["measurements"]["kubernetes"]["nodes"] is None
    assert output["measurements"]["kubernetes"]["deployments"] == 1


def test_all_pages_are_read(ops: Ops, cluster: Cluster, server: HttpServer) -> None:
    cluster.page = 7
    cluster.things["pods"] = [pod(f"p{number}", "Running", container()) for number in range(40)]
    assert look(ops)["measurements"]["kubernetes"]["pods"] == 40
    assert [r.query.get("continue") for r in server.asked if r.path.endswith("/pods")] == [
        None, "7", "14", "21", "28", "35",
    ]  # fmt: skip


def test_of_a_list_without_end_it_says_that_not_all_was_read(ops: Ops, cluster: Cluster) -> None:
    cluster.page = 1
    cluster.things["pods"] = [pod(f"p{number}", "Running", container()) for number in range(60)]
    output = look(ops)
    assert told(output) == {"kubernetes.pods:lab": "unavailable"}
    assert output["measurements"]["kubernetes"]["truncated"] == ["pods"]
    assert output["measurements"]["kubernetes"]["pods"] == 40


def test_a_namespace_that_is_not_there_is_no_quiet_one(ops: Ops) -> None:
    assert told(look(ops, namespace="prod")) == {"kubernetes.namespace:prod": "high"}
    assert told(look(ops, namespace="default")) == {}


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(raw=b"<html>"), "with what is none of Kubernetes"),
        (Reply({"message": "etcd is gone"}, 500), "with status 500: etcd is gone"),
        (Reply(None, delay=30), "no whole answer within 0.5 s"),
    ],
)
def test_an_api_that_answers_wrong_is_unavailable(ops: Ops, cluster: Cluster, reply: Reply, why: str) -> None:
    cluster.replies["/version"] = reply
    output = look(ops, timeout=0.5 if reply.delay else 60)
    assert why in one(output, "kubernetes:cluster")["why"]


def test_things_of_other_shapes_harm_nobody(ops: Ops, cluster: Cluster) -> None:
    odd: list[Any] = [1, {}, {"metadata": 3, "status": []}, {"metadata": {"name": ["x"]}, "spec": {"replicas": "3"}}]
    for kind in ("pods", "deployments", "statefulsets", "daemonsets", "nodes", "events", "jobs"):
        group = {"jobs": "apis/batch"}.get(kind, "api" if kind in ("pods", "nodes", "events") else "apis/apps")
        path = f"/{group}/v1/{kind}"
        cluster.replies[path] = Reply({"metadata": None, "items": odd})
    output = look(ops)
    measured = output["measurements"]["kubernetes"]
    assert {one["status"] for one in output["findings"]} == {"unavailable"}
    assert "3 of 3 pods have no name" in repr(output["findings"])
    assert measured["pods"] == 3
    assert measured["pods_by_phase"] == {"Unknown": 3}


# ---------------------------------------------------------------- accounts


def test_a_client_without_its_certificate_is_turned_away(
    tmp_path: Path, server: HttpServer, authority: Authority
) -> None:
    path = kubeconfig(tmp_path / "config", server.url, authority)
    output = look(Ops(tmp_path, {}), kubeconfig=str(path))
    assert told(output) == {"kubernetes:cluster": "unavailable"}


def test_a_server_that_is_not_the_cluster_s_is_not_asked(tmp_path: Path, server: HttpServer) -> None:
    stranger = Authority(datetime.now(UTC), "Stranger")
    path = kubeconfig(tmp_path / "config", server.url, stranger)
    output = look(Ops(tmp_path, {}), kubeconfig="config")
    assert "certificate that is not trusted" in one(output, "kubernetes:cluster")["why"]
    assert server.asked == []
    assert path.exists()


@pytest.fixture
def plain(authority: Authority, tmp_path: Path) -> Iterator[tuple[Cluster, HttpServer]]:
    """An API that knows clients by token."""
    cluster = Cluster(token="t0ken-of-the-cluster")
    with serving(cluster, tls=authority.sign("api", ["127.0.0.1"]).server(tmp_path)) as made:
        yield cluster, made


def test_tokens_of_each_kind(tmp_path: Path, plain: tuple[Cluster, HttpServer], authority: Authority) -> None:
    (tmp_path / "token").write_text("t0ken-of-the-cluster\n")
    program = tmp_path / "get-token"
    program.write_text(
        "#!/bin/sh\n"
        'case "$KUBERNETES_EXEC_INFO" in *\'"kind": "ExecCredential"\'*) ;; *) exit 9 ;; esac\n'
        '[ "$1" = "$WANTED" ] || exit 8\n'
        'echo \'{"kind": "ExecCredential", "status": {"token": "t0ken-of-the-cluster"}}\'\n'
    )
    program.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    plugin = {
        "apiVersion": version,
        "command": "./get-token",
        "args": ["a b"],
        "env": [{"name": "WANTED", "value": "a b"}],
    }
    for user in ({"token": "t0ken-of-the-cluster"}, {"tokenFile": "token"}, {"exec": plugin}):
        path = kubeconfig(tmp_path / "config", plain[1].url, authority, **user)
        assert told(look(Ops(tmp_path, {"KUBECONFIG": str(path)}))) == {}
    faults = {
        "doesn't know this account": {"token": "another"},
        "ended with exit code 8": {"exec": {**plugin, "args": []}},
        "is not there": {"exec": {**plugin, "command": "./none", "installHint": "get it"}},
        "isn't known": {"exec": {**plugin, "apiVersion": "v9"}},
        "which Kubernetes has given up": {"auth-provider": {"name": "gcp"}},
        "is no base64": {"client-certificate-data": "ä", "client-key-data": "x"},
        "asks for a proxy": {"cluster": {"proxy-url": "http://p"}},
        "which would show the account to all": {"cluster": {"server": "http://example.com"}},
        "has no server": {"cluster": {"server": "nowhere"}},
        "has no user": {"context": {"user": "you"}},
    }
    for why, user in faults.items():
        path = kubeconfig(tmp_path / "config", plain[1].url, authority, **user)  # type: ignore[arg-type]
        output = look(Ops(tmp_path, {"KUBECONFIG": str(path)}))
        assert why in one(output, "kubernetes:cluster")["why"], why
        assert "t0ken" not in repr(output)


def test_a_pod_s_own_account(
    tmp_path: Path, plain: tuple[Cluster, HttpServer], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("t0ken-of-the-cluster")
    (account / "ca.crt").write_bytes(authority.root.pem)
    monkeypatch.setattr("pipe_agents.infra.kubeconfig.ACCOUNT", str(account))
    env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(plain[1].port)}
    output = look(Ops(tmp_path, env))
    assert told(output) == {}
    assert output["measurements"]["kubernetes"]["context"] is None


def test_a_check_of_certificates_that_is_off_is_told(
    tmp_path: Path, plain: tuple[Cluster, HttpServer], authority: Authority
) -> None:
    off = {"insecure-skip-tls-verify": True, "certificate-authority-data": ""}
    path = kubeconfig(tmp_path / "config", plain[1].url, authority, token="t0ken-of-the-cluster", cluster=off)
    output = look(Ops(tmp_path, {"KUBECONFIG": str(path)}))
    assert list(told(output).values()) == ["medium"]


@pytest.mark.parametrize("text", ["[", "a: [", "3", "contexts: 3", "\x00", "&a [*a]", "!!python/object:os.system {}"])
def test_a_file_that_is_no_kubeconfig_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    assert told(look(Ops(tmp_path, {}), kubeconfig="config")) == {"kubernetes:cluster": "unavailable"}


def test_a_kubeconfig_that_is_named_and_not_there_fails_the_node(tmp_path: Path) -> None:
    with pytest.raises(NodeFault) as raised:
        look(Ops(tmp_path, {}), kubeconfig="none")
    assert raised.value.kind is ErrorKind.NOT_FOUND


# ---------------------------------------------------------------- actions


def test_a_deployment_is_scaled_and_restarted(ops: Ops, cluster: Cluster, server: HttpServer) -> None:
    cluster.things["deployments"] = [deployment("web", 3, 3)]
    output = ops.act(action="scale_deployment", deployment="web", replicas=5)
    assert (output["before"]["replicas"], output["after"]["replicas"], output["changed"]) == (3, 5, True)
    ops.act(action="restart_deployment", deployment="web", namespace="default")
    at = "/apis/apps/v1/namespaces/default/deployments/web"
    stamp = {"kubectl.kubernetes.io/restartedAt": datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    assert cluster.patched == [
        (f"{at}/scale", {"fieldManager": "pipe-runner"}, {"spec": {"replicas": 5}}),
        (at, {"fieldManager": "pipe-runner"}, {"spec": {"template": {"metadata": {"annotations": stamp}}}}),
    ]
    kinds = [r.headers["content-type"] for r in server.asked if r.method == "PATCH"]
    assert kinds == ["application/merge-patch+json", "application/strategic-merge-patch+json"]


def test_a_dry_run_asks_the_server_whether_it_would(ops: Ops, cluster: Cluster) -> None:
    cluster.things["deployments"] = [deployment("web", 3, 2)]
    output = ops.act(action="scale_deployment", deployment="web", replicas=0, dry_run=True)
    assert (output["performed"], output["after"]) == (False, None)
    assert cluster.patched[0][1]["dryRun"] == "All"
    assert cluster.things["deployments"][0]["spec"]["replicas"] == 3


def test_a_deployment_that_is_not_there_or_may_not_be_changed(ops: Ops, cluster: Cluster, server: HttpServer) -> None:
    with pytest.raises(NodeFault) as raised:
        ops.act(action="restart_deployment", deployment="web")
    assert raised.value.kind is ErrorKind.NOT_FOUND
    cluster.things["deployments"] = [deployment("web", 3, 3)]
    cluster.replies["/apis/apps/v1/namespaces/default/deployments/web/scale"] = Reply({"message": "no"}, 403)
    with pytest.raises(NodeFault) as raised:
        ops.act(action="scale_deployment", deployment="web", replicas=1)
    assert (raised.value.kind, "status 403" in raised.value.message) == (ErrorKind.REFUSED, True)
    assert len([r for r in server.asked if r.method == "PATCH"]) == 1
