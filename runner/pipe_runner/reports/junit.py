"""A run as JUnit XML, in the form that the usual readers share: one suite, one case for each node."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from pipe_runner.console.words import reason_line
from pipe_runner.run import NodeState, Run
from pipe_runner.text import ci_safe, printable
from pipe_runner.types import NodeStatus

if TYPE_CHECKING:
    from pipe_runner.spent import Spent

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_OUTPUT_KEPT: Final = 64 * 1024

_SKIPPED: Final = frozenset({NodeStatus.SKIPPED, NodeStatus.BLOCKED, NodeStatus.PENDING, NodeStatus.QUEUED})


def junit(run: Run, *, under_way: bool = False) -> bytes:
    """The document. Failed nodes are failures, those that were stopped while they ran are errors, those that never
    ran are skipped; a tolerated failure is skipped, too, since the run is good. `under_way`: what runs may yet
    end well, and is skipped."""
    seen_to = run.nodes.keys() - set(run.failures)
    cases = [_case(run, node, state, under_way, tolerated=node in seen_to) for node, state in run.nodes.items()]
    spent = {} if run.ledger is None else run.ledger.by_node(run.nodes)
    for case, node in zip(cases, run.nodes, strict=True):
        if node in spent:
            case.insert(0, _used(spent[node]))
    if run.error is not None and not run.failed:
        case = ET.Element("testcase", _attributes(run, "run", run.duration_s))
        _verdict(case, "error", str(run.error.get("kind", "")), str(run.error.get("message", "")))
        cases.append(case)
    totals = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": xml_time(run.duration_s),
    }
    suite = ET.Element("testsuite", {"name": xml_text(run.pipeline or run.id), **totals})
    if run.started_at:
        suite.set("timestamp", run.started_at[:19])
    properties = ET.SubElement(suite, "properties")
    for name, value in (("run", run.id), ("status", str(run.status)), ("git_sha", run.git_sha)):
        if value:
            ET.SubElement(properties, "property", {"name": name, "value": xml_text(value)})
    if run.ledger is not None:
        properties.extend(_used(run.ledger.total))
    suite.extend(cases)
    return document(run.pipeline or run.id, [suite])


def document(name: str, suites: Sequence[ET.Element]) -> bytes:
    """The whole of several suites, each with its `tests`, `failures`, `errors` and `time`."""
    totals = {key: str(sum(int(suite.get(key, "0")) for suite in suites)) for key in ("tests", "failures", "errors")}
    time = xml_time(sum(float(suite.get("time", "0")) for suite in suites))
    whole = ET.Element("testsuites", {"name": xml_text(name), **totals, "time": time})
    whole.extend(suites)
    ET.indent(whole)
    text: bytes = ET.tostring(whole, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _case(run: Run, node: str, state: NodeState, under_way: bool, *, tolerated: bool) -> ET.Element:
    case = ET.Element("testcase", _attributes(run, node, state.duration_s))
    error = state.error or {}
    message = str(error.get("message", ""))
    match state.status:
        case NodeStatus.FAILED if tolerated:
            _verdict(case, "skipped", "", f"failed, and was tolerated: {message}")
        case NodeStatus.FAILED:
            _verdict(case, "failure", str(error.get("kind", "")), message)
        case NodeStatus.CANCELLED if state.attempts:
            _verdict(case, "error", "cancelled", message or state.reason or "cancelled while it ran")
        case NodeStatus.RUNNING | NodeStatus.WAITING if under_way:
            _verdict(case, "skipped", "", f"{state.status}: the run is under way")
        case NodeStatus.RUNNING | NodeStatus.WAITING | NodeStatus.UNKNOWN:
            _verdict(case, "error", str(state.status), f"the run ended while the node was {state.status}")
        case NodeStatus.CANCELLED:
            _verdict(case, "skipped", "", state.reason or "cancelled before it ran")
        case status if status in _SKIPPED:
            _verdict(case, "skipped", "", _why(state))
        case _:
            pass
    if isinstance(state.output, str) and state.output:
        ET.SubElement(case, "system-out").text = xml_text(state.output[:_OUTPUT_KEPT])
    told = [str(error["tail"])] if error.get("tail") else []
    for item, failed in run.failed_items(node).items():
        why = failed.error or {}
        told.append(f"{item}: {why.get('message', '')}\n{why.get('tail') or ''}".rstrip("\n"))
    if told:
        ET.SubElement(case, "system-err").text = xml_text("\n".join(told)[:_OUTPUT_KEPT])
    return case


def _used(spent: Spent) -> ET.Element:
    """What calls of models used, as properties `usage.tokens`, `usage.cost`, …"""
    found = ET.Element("properties")
    for name, value in spent.to_json().items():
        ET.SubElement(found, "property", {"name": f"usage.{name}", "value": str(value)})
    return found


def _attributes(run: Run, name: str, seconds: float | None) -> dict[str, str]:
    return {"classname": xml_text(run.pipeline or run.id), "name": xml_text(name), "time": xml_time(seconds)}


def _verdict(case: ET.Element, tag: str, kind: str, message: str) -> None:
    verdict = ET.SubElement(case, tag, {"message": xml_text(message)})
    if kind:
        verdict.set("type", kind)
        verdict.text = xml_text(message)


def _why(state: NodeState) -> str:
    why = {"when": state.when, "values": state.values, "reason": state.reason, "by": state.by, "more": state.more}
    said = reason_line(why)
    return f"blocked by {said}" if state.by and not state.reason else said or str(state.status)


def xml_time(seconds: float | None) -> str:
    """Seconds as readers of JUnit take them; some take three decimals at most."""
    return f"{seconds or 0:.3f}"


def xml_text(text: str) -> str:
    """The text with what XML can't hold, not even escaped, written as `\\xNN` or `\\uNNNN`; and with what would act on
    a terminal, or as a command on a CI that prints the file."""

    def escape(match: re.Match[str]) -> str:
        code = ord(match.group())
        return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"

    shown = printable(text.replace("\r\n", "\n"), newlines=True, tabs=True)
    return _NOT_XML.sub(escape, ci_safe(shown))
