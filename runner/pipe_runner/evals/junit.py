"""An evaluation as JUnit XML: one test for each case, and one for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from pipe_runner.evals.deciding import Tally, Verdict
from pipe_runner.evals.performing import Result
from pipe_runner.evals.sample import Sample
from pipe_runner.evals.telling import sentence
from pipe_runner.reports.junit import document, xml_text, xml_time

_WHOLE = "overall"


def junit(result: Result) -> bytes:
    """The document. A case below its threshold has failed; one of which a sample couldn't be graded is an error, unless
    the whole has passed without it; one of which no sample counts is skipped."""
    evaluation, samples = result.evaluation, result.by_case()
    tests = [_case(result, name, tally, samples[name]) for name, tally in result.decider.cases.items()]
    tests.append(_whole(result))
    count = {kind: sum(test.find(kind) is not None for test in tests) for kind in ("failure", "error", "skipped")}
    suite = ET.Element(
        "testsuite",
        {
            "name": xml_text(evaluation.path),
            "tests": str(len(tests)),
            "failures": str(count["failure"]),
            "errors": str(count["error"]),
            "skipped": str(count["skipped"]),
            "time": xml_time(result.seconds),
        },
    )
    suite.extend(tests)
    return document("pipe eval", [suite])


def _case(result: Result, name: str, tally: Tally, samples: Sequence[Sample]) -> ET.Element:
    evaluation = result.evaluation
    test = _test(evaluation.path, name, sum(sample.seconds for sample in samples))
    told = "\n".join(f"{sample.run}: {sample.why}" for sample in samples if not sample.passed)
    if tally.graded and tally.passed / tally.graded < evaluation.each:
        _add(test, "failure", f"{tally.passed} of {tally.graded} samples passed", told)
    elif result.verdict is not Verdict.PASSED and any(sample.passed is None for sample in samples):
        _add(test, "error", "not every sample could be graded", told)
    elif not samples:
        why = result.stopped or "the result was decided without it"
        ET.SubElement(test, "skipped", {"message": xml_text(f"no sample was graded: {why}")})
    elif told:
        ET.SubElement(test, "system-out").text = xml_text(told)
    return test


def _whole(result: Result) -> ET.Element:
    test = _test(result.evaluation.path, _WHOLE, result.seconds)
    kinds = {Verdict.FAILED: "failure", Verdict.UNDECIDED: "error"}
    kind = kinds.get(result.verdict)
    if kind is not None:
        _add(test, kind, sentence(result), "")
    return test


def _test(path: str, name: str, time: float) -> ET.Element:
    return ET.Element("testcase", {"classname": xml_text(path), "name": xml_text(name), "time": xml_time(time)})


def _add(test: ET.Element, kind: str, message: str, text: str) -> None:
    ET.SubElement(test, kind, {"message": xml_text(message), "type": "evaluation"}).text = xml_text(text)
