"""What EC2, ECS, RDS, CloudWatch and AWS Health say, one function each; every call only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding, unavailable
from pipe_agents.infra.aws_account import Account, Part, called, label, pages
from pipe_agents.infra.common import Look, Unreached, ago, listed, moment, objects, of_bytes, plural, shown, some, stamp

NUMBERS: Final = (
    "instances", "instances_running", "instances_impaired", "ecs_clusters", "ecs_services", "ecs_tasks_desired",
    "ecs_tasks_running", "databases", "databases_available", "alarms", "alarms_in_alarm", "alarms_without_data",
)  # fmt: skip
_BROKEN: Final = (
    "failed", "storage-full", "restore-error", "inaccessible-encryption-credentials", "insufficient-capacity",
    "incompatible-network", "incompatible-option-group", "incompatible-parameters", "incompatible-restore",
    "incompatible-create",
)  # fmt: skip
_DONE: Final = ("[Completed]", "[Canceled]")


def ec2(look: Look, account: Account, region: str) -> Part:
    client = account.client("ec2", region)
    rows, everything = pages(
        client, "ec2", "describe_instance_status", "ec2:DescribeInstanceStatus", region, "InstanceStatuses",
        IncludeAllInstances=True,
    )  # fmt: skip
    found: list[Finding] = []
    impaired = 0
    rows = [row for row in objects(rows) if _state(row) != "terminated"]
    for row in rows:
        name = label(region, row.get("InstanceId"))
        bad = {
            kind: _details(row.get(key))
            for kind, key in (("system", "SystemStatus"), ("instance", "InstanceStatus"))
            if _of(row, key, "Status") == "impaired"
        }
        if bad:
            impaired += 1
            began = min((m for _, m in bad.values() if m is not None), default=None)
            long = None if began is None else max(look.now - began, 0)
            kinds = " and ".join(f"{kind} check" for kind in bad)
            summary = f"the instance {name} fails its {kinds}" + (f" for {ago(long)}" if long is not None else "")
            evidence = {
                "state": _state(row),
                "failing": {kind: words for kind, (words, _) in bad.items()},
                "impaired_since": stamp(began),
                "availability_zone": shown(row.get("AvailabilityZone"), 50),
            }
            how = (
                "the machine under it is broken: stop and start it, so that it moves to another one"
                if "system" in bad
                else "look at its console's output: aws ec2 get-console-output"
            )
            found.append(finding("ec2.impaired", name, "high", summary, evidence, how))
        for event in objects(row.get("Events")):
            words = shown(event.get("Description"), 300)
            if not words.startswith(_DONE):
                at = stamp(moment(event.get("NotBefore")))
                summary = f"AWS plans {shown(event.get('Code'), 60)} of the instance {name}" + (
                    f" at {at}" if at else ""
                )
                evidence = {"code": shown(event.get("Code"), 60), "not_before": at, "description": words}
                found.append(finding("ec2.event", name, "medium", summary, evidence, "move it before"))
    numbers = {
        "instances": len(rows),
        "instances_running": sum(_state(row) == "running" for row in rows),
        "instances_impaired": impaired,
    }
    return Part(found, numbers, () if everything else ("instances",))


def ecs(look: Look, account: Account, region: str) -> Part:
    client = account.client("ecs", region)
    clusters, everything = pages(client, "ecs", "list_clusters", "ecs:ListClusters", region, "clusterArns")
    services: list[tuple[str, Mapping[str, Any]]] = []
    for cluster in clusters[:200]:
        arns, all_of_them = pages(
            client, "ecs", "list_services", "ecs:ListServices", region, "serviceArns", cluster=cluster
        )
        everything = everything and all_of_them
        for first in range(0, len(arns), 10):
            told = called(
                client, "ecs", "describe_services", "ecs:DescribeServices", region,
                cluster=cluster, services=arns[first : first + 10],
            )  # fmt: skip
            services += [(str(cluster).rpartition("/")[2], one) for one in objects(told.get("services"))]
    everything = everything and len(clusters) <= 200
    found: list[Finding] = []
    live = [(cluster, one) for cluster, one in services if one.get("status") == "ACTIVE"]
    for cluster, one in live:
        found += _ecs_service(look, label(region, f"{cluster}/{one.get('serviceName')}"), one)
    numbers = {
        "ecs_clusters": len(clusters),
        "ecs_services": len(live),
        "ecs_tasks_desired": sum(_count(one, "desiredCount") for _, one in live),
        "ecs_tasks_running": sum(_count(one, "runningCount") for _, one in live),
    }
    return Part(found, numbers, () if everything else ("ecs",))


def _ecs_service(look: Look, name: str, one: Mapping[str, Any]) -> list[Finding]:
    desired, running = _count(one, "desiredCount"), _count(one, "runningCount")
    deployments = objects(one.get("deployments"))
    failed = [d for d in deployments if d.get("rolloutState") == "FAILED"]
    begun = [d for d in deployments if d.get("rolloutState") == "IN_PROGRESS"]
    moments = [m for d in begun if (m := moment(d.get("createdAt"))) is not None]
    young = any(look.now - m < look.thresholds["pending_seconds"] for m in moments)
    rolling = bool(begun) and (young or (running > 0 and len(deployments) > 1))
    events = objects(one.get("events"))
    said = shown(events[0].get("message"), 300) if events else None
    evidence = {
        "desired": desired,
        "running": running,
        "pending": _count(one, "pendingCount"),
        "deployments": len(deployments),
        "failed_tasks": sum(_count(d, "failedTasks") for d in deployments),
        "last_event": said,
    }
    found: list[Finding] = []
    how = "its events and stopped tasks say why: aws ecs describe-services, describe-tasks"
    if failed:
        why = shown(failed[0].get("rolloutStateReason"), 200)
        summary = f"the deployment of {name} has failed{f': {why}' if why else ''}"
        found.append(finding("ecs.deployment", name, "high", summary, evidence, how))
    if running < desired:
        severity: Severity = "medium" if rolling else "critical" if running == 0 else "high"
        while_ = ", while it is deployed" if rolling else ""
        summary = f"{name} runs {running} of {plural(desired, 'task')}{while_}"
        found.append(finding("ecs.tasks", name, severity, summary, evidence, how))
    return found


def rds(look: Look, account: Account, region: str) -> Part:
    client = account.client("rds", region)
    rows, everything = pages(client, "rds", "describe_db_instances", "rds:DescribeDBInstances", region, "DBInstances")
    rows = objects(rows)
    found: list[Finding] = []
    for row in rows:
        name, status = label(region, row.get("DBInstanceIdentifier")), shown(row.get("DBInstanceStatus"), 60)
        evidence = {
            "status": status,
            "engine": shown(row.get("Engine"), 60),
            "class": shown(row.get("DBInstanceClass"), 60),
        }
        if status in _BROKEN:
            summary = f"the database {name} is {status}"
            how = "its events say why: aws rds describe-events"
            found.append(finding("rds.status", name, "critical", summary, evidence, how))
        elif status in ("stopped", "stopping"):
            found.append(finding("rds.stopped", name, "low", f"the database {name} is {status}", evidence))
    try:
        found += _storage(look, account, region, rows)
    except Unreached as fault:
        if rows:
            found.append(unavailable("aws.rds.storage", region, fault.why, fault.needs))
    numbers = {
        "databases": len(rows),
        "databases_available": sum(row.get("DBInstanceStatus") == "available" for row in rows),
    }
    return Part(found, numbers, () if everything else ("databases",))


def _storage(look: Look, account: Account, region: str, rows: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Free storage, of which CloudWatch knows; Aurora's grows by itself, and has no such bound."""
    own = [
        row for row in rows if not str(row.get("Engine", "")).startswith("aurora") and _count(row, "AllocatedStorage")
    ]
    own = own[:500]
    if not own:
        return []
    client = account.client("cloudwatch", region)
    queries = [
        {
            "Id": f"m{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/RDS",
                    "MetricName": "FreeStorageSpace",
                    "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": str(row.get("DBInstanceIdentifier"))}],
                },
                "Period": 300,
                "Stat": "Minimum",
            },
        }
        for number, row in enumerate(own)
    ]
    told = called(
        client, "cloudwatch", "get_metric_data", "cloudwatch:GetMetricData", region, MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(look.now - 3600, UTC), EndTime=datetime.fromtimestamp(look.now + 60, UTC),
        ScanBy="TimestampDescending",
    )  # fmt: skip
    values = {str(one.get("Id")): one.get("Values") for one in objects(told.get("MetricDataResults"))}
    found: list[Finding] = []
    blind: list[str] = []
    for number, row in enumerate(own):
        name, last = label(region, row.get("DBInstanceIdentifier")), values.get(f"m{number}")
        size = _count(row, "AllocatedStorage") * 2**30
        if not isinstance(last, list) or not last or not isinstance(last[0], int | float):
            blind.append(name)
            continue
        percent = 100 * last[0] / size
        if percent < look.thresholds["storage_free_percent"]:
            severity: Severity = "critical" if percent < look.thresholds["storage_free_percent"] / 4 else "high"
            summary = (
                f"the database {name} has {of_bytes(last[0])} of storage left, {percent:.1f} % of {of_bytes(size)}"
            )
            grows = row.get("MaxAllocatedStorage")
            evidence = {
                "free_bytes": int(last[0]),
                "storage_bytes": size,
                "free_percent": round(percent, 2),
                "grows_to_gib": grows,
            }
            found.append(finding("rds.storage", name, severity, summary, evidence, "give it more storage, or clear it"))
    if blind:
        why = f"CloudWatch has no value of the last hour for {listed(blind)}"
        found.append(unavailable("aws.rds.storage", region, why, "a database that runs"))
    return found


def cloudwatch(look: Look, account: Account, region: str) -> Part:
    client = account.client("cloudwatch", region)
    action = "cloudwatch:DescribeAlarms"
    rows: list[Any] = []
    everything = True
    for key in ("MetricAlarms", "CompositeAlarms"):
        kinds = {"AlarmTypes": [key.removesuffix("s")]}
        more, all_of_them = pages(client, "cloudwatch", "describe_alarms", action, region, key, **kinds)
        rows += objects(more)
        everything = everything and all_of_them
    found: list[Finding] = []
    firing = [row for row in rows if row.get("StateValue") == "ALARM"]
    for row in firing:
        name = label(region, row.get("AlarmName"))
        began = moment(row.get("StateTransitionedTimestamp")) or moment(row.get("StateUpdatedTimestamp"))
        long = None if began is None else max(look.now - began, 0)
        reason = shown(row.get("StateReason"), 300)
        silent = row.get("ActionsEnabled") is False
        summary = f"the alarm {name} is raised" + (f" for {ago(long)}" if long is not None else "")
        summary += (f": {reason[:200]}" if reason else "") + ("; its actions are switched off" if silent else "")
        evidence = {
            "state": "ALARM",
            "reason": reason,
            "since": stamp(began),
            "metric": shown(row.get("MetricName"), 255) or None,
            "threshold": row.get("Threshold") if isinstance(row.get("Threshold"), int | float) else None,
            "actions_enabled": row.get("ActionsEnabled"),
        }
        found.append(
            finding(
                "cloudwatch.alarm", name, "high", summary, evidence, shown(row.get("AlarmDescription"), 300) or None
            )
        )
    blind = [shown(row.get("AlarmName"), 255) for row in rows if row.get("StateValue") == "INSUFFICIENT_DATA"]
    if blind:
        summary = f"{plural(len(blind), 'alarm has', 'alarms have')} too little data to say anything: {listed(blind)}"
        evidence = {"alarms": len(blind), "names": some(blind)}
        how = "does what they watch still exist, and send its numbers?"
        found.append(finding("cloudwatch.no_data", region, "low", summary, evidence, how))
    numbers = {"alarms": len(rows), "alarms_in_alarm": len(firing), "alarms_without_data": len(blind)}
    return Part(found, numbers, () if everything else ("alarms",))


def health(look: Look, account: Account, region: str) -> Part:
    client = account.client("health", region)
    rows, _ = pages(
        client, "health", "describe_events", "health:DescribeEvents", "", "events",
        filter={"eventStatusCodes": ["open", "upcoming"]},
    )  # fmt: skip
    rows = objects(rows)
    severities: dict[str, Severity] = {"issue": "high", "investigation": "high", "scheduledChange": "medium"}
    found = []
    for row in rows:
        code, place = shown(row.get("eventTypeCode"), 100), shown(row.get("region"), 50) or "global"
        category, status = str(row.get("eventTypeCategory")), shown(row.get("statusCode"), 20)
        at = stamp(moment(row.get("startTime")))
        summary = f"AWS Health: {code} of {shown(row.get('service'), 50)} in {place}, {status}" + (
            f" since {at}" if at else ""
        )
        evidence = {"category": shown(category, 50), "status": status, "start": at, "arn": shown(row.get("arn"), 300)}
        how = "aws health describe-event-details, or the Health Dashboard"
        found.append(
            finding("health.event", f"{place}/{code}", severities.get(category, "low"), summary, evidence, how)
        )
    return Part(found, {"health_events": len(rows)})


def _of(row: Mapping[str, Any], *keys: str) -> Any:
    value: Any = row
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _state(row: Mapping[str, Any]) -> str:
    return shown(_of(row, "InstanceState", "Name"), 30)


def _details(status: Any) -> tuple[list[str], float | None]:
    details = objects(status.get("Details")) if isinstance(status, Mapping) else []
    since = [m for one in details if (m := moment(one.get("ImpairedSince"))) is not None]
    words = [f"{shown(one.get('Name'), 50)}: {shown(one.get('Status'), 50)}" for one in details[:10]]
    return words, min(since, default=None)


def _count(row: Mapping[str, Any], key: str) -> int:
    value = row.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
