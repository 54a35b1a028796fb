"""`infrastructure` asks a stand-in for AWS of which not we are the authors: what it says is what was put in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from infra_servers import Ops, one, told
from model_servers import standins

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"}
REGION = "eu-central-1"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with standins.ministack(tmp_path_factory.mktemp("ministack"), "http://127.0.0.1:9") as found:
            yield found
    except standins.NotThere as reason:
        pytest.skip(str(reason))


@pytest.fixture
def ops(tmp_path: Path, url: str) -> Ops:
    env = {"AWS_ENDPOINT_URL": url, "AWS_EC2_METADATA_DISABLED": "true"}
    return Ops(tmp_path, env, KEYS, now=datetime.now(UTC).timestamp())


def client(name: str, url: str) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test-secret"}
    return boto3.client(name, region_name=REGION, endpoint_url=url, **keys)


def test_what_was_put_in_is_what_is_said(ops: Ops, url: str) -> None:
    ec2, ecs, rds, cloudwatch = (client(name, url) for name in ("ec2", "ecs", "rds", "cloudwatch"))
    made = ec2.run_instances(ImageId="ami-12345678", MinCount=3, MaxCount=3, InstanceType="t3.micro")["Instances"]
    ec2.stop_instances(InstanceIds=[made[0]["InstanceId"]])
    ec2.terminate_instances(InstanceIds=[made[1]["InstanceId"]])
    ecs.create_cluster(clusterName="prod")
    container = {"name": "web", "image": "web:1", "memory": 64}
    ecs.register_task_definition(family="web", containerDefinitions=[container])
    ecs.create_service(cluster="prod", serviceName="web", taskDefinition="web", desiredCount=3)
    user = {"MasterUsername": "u", "MasterUserPassword": "passw0rd-of-it"}
    about = {"DBInstanceClass": "db.t3.micro", "Engine": "postgres", "AllocatedStorage": 20, **user}
    rds.create_db_instance(DBInstanceIdentifier="main", **about)
    free = {
        "MetricName": "FreeStorageSpace",
        "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": "main"}],
        "Value": 2**30,
        "Unit": "Bytes",
    }
    cloudwatch.put_metric_data(Namespace="AWS/RDS", MetricData=[free])
    bound = {"Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
    for name, state in (("hot", "ALARM"), ("fine", "OK"), ("blind", "INSUFFICIENT_DATA")):
        cloudwatch.put_metric_alarm(AlarmName=name, MetricName="CPU", Namespace="X", Threshold=80, **bound)
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"it is {name}: 97 > 80")

    output = ops.look(checks=["aws"], region=[REGION, "us-west-2"], aws_services=["ec2", "ecs", "rds", "cloudwatch"])

    assert told(output) == {
        f"rds.storage:{REGION}/main": "high",
        f"cloudwatch.alarm:{REGION}/hot": "high",
        f"cloudwatch.no_data:{REGION}": "low",
    }
    assert one(output, f"rds.storage:{REGION}/main")["evidence"]["free_percent"] == 5
    assert "it is hot: 97 > 80" in one(output, f"cloudwatch.alarm:{REGION}/hot")["summary"]
    here, there = output["measurements"]["aws"]["regions"]
    assert here == {
        "region": REGION, "instances": 2, "instances_running": 1, "instances_impaired": 0, "ecs_clusters": 1,
        "ecs_services": 1, "ecs_tasks_desired": 3, "ecs_tasks_running": 3, "databases": 1, "databases_available": 1,
        "alarms": 3, "alarms_in_alarm": 1, "alarms_without_data": 1, "truncated": [],
    }  # fmt: skip
    assert {value for value in there.values() if not isinstance(value, str | list)} == {0}
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(output)


def test_an_instance_reboots(ops: Ops, url: str) -> None:
    made = client("ec2", url).run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, InstanceType="t3.micro")
    id = made["Instances"][0]["InstanceId"]
    output = ops.act(action="reboot_instance", instance=id, region=REGION)
    assert (output["performed"], output["before"]["state"], output["after"]["state"]) == (True, "running", "running")
