"""The check `aws`: EC2, ECS, RDS, alarms of CloudWatch and AWS Health, by calls that only read, each in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from pipe_agents.findings import unavailable
from pipe_agents.infra.aws_account import Account, Part
from pipe_agents.infra.common import Look, Looked, Unreached, bounded, in_thread, together

HEALTH_REGION: Final = "us-east-1"


async def look_at_aws(look: Look) -> Looked:
    account = Account(look)
    try:
        regions = await in_thread(account.regions)
        await in_thread(account.keys)
    except Unreached as fault:
        return Looked([unavailable("aws", "account", fault.why, fault.needs)])
    try:
        return await _asked(look, account, regions)
    finally:
        account.close()


async def _asked(look: Look, account: Account, regions: Sequence[str]) -> Looked:
    from pipe_agents.infra import aws_parts

    readers: dict[str, Callable[[Look, Account, str], Part]] = {
        "ec2": aws_parts.ec2,
        "ecs": aws_parts.ecs,
        "rds": aws_parts.rds,
        "cloudwatch": aws_parts.cloudwatch,
        "health": aws_parts.health,
    }
    wanted = [name for name in readers if name in look.options["aws_services"]]
    places = [(name, region) for region in regions for name in wanted if name != "health"]
    if "health" in wanted:
        places.append(("health", HEALTH_REGION))
    work = [partial(in_thread, partial(_tried, readers[name], look, account, name, region)) for name, region in places]
    parts = dict(zip(places, await together(work), strict=True))
    findings = [one for part in parts.values() for one in part.findings]
    measured = []
    for region in regions:
        mine = [part for (name, place), part in parts.items() if place == region and name != "health"]
        numbers: dict[str, Any] = {"region": region, **dict.fromkeys(aws_parts.NUMBERS)}
        for part in mine:
            numbers.update(part.numbers)
        numbers["truncated"] = [one for part in mine for one in part.truncated]
        measured.append(numbers)
    health = parts.get(("health", HEALTH_REGION))
    events = health.numbers.get("health_events") if health is not None else None
    return Looked(bounded(findings, "aws", "aws"), {"regions": measured, "health_events": events})


def _tried(reader: Callable[[Look, Account, str], Part], look: Look, account: Account, name: str, region: str) -> Part:
    try:
        return reader(look, account, region)
    except Unreached as fault:
        return Part([unavailable(f"aws.{name}", region, fault.why, fault.needs)], {})
