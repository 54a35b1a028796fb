"""The cases as JUnit XML: one suite for each file of tests."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree as ET

from pipe_runner.cases.performing import CaseResult
from pipe_runner.cases.words import Failure
from pipe_runner.reports.junit import document, xml_text, xml_time


def junit(results: Sequence[tuple[CaseResult, Sequence[Failure]]]) -> bytes:
    """The document. A failure has its first reason as its message, and all of them as its text."""
    suites = []
    for path, group in groupby(results, key=lambda pair: pair[0].suite.path):
        pairs = list(group)
        failed = sum(not result.passed for result, _ in pairs)
        totals = {"tests": str(len(pairs)), "failures": str(failed), "errors": "0"}
        time = xml_time(sum(result.seconds for result, _ in pairs))
        suite = ET.Element("testsuite", {"name": xml_text(path), **totals, "skipped": "0", "time": time})
        suite.extend(_case(result, reasons) for result, reasons in pairs)
        suites.append(suite)
    return document("pipe test", suites)


def _case(result: CaseResult, reasons: Sequence[Failure]) -> ET.Element:
    path = result.suite.path
    case = ET.Element(
        "testcase",
        {
            "classname": xml_text(path),
            "name": xml_text(result.case.name),
            "time": xml_time(result.seconds),
        },
    )
    if not result.passed:
        told = [f"{path}:{one.line}:{one.column}: {one.what}" for one in reasons]
        lines = [line for head, one in zip(told, reasons, strict=True) for line in (head, *one.details)]
        failure = ET.SubElement(case, "failure", {"message": xml_text(told[0]), "type": "expectation"})
        failure.text = xml_text("\n".join(lines))
    return case
