"""`infrastructure`: what it says of AWS is what AWS said; keys, permissions, pages; and the reboot."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from infra_servers import NOW, Ops, one, told
from infra_servers.cloud import JSON, XML, Cloud, instance, planned
from infra_servers.http import HttpServer, Reply, serving

from pipe_runner.errors import NodeFault
from pipe_runner.testing import FinishedRun, run_pipeline
from pipe_runner.types import ErrorKind

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "s3cret/of-the-test"}
FREE = {"MetricDataResults": [{"Id": "m0", "Values": [1.0 * 2**30]}, {"Id": "m1", "Values": [0.1 * 2**30]}]}


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def server(cloud: Cloud) -> Iterator[HttpServer]:
    with serving(cloud) as made:
        yield made


@pytest.fixture
def ops(tmp_path: Path, server: HttpServer) -> Ops:
    return Ops(tmp_path, {"AWS_ENDPOINT_URL": server.url, "AWS_EC2_METADATA_DISABLED": "true"}, KEYS)


def look(ops: Ops, *services: str, **options: Any) -> dict[str, Any]:
    more = {"aws_services": list(services)} if services else {}
    return ops.look(checks=["aws"], **{"region": "eu-central-1", **more, **options})


def test_instances(ops: Ops, cloud: Cloud) -> None:
    since = "2026-09-21T13:13:20.000Z"
    cloud.answers["DescribeInstanceStatus"] = [
        instance("i-0000000a"),
        instance("i-0000000b", system="impaired", own="impaired", since=since),
        instance("i-0000000c", own="impaired"),
        instance("i-0000000d", "stopped", "not-applicable", "not-applicable"),
        instance("i-0000000e", "terminated", "impaired"),
        instance(
            "i-0000000f", own="initializing", events=planned("system-reboot", "scheduled", "2026-10-01T00:00:00.000Z")
        ),
        instance("i-00000010", events=planned("system-reboot", "[Completed] scheduled", "2026-09-01T00:00:00.000Z")),
    ]
    output = look(ops, "ec2")
    assert told(output) == {
        "ec2.impaired:eu-central-1/i-0000000b": "high",
        "ec2.impaired:eu-central-1/i-0000000c": "high",
        "ec2.event:eu-central-1/i-0000000f": "medium",
    }
    broken = one(output, "ec2.impaired:eu-central-1/i-0000000b")
    assert "fails its system check and instance check for 60 min" in broken["summary"]
    assert broken["evidence"]["impaired_since"] == "2026-09-21T13:13:20Z"
    (region,) = output["measurements"]["aws"]["regions"]
    assert (region["instances"], region["instances_running"], region["instances_impaired"]) == (6, 5, 2)
    assert cloud.asked == ["DescribeInstanceStatus"] * 4
    assert (region["databases"], region["alarms"]) == (None, None)


def service(name: str, desired: int, running: int, *states: str) -> dict[str, Any]:
    deployments = [{"id": f"d{n}", "rolloutState": state, "failedTasks": n} for n, state in enumerate(states)]
    events = [{"message": f"(service {name}) was unable to place a task"}]
    counts = {"desiredCount": desired, "runningCount": running, "pendingCount": 0}
    return {"serviceName": name, "status": "ACTIVE", **counts, "deployments": deployments, "events": events}


def test_services_of_ecs(ops: Ops, cloud: Cloud) -> None:
    cloud.answers |= {
        "ListClusters": {"clusterArns": ["arn:aws:ecs:eu-central-1:1:cluster/prod"]},
        "ListServices": {"serviceArns": [f"arn:s{n}" for n in range(12)]},
        "DescribeServices": {
            "services": [
                service("fine", 2, 2, "COMPLETED"),
                service("down", 2, 0, "COMPLETED"),
                service("less", 3, 1, "COMPLETED"),
                service("rolls", 3, 2, "IN_PROGRESS", "COMPLETED"),
                {**service("new", 2, 0), "deployments": [{"rolloutState": "IN_PROGRESS", "createdAt": NOW - 60}]},
                service("broken", 2, 2, "FAILED", "COMPLETED"),
                {**service("gone", 2, 0), "status": "INACTIVE"},
            ]
        },
    }
    output = look(ops, "ecs")
    assert sorted(told(output).items()) == [
        ("ecs.deployment:eu-central-1/prod/broken", "high"),
        ("ecs.deployment:eu-central-1/prod/broken#2", "high"),
        ("ecs.tasks:eu-central-1/prod/down", "critical"),
        ("ecs.tasks:eu-central-1/prod/down#2", "critical"),
        ("ecs.tasks:eu-central-1/prod/less", "high"),
        ("ecs.tasks:eu-central-1/prod/less#2", "high"),
        ("ecs.tasks:eu-central-1/prod/new", "medium"),
        ("ecs.tasks:eu-central-1/prod/new#2", "medium"),
        ("ecs.tasks:eu-central-1/prod/rolls", "medium"),
        ("ecs.tasks:eu-central-1/prod/rolls#2", "medium"),
    ]  # asked for twice, since twelve are described ten at a time
    less = one(output, "ecs.tasks:eu-central-1/prod/less")
    assert (less["evidence"]["desired"], less["evidence"]["running"]) == (3, 1)
    assert less["evidence"]["last_event"] == "(service less) was unable to place a task"
    (region,) = output["measurements"]["aws"]["regions"]
    assert (region["ecs_clusters"], region["ecs_services"], region["ecs_tasks_desired"]) == (1, 12, 28)


def test_databases(ops: Ops, cloud: Cloud) -> None:
    base = {
        "DBInstanceClass": "db.t3.micro",
        "Engine": "postgres",
        "AllocatedStorage": 20,
        "DBInstanceStatus": "available",
    }
    cloud.answers |= {
        "DescribeDBInstances": [
            {**base, "DBInstanceIdentifier": "low"},
            {**base, "DBInstanceIdentifier": "out"},
            {**base, "DBInstanceIdentifier": "blind"},
            {**base, "DBInstanceIdentifier": "full", "DBInstanceStatus": "storage-full", "Engine": "aurora-mysql"},
            {**base, "DBInstanceIdentifier": "off", "DBInstanceStatus": "stopped", "Engine": "aurora-mysql"},
        ],
        "GetMetricData": FREE,
    }
    output = look(ops, "rds")
    assert told(output) == {
        "rds.status:eu-central-1/full": "critical",
        "rds.storage:eu-central-1/out": "critical",
        "rds.storage:eu-central-1/low": "high",
        "rds.stopped:eu-central-1/off": "low",
        "aws.rds.storage:eu-central-1": "unavailable",
    }
    assert one(output, "rds.storage:eu-central-1/low")["evidence"]["free_percent"] == 5
    assert "eu-central-1/blind" in one(output, "aws.rds.storage:eu-central-1")["why"]
    (region,) = output["measurements"]["aws"]["regions"]
    assert (region["databases"], region["databases_available"]) == (5, 3)


def test_health(ops: Ops, cloud: Cloud) -> None:
    event = {"service": "EC2", "region": "eu-central-1", "statusCode": "open", "startTime": NOW - 600}
    cloud.answers["DescribeEvents"] = {
        "events": [
            {**event, "eventTypeCode": "AWS_EC2_OPERATIONAL_ISSUE", "eventTypeCategory": "issue"},
            {**event, "eventTypeCode": "AWS_EC2_RETIREMENT", "eventTypeCategory": "scheduledChange"},
            {**event, "eventTypeCode": "AWS_BILLING", "eventTypeCategory": "accountNotification", "region": None},
        ]
    }
    output = look(ops, "health", region=["eu-central-1", "us-east-1"])
    assert told(output) == {
        "health.event:eu-central-1/AWS_EC2_OPERATIONAL_ISSUE": "high",
        "health.event:eu-central-1/AWS_EC2_RETIREMENT": "medium",
        "health.event:global/AWS_BILLING": "low",
    }
    assert output["measurements"]["aws"]["health_events"] == 3
    assert cloud.asked == ["DescribeEvents"]


@pytest.mark.parametrize(
    ("fault", "why", "needs"),
    [
        (
            (403, "UnauthorizedOperation"),
            "refuses ec2:DescribeInstanceStatus",
            "the permission ec2:DescribeInstanceStatus",
        ),
        ((401, "AuthFailure"), "doesn't take these keys", "keys that hold"),
        ((503, "RequestLimitExceeded"), "throttles ec2:DescribeInstanceStatus", "another attempt, later"),
        ((500, "InternalError"), "with InternalError: no", "an endpoint"),
        (Reply(raw=b"<<<", headers={"content-type": "text/xml"}), "with what is none of AWS", "an endpoint"),
        (Reply(delay=30), "gave no answer in time", "a longer `timeout`"),
    ],
)
def test_one_service_that_fails_leaves_the_others(ops: Ops, cloud: Cloud, fault: Any, why: str, needs: str) -> None:
    cloud.answers["DescribeInstanceStatus"] = fault
    output = look(ops, "ec2", "rds", timeout=1.5 if isinstance(fault, Reply) and fault.delay else 60)
    finding = one(output, "aws.ec2:eu-central-1")
    assert finding["status"] == "unavailable"
    assert why in finding["why"]
    assert needs in finding["needs"]
    (region,) = output["measurements"]["aws"]["regions"]
    assert (region["instances"], region["databases"]) == (None, 0)
    assert cloud.asked.count("DescribeInstanceStatus") == 1


def test_each_permission_has_its_name(ops: Ops, cloud: Cloud) -> None:
    denied = (400, "AccessDeniedException")
    cloud.answers |= {
        "ListClusters": denied,
        "DescribeAlarms": denied,
        "DescribeDBInstances": (403, "AccessDenied"),
        "DescribeEvents": (400, "SubscriptionRequiredException"),
    }
    output = look(ops)
    needs = {found["subject"] + " " + found["check"]: found["needs"] for found in output["findings"]}
    assert needs == {
        "eu-central-1 aws.ecs": "the permission ecs:ListClusters",
        "eu-central-1 aws.cloudwatch": "the permission cloudwatch:DescribeAlarms",
        "eu-central-1 aws.rds": "the permission rds:DescribeDBInstances",
        "us-east-1 aws.health": "a Business or Enterprise support plan",
    }


def test_keys_of_the_runner_itself_are_not_taken(
    tmp_path: Path, server: HttpServer, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home/.aws").mkdir(parents=True)
    (tmp_path / "home/.aws/config").write_text("[default]\ncredential_process = touch /nowhere/at/all\n")
    output = look(Ops(tmp_path, {"AWS_ENDPOINT_URL": server.url}))
    assert told(output) == {"aws:account": "unavailable"}
    assert "there are no keys of AWS" in output["findings"][0]["why"]
    assert cloud.asked == []


def test_a_profile_has_keys_and_a_region(tmp_path: Path, server: HttpServer, cloud: Cloud) -> None:
    (tmp_path / "home/.aws").mkdir(parents=True)
    (tmp_path / "home/.aws/credentials").write_text("[ops]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n")
    (tmp_path / "home/.aws/config").write_text("[profile ops]\nregion = sa-east-1\n")
    ops = Ops(tmp_path, {"AWS_ENDPOINT_URL": server.url})
    output = ops.look(checks=["aws"], profile="ops", aws_services=["ec2"])
    assert output["measurements"]["aws"]["regions"][0]["region"] == "sa-east-1"
    assert "AKIDFILE/" in server.asked[0].headers["authorization"]
    assert "sa-east-1/ec2" in server.asked[0].headers["authorization"]
    missing = ops.look(checks=["aws"], profile="none", aws_services=["ec2"])
    assert told(missing) == {"aws:account": "unavailable"}


def with_helper(root: Path, url: str, says: str, code: int = 0) -> None:
    """AWS's files with a role whose keys are asked for with those that a program gives."""
    (root / "says").write_text(says)
    (root / "helper").write_text(f"#!/bin/sh\ncat '{root}/says'\ncat '{root}/says' >&2\nexit {code}\n")
    (root / "helper").chmod(0o755)
    (root / "aws.config").write_text(
        f"[profile ops]\nregion = eu-central-1\nendpoint_url = {url}\nrole_arn = arn:aws:iam::1:role/ops\n"
        f"source_profile = helper\n[profile helper]\ncredential_process = {root}/helper\n"
    )


def asks_with_a_role(root: Path) -> FinishedRun:
    env = f"AWS_CONFIG_FILE: {root}/aws.config, AWS_SHARED_CREDENTIALS_FILE: {root}/none, AWS_PROFILE: ops"
    text = (
        f"version: 1\nnodes:\n  a:\n    agent: infrastructure\n    env: {{{env}}}\n"
        "    with: {checks: [aws], aws_services: [ecs, rds]}\n"
    )
    return run_pipeline(text, root=root)


def test_keys_that_a_program_or_a_role_gives_are_written_nowhere(
    tmp_path: Path, server: HttpServer, cloud: Cloud
) -> None:
    keys = {"SecretAccessKey": "helpers-own-canary", "SessionToken": "helpers-token-canary"}
    with_helper(tmp_path, server.url, json.dumps({"Version": 1, "AccessKeyId": "AKIDHELPER", **keys}))
    role = {"AccessKeyId": "AKIDROLE", "SecretAccessKey": "roles-own-canary", "SessionToken": "roles-token-canary"}
    told = "".join(
        f"<{name}>{value}</{name}>" for name, value in {**role, "Expiration": "2099-01-01T00:00:00Z"}.items()
    )
    body = f"<AssumeRoleResult><Credentials>{told}</Credentials></AssumeRoleResult>"
    answer = f"<AssumeRoleResponse>{body}</AssumeRoleResponse>"
    cloud.answers["AssumeRole"] = Reply(raw=answer.encode(), headers=XML)
    every = [*keys.values(), *(role[name] for name in keys)]
    cloud.answers["ListClusters"] = Reply({"__type": "Odd", "message": " ".join(every)}, 400, headers=JSON)
    run = asks_with_a_role(tmp_path)
    assert run.status == "succeeded", run.node("a").error
    assert cloud.asked.count("AssumeRole") == 1
    output: Any = run.output("a")
    assert one(output, "aws.ecs:eu-central-1")["why"].endswith("with Odd: *** *** *** ***")
    said = json.dumps([[event.data for event in run.events], output])
    assert [secret for secret in every if secret in said] == []


@pytest.mark.parametrize(("says", "code"), [("canary of a helper", 1), ("canary of a helper", 0), ("{}", 0)])
def test_what_a_program_says_that_gives_no_keys_is_not_shown(
    says: str, code: int, tmp_path: Path, server: HttpServer
) -> None:
    with_helper(tmp_path, server.url, says, code)
    run = asks_with_a_role(tmp_path)
    assert run.status == "succeeded", run.node("a").error
    output: Any = run.output("a")
    assert "(credential_process) gave none" in one(output, "aws:account")["why"]
    assert says == "{}" or says not in json.dumps([[event.data for event in run.events], output])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://user:canary@127.0.0.1:1", "holds a user or a password"),
        ("http://192.0.2.1:4566", "is not https://"),
        ("https://127.0.0.1:1", "can't be reached"),
    ],
)
def test_an_address_of_a_file_is_held_to_the_same_and_shown_without_a_password(
    url: str, why: str, tmp_path: Path
) -> None:
    (tmp_path / "home/.aws").mkdir(parents=True)
    (tmp_path / "home/.aws/config").write_text(f"[default]\nendpoint_url = {url}\n")
    output = look(Ops(tmp_path, {}, KEYS), "ec2")
    assert why in one(output, "aws.ec2:eu-central-1")["why"]
    assert "canary" not in json.dumps(output)


def test_without_a_region_it_says_so(tmp_path: Path) -> None:
    output = Ops(tmp_path, {}, KEYS).look(checks=["aws"])
    assert one(output, "aws:account")["why"] == "there is no region"


def test_an_endpoint_elsewhere_is_asked_over_tls_only(tmp_path: Path) -> None:
    ops = Ops(tmp_path, {"AWS_ENDPOINT_URL": "http://192.0.2.1:4566"}, KEYS)
    assert "not https" in one(look(ops, "ec2"), "aws.ec2:eu-central-1")["why"]


# ---------------------------------------------------------------- the reboot


def test_an_instance_is_rebooted_once(ops: Ops, cloud: Cloud) -> None:
    cloud.answers["DescribeInstanceStatus"] = [instance("i-0000000a")]
    output = ops.act(action="reboot_instance", instance="i-0000000a", region="eu-central-1")
    assert (output["performed"], output["before"]["state"], output["after"]["state"]) == (True, "running", "running")
    assert cloud.asked == ["DescribeInstanceStatus", "RebootInstances", "DescribeInstanceStatus"]


def test_a_dry_run_of_a_reboot_asks_whether_it_may(ops: Ops, cloud: Cloud, server: HttpServer) -> None:
    cloud.answers |= {"DescribeInstanceStatus": [instance("i-0000000a")], "RebootInstances": (412, "DryRunOperation")}
    what = {"action": "reboot_instance", "instance": "i-0000000a", "region": "eu-central-1", "dry_run": True}
    assert ops.act(**what)["performed"] is False
    assert b"DryRun=true" in server.asked[1].body
    cloud.answers["RebootInstances"] = (403, "UnauthorizedOperation")
    with pytest.raises(NodeFault) as raised:
        ops.act(**what)
    assert "the permission ec2:RebootInstances" in raised.value.message


def test_what_does_not_run_is_not_rebooted(ops: Ops, cloud: Cloud) -> None:
    what = {"action": "reboot_instance", "instance": "i-0000000a", "region": "eu-central-1"}
    cloud.answers["DescribeInstanceStatus"] = [instance("i-0000000a", "stopped")]
    with pytest.raises(NodeFault) as raised:
        ops.act(**what)
    assert raised.value.kind is ErrorKind.REFUSED
    for none in ([], (400, "InvalidInstanceID.NotFound")):
        cloud.answers["DescribeInstanceStatus"] = none
        with pytest.raises(NodeFault) as raised:
            ops.act(**what)
        assert raised.value.kind is ErrorKind.NOT_FOUND
    assert "RebootInstances" not in cloud.asked


def test_a_reboot_without_an_answer_is_not_asked_for_again(ops: Ops, cloud: Cloud) -> None:
    cloud.answers |= {"DescribeInstanceStatus": [instance("i-0000000a")], "RebootInstances": Reply(delay=30)}
    with pytest.raises(NodeFault) as raised:
        ops.act(action="reboot_instance", instance="i-0000000a", region="eu-central-1", timeout=1.5)
    assert raised.value.kind is ErrorKind.TIMEOUT
    assert cloud.asked.count("RebootInstances") == 1
