"""`agent: findings`: what is merged, what contradicts, what belongs together, and what could not be looked at."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_agents.findings import finding, result, unavailable
from pipe_agents.findings_report import merge
from pipe_agents.merging.gather import Given, Missing, merged, taken_in
from pipe_agents.merging.rules import RULES
from pipe_schemas.findings import Finding
from pipe_schemas.merging import Merged, MergeOptions

NOW = 1_764_000_000 * 10**9
AT = "2025-11-24T16:00:00Z"


def gave(agent: str, *findings: dict[str, Any], **measurements: Any) -> dict[str, Any]:
    return result(agent, findings, measurements, began_ns=NOW, seconds=1.0)


def together(results: Any, window: float = 60) -> dict[str, Any]:
    output = merge(list(taken_in(results)), window, NOW)
    Merged.model_validate(output)
    return output


def rules(*findings: dict[str, Any], window: float = 60) -> list[str]:
    return [one["rule"] for one in together([gave("x", *findings)], window)["correlations"]]


FULL = finding("disk.full", "/var", "critical", "/var is 99.2 % full", {"used_percent": 99.2}, "Free space")
DRIFT = finding("time.drift", "clock", "low", "the clock is 2 s ahead")


def test_findings_of_all_results_stand_by_severity() -> None:
    output = together([gave("a", DRIFT), gave("b", FULL)])
    assert [one["id"] for one in output["findings"]] == ["disk.full:/var", "time.drift:clock"]
    assert output["severity"] == "critical"
    assert output["counts"] == {"critical": 1, "high": 0, "medium": 0, "low": 1, "info": 0, "unavailable": 0}
    assert [(one["name"], one["findings"]) for one in output["measurements"]["sources"]] == [("a", 1), ("b", 1)]
    assert output["summary"] == "1 critical, 1 low: /var is 99.2 % full"


def test_the_same_finding_of_two_is_one_that_names_both() -> None:
    mild = {**FULL, "severity": "medium", "evidence": {"free_bytes": 5, "used_percent": 99.0}}
    output = together({"first": gave("a", mild), "second": gave("b", FULL)})
    (one,) = output["findings"]
    assert (one["severity"], one["agents"], output["measurements"]["doubles"]) == ("critical", ["first", "second"], 1)
    assert one["evidence"] == {"free_bytes": 5, "used_percent": 99.2}


def test_what_one_could_not_measure_and_another_did_is_measured() -> None:
    output = together([gave("a", unavailable("disk.full", "/var", "no right", "root")), gave("b", FULL)])
    assert [one["status"] for one in output["findings"]] == ["measured"]
    assert output["blind_spots"] == []


def test_a_result_that_is_not_there_is_a_blind_spot() -> None:
    output = together({"network": None, "system": gave("b", FULL), "text": "hello", "failed": ""})
    assert [(one["what"], one["agent"]) for one in output["blind_spots"]] == [
        ("network", "network"),
        ("text", "text"),
        ("failed", "failed"),
    ]
    assert "failed, was skipped or was blocked" in output["blind_spots"][0]["why"]
    assert "no findings: hello" in output["blind_spots"][1]["why"]
    assert output["severity"] == "critical"


def test_what_could_not_be_measured_is_a_blind_spot_with_what_it_would_take() -> None:
    output = together([gave("a", unavailable("system.temperature", "cpu", "no sensor", "a sensor"))])
    assert output["blind_spots"] == [
        {"what": "system.temperature (cpu)", "why": "no sensor", "needs": "a sensor", "agent": "a"}
    ]
    assert output["severity"] == "info"
    assert output["summary"] == "nothing wrong was found; 1 thing could not be looked at"


def test_items_of_a_repeated_node_are_results_and_those_that_failed_blind_spots() -> None:
    items = [
        {"key": "web", "status": "succeeded", "output": gave("network_diagnostics", FULL), "error": None},
        {"key": "db", "status": "failed", "output": None, "error": {"kind": "timeout", "message": "after 5 s"}},
    ]
    output = together({"net": items})
    assert output["findings"][0]["agents"] == ["net[web]"]
    assert output["blind_spots"] == [{"what": "net[db]", "why": "after 5 s", "needs": None, "agent": "net[db]"}]


def test_a_node_can_be_given_with_its_error_which_says_why_there_is_nothing() -> None:
    failed = {"output": None, "error": {"kind": "not_found", "message": "/var/log/x: there is no such file"}}
    skipped = {"output": None, "error": None}
    output = together({"logs": failed, "net": skipped, "system": {"output": gave("s", FULL), "error": None}})
    assert [(one["what"], one["why"]) for one in output["blind_spots"]] == [
        ("logs", "/var/log/x: there is no such file"),
        ("net", "it gave nothing, and was skipped or blocked"),
    ]
    assert output["findings"][0]["agents"] == ["system"]


def test_a_plain_list_of_findings_will_do() -> None:
    output = together([[FULL, {"check": "own.check", "severity": "high"}]])
    assert [one["check"] for one in output["findings"]] == ["disk.full", "own.check"]
    assert output["measurements"]["sources"][0]["name"] == "results[0]"


def test_results_of_one_agent_keep_their_names_apart() -> None:
    output = together([gave("a", FULL), gave("a", DRIFT)])
    assert [one["name"] for one in output["measurements"]["sources"]] == ["a", "a (2)"]


def test_texts_and_numbers_of_findings_are_bounded() -> None:
    many = [{"check": f"c{i}", "subject": "x" * 900, "severity": "odd", "summary": "y" * 9000} for i in range(1200)]
    many[0]["evidence"] = {"deep": [["z" * 5000]], **{f"k{i}": i for i in range(100)}}
    output = together([many])
    assert len(output["findings"]) == 1000
    assert output["measurements"]["left_out"] == 200
    assert output["blind_spots"][-1]["why"] == "there are 200 more than the 1,000 that one report holds"
    assert {one["severity"] for one in output["findings"]} == {"info"}
    assert max(len(one["summary"]) for one in output["findings"]) == 500
    first = next(one for one in output["findings"] if one["check"] == "c0")
    assert len(first["evidence"]) == 60
    assert len(first["evidence"]["deep"]) == 500


# ---------------------------------------------------------------- contradictions


def test_an_open_port_that_another_found_refused_is_a_contradiction() -> None:
    refused = finding("tcp.refused", "Web:443", "high", "web:443 refused the connection")
    tried = [{"port": 443, "address": "10.0.0.7", "state": "open"}, {"port": 22, "state": "refused"}]
    hosts = [{"host": "web", "tcp": {"ports": tried}}]
    (one,) = together({"here": gave("a", refused), "there": gave("b", hosts=hosts)})["contradictions"]
    assert one["subject"] == "web:443"
    assert one["says"] == ["there: web:443 is open", "here: web:443 refused the connection"]
    assert one["findings"] == ["tcp.refused:Web:443"]
    assert "Measure both again" in one["check"]


def test_an_answer_over_http_contradicts_a_refused_port() -> None:
    refused = finding("tcp.refused", "web:8080", "high", "web:8080 refused")
    answers = [{"url": "http://web:8080/health", "status": 200}]
    (one,) = together([gave("a", refused), gave("b", answers=answers)])["contradictions"]
    assert one["says"][0] == "b: http://web:8080/health answered 200"


def test_an_active_service_without_a_process_is_a_contradiction() -> None:
    absent = finding("processes.missing", "nginx", "high", "no process nginx runs")
    units = [{"name": f"{name}.service", "active": "active", "sub": "running"} for name in ("nginx", "ssh")]
    (one,) = together([gave("system", absent), gave("infra", services=units)])["contradictions"]
    assert one["subject"] == "nginx"


def test_states_that_agree_or_are_of_other_things_contradict_nothing() -> None:
    refused = finding("tcp.refused", "127.0.0.1:443", "high", "refused")
    ports = [{"host": "127.0.0.1", "port": 443, "state": "refused"}, {"host": "::1", "port": 443, "state": "open"}]
    assert together([gave("a", refused), gave("b", ports=ports)])["contradictions"] == []


def test_the_same_measured_value_that_differs_is_a_contradiction_where_it_lasts() -> None:
    one = finding("disk.full", "/var", "high", "x", {"total_bytes": 10, "used_percent": 99.0, "read_only": False})
    two = finding("disk.inodes", "/var", "high", "y", {"total_bytes": 12, "used_percent": 98.0, "read_only": False})
    (found,) = together([gave("a", one), gave("b", two)])["contradictions"]
    assert found["findings"] == ["disk.full:/var", "disk.inodes:/var"]
    assert found["says"] == ["a: disk.full says total is 10", "b: disk.inodes says total is 12"]


def test_the_same_check_of_two_that_says_yes_and_no_is_a_contradiction() -> None:
    one = finding("disk.readonly", "/var", "high", "x", {"read_only": True, "state": "ro"})
    (found, other) = together([gave("a", one), gave("b", {**one, "evidence": {"read_only": False, "state": "rw"}})])[
        "contradictions"
    ]
    assert found["says"] == ["a: disk.readonly says read only is yes", "b: disk.readonly says read only is no"]
    assert other["findings"] == ["disk.readonly:/var"]
    apart = finding("disk.errors", "/var", "high", "x", {"read_only": False, "state": "clean"})
    assert together([gave("a", one), gave("b", apart)])["contradictions"] == []


def test_a_process_of_a_service_that_is_not_active_is_a_contradiction() -> None:
    down = finding("service.inactive", "nginx.service", "high", "nginx.service is inactive")
    processes = {"top_cpu": [{"pid": 7, "name": "nginx", "rss_bytes": 1}, {"pid": 8, "name": "sh", "rss_bytes": 1}]}
    (one,) = together([gave("infra", down), gave("system", processes=processes)])["contradictions"]
    assert one["says"] == ["infra: nginx.service is inactive", "system: the process nginx runs (pid 7)"]


# ---------------------------------------------------------------- what belongs together

OOM = finding("logs.oom", "all", "high", "3 lines of processes ended for want of memory")
PRESSURE = finding("pressure.memory", "machine", "medium", "all tasks stood still for memory 41 % of the last minute")
PAIRS = {
    "memory ran out": (OOM, PRESSURE),
    "disk is full and writes fail": (FULL, finding("logs.errors", "all", "low", "No space left on device, 12 times")),
    "disk is failing": (
        finding("logs.disk_error", "all", "high", "8 lines of errors of disks"),
        finding("io.slow", "sda", "low", "requests took 900 ms"),
    ),
    "certificate breaks the service": (
        finding("tls.expired", "web:443", "critical", "expired 3 days ago"),
        finding("http.certificate", "https://web/", "high", "the certificate has expired"),
    ),
    "clock makes certificates wrong": (
        finding("logs.out_of_time", "all", "low", "2 lines of clocks that can't be set"),
        finding("tls.not_yet_valid", "web:443", "high", "valid from tomorrow on"),
    ),
    "service crashes": (
        finding("service.restarts", "app.service", "high", "app.service restarted 12 times"),
        finding("logs.segfault", "all", "medium", "4 lines of crashed processes"),
    ),
    "name is not resolved": (
        finding("dns.servfail", "web.example @10.0.0.2", "high", "SERVFAIL"),
        finding("http.unknown_host", "https://web.example/", "high", "no address"),
    ),
    "nothing listens": (
        finding("tcp.refused", "localhost:5432", "high", "refused"),
        finding("service.failed", "postgresql.service", "critical", "failed"),
    ),
    "network loses packets": (
        finding("latency.loss", "web", "high", "12 % of 50 probes were lost"),
        finding("tcp.filtered", "web:443", "high", "no answer"),
    ),
    "somebody guesses passwords": (
        finding("logs.failed_login", "203.0.113.9", "high", "412 failed logins in 5 minutes"),
        finding("cpu.busy", "machine", "medium", "the cores are 96 % busy"),
    ),
    "machine is overloaded": (
        finding("cpu.busy", "machine", "high", "the cores are 99 % busy"),
        finding("http.slow", "http://web/", "medium", "2.4 s"),
    ),
    "limit is reached": (
        finding("limits.open_files", "nginx", "high", "97 % of 1,024"),
        finding("logs.file_limit", "all", "high", "9 lines of processes at their limit of open files"),
    ),
    "errors rise with a service in trouble": (
        finding("logs.burst", "errors", "medium", "400 errors, mostly: billing can't pay"),
        finding("service.failed", "billing.service", "high", "billing.service has failed"),
    ),
}


def test_every_rule_has_an_example_and_stands_in_the_docs() -> None:
    assert set(PAIRS) == {rule.name for rule in RULES}
    text = (Path(__file__).resolve().parents[3] / "docs/findings.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z ]+)` \|", text.partition("| rule |")[2].partition("\n\n")[0], re.MULTILINE) == [
        rule.name for rule in RULES
    ]


def test_every_option_and_key_is_in_the_docs() -> None:
    text = (Path(__file__).resolve().parents[3] / "docs/findings.md").read_text(encoding="utf-8")
    table = text.partition("| option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z_]+)` \|", table, re.MULTILINE)) == set(MergeOptions.model_fields)
    for model in (Merged, Finding):
        assert all(f"`{key}`" in text for key in model.model_fields)


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_findings_that_belong_together_are_named_by_their_ids(name: str) -> None:
    one, two = PAIRS[name]
    output = together([gave("a", one), gave("b", two), gave("c", DRIFT)])
    found = next(group for group in output["correlations"] if group["rule"] == name)
    assert set(found["findings"]) == {one["id"], two["id"]}
    assert found["text"].startswith("Together these suggest that ")
    assert found["severity"] == min(one["severity"], two["severity"], key=["critical", "high", "medium", "low"].index)
    assert name not in rules(one)
    assert name not in rules(two)


def test_findings_of_other_hosts_do_not_belong_together() -> None:
    expired, failed = PAIRS["certificate breaks the service"]
    assert rules(expired, {**failed, "subject": "https://other/", "id": "x"}) == []


def test_what_was_not_measured_or_is_not_wrong_belongs_to_nothing() -> None:
    assert rules(OOM, unavailable("pressure.memory", "machine", "no PSI", "a kernel")) == []
    assert rules(OOM, {**PRESSURE, "severity": "info"}) == []


def test_a_handshake_that_never_came_says_nothing_of_the_certificate() -> None:
    silent = finding("tls.failed", "web:443", "high", "there is no TLS handshake within 7 s")
    assert rules(silent, finding("http.tls", "https://web/", "high", "the TLS handshake was not done")) == []


def test_what_is_days_apart_does_not_belong_together() -> None:
    old = {**OOM, "evidence": {"first_at": "2025-11-20T01:00:00Z", "last_at": "2025-11-20T02:00:00Z"}}
    new = {**OOM, "evidence": {"last_at": "2025-11-24T15:30:00Z"}}
    assert rules(old, PRESSURE) == []
    assert rules(old, PRESSURE, window=10_000) == ["memory ran out"]
    (found,) = together([gave("x", new, PRESSURE)])["correlations"]
    assert found["minutes_apart"] == 30.0


def test_lines_of_logs_without_a_time_are_not_said_to_be_of_now() -> None:
    output = together([gave("log_analysis", OOM), gave("system_monitoring", PRESSURE)])
    assert output["correlations"][0]["minutes_apart"] is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
                        st.sampled_from(["findings", "check", "severity", "subject", "summary", "evidence", "key",
                                         "status", "output", "error", "agent", "measurements", "port", "host"])
                        | st.text(max_size=3), inner, max_size=6)))  # fmt: skip
@settings(max_examples=60)
def test_whatever_nodes_gave_makes_an_output_of_the_declared_shape(value: Any) -> None:
    output = together([value])
    assert len(output["blind_spots"]) + len(output["measurements"]["sources"]) >= 1 or value == []


def test_taken_in_tells_what_is_there_from_what_is_not() -> None:
    assert [type(one) for one in taken_in([None, [], {"findings": []}])] == [Missing, Given, Given]
    assert merged([]).findings == []


def test_many_hosts_have_each_their_own_correlation() -> None:
    expired, failed = PAIRS["certificate breaks the service"]
    many = [
        {**one, "id": f"{one['check']}:{host}", "subject": one["subject"].replace("web", host)}
        for one in (expired, failed)
        for host in (f"h{number}.example" for number in range(120))
    ]
    found = together([many])["correlations"]
    assert len(found) == 50
    assert all(len(one["findings"]) == 2 for one in found)
