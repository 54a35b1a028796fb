"""AWS as far as `infrastructure` asks it, for what no stand-in of others can be made to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from infra_servers.http import Reply, Request

XML = {"content-type": "text/xml"}
JSON = {"content-type": "application/x-amz-json-1.1"}


@dataclass
class Cloud:
    """Answers by operation: a value, or a pair of a status and a code of fault. A list is given in pages of two."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        form = dict(parse_qsl(request.body.decode())) if "x-amz-target" not in request.headers else {}
        operation = form.get("Action") or request.headers.get("x-amz-target", "").rpartition(".")[2]
        self.asked.append(operation)
        found = self.answers.get(operation)
        if isinstance(found, Reply):
            return found
        if isinstance(found, tuple):
            return _fault(found[0], found[1], xml=bool(form))
        if form:
            return self._xml(operation, found, form)
        return Reply(found if found is not None else {}, headers=JSON)

    def _xml(self, operation: str, found: Any, form: Mapping[str, str]) -> Reply:
        if operation == "DescribeInstanceStatus":
            first = int(form.get("NextToken", 0))
            page = (found or [])[first : first + 2]
            token = f"<nextToken>{first + 2}</nextToken>" if first + 2 < len(found or []) else ""
            body = f"<instanceStatusSet>{''.join(page)}</instanceStatusSet>{token}"
        elif operation == "DescribeDBInstances":
            rows = "".join(f"<DBInstance>{_tags(row)}</DBInstance>" for row in found or [])
            body = f"<DescribeDBInstancesResult><DBInstances>{rows}</DBInstances></DescribeDBInstancesResult>"
        else:
            body = ""
        return Reply(raw=f"<{operation}Response>{body}</{operation}Response>".encode(), headers=XML)


def _fault(status: int, code: str, *, xml: bool) -> Reply:
    if xml:
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>"
        if code == "AccessDenied":
            text = f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
        return Reply(None, status, text.encode(), headers=XML)
    return Reply(None, status, json.dumps({"__type": code, "message": "no"}).encode(), headers=JSON)


def instance(
    id: str, state: str = "running", system: str = "ok", own: str = "ok", events: str = "", since: str = ""
) -> str:
    impaired = f"<impairedSince>{since}</impairedSince>" if since else ""

    def status(tag: str, word: str) -> str:
        passed = "failed" if word == "impaired" else "passed"
        detail = f"<item><name>reachability</name><status>{passed}</status>{impaired}</item>"
        return f"<{tag}><status>{word}</status><details>{detail}</details></{tag}>"

    return (
        f"<item><instanceId>{id}</instanceId><availabilityZone>eu-central-1a</availabilityZone>"
        f"<instanceState><code>16</code><name>{state}</name></instanceState>"
        f"{status('systemStatus', system)}{status('instanceStatus', own)}<eventsSet>{events}</eventsSet></item>"
    )


def planned(code: str, description: str, at: str) -> str:
    return f"<item><code>{code}</code><description>{description}</description><notBefore>{at}</notBefore></item>"


def _tags(row: Mapping[str, Any]) -> str:
    return "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in row.items())
