"""What is a name in a task, and what is a state, a word for a time, or a part of something else."""

from __future__ import annotations

import pytest

from pipe_runner.registry import Registry
from pipe_runner.routing import cards_of
from pipe_runner.routing.entities import entities, of_role
from pipe_runner.routing.scores import scored

CARDS = cards_of(Registry.installed())


@pytest.mark.parametrize(
    ("task", "role", "wanted"),
    [
        ("is the web container healthy", "containers", ["web"]),
        ("are both containers running", "containers", []),
        ("is container web unhealthy", "containers", ["web"]),
        ("does the container restart", "containers", []),
        ("container memory is high", "containers", []),
        ("is the old container gone", "containers", []),
        ("why is container db-1 in a restart loop", "containers", ["db-1"]),
        ("why does my service crash", "services", []),
        ("why did the service fail", "services", []),
        ("is the payment service down", "services", ["payment"]),
        ("is service nginx up", "services", ["nginx"]),
        ("two services hang", "services", []),
        ("the service responds slowly", "services", []),
        ("why are pods in pending state", "namespace", []),
        ("pods in trouble", "namespace", []),
        ("pods in CrashLoopBackOff", "namespace", []),
        ("pods in CrashLoopBackOff in namespace payments", "namespace", ["payments"]),
        ("pods in CrashLoopBackOff in payments", "namespace", ["payments"]),
        ("pods in error in staging", "namespace", ["staging"]),
        ("are pods in production ok", "namespace", ["production"]),
        ("deployments in bad shape", "namespace", []),
        ("node.js uses too much memory", "paths", []),
        ("why is Next.js slow, see app.js", "paths", ["app.js"]),
        ("packet loss with version 1.2.3.4", "hosts", []),
        ("nginx v1.25.3.1 is slow", "hosts", []),
        ("is 1.2.3.4 up", "hosts", ["1.2.3.4"]),
        ('errors in "/var/log/my app/x.log"', "paths", ["/var/log/my app/x.log"]),
        ("errors in 'my file.log'", "paths", ["my file.log"]),
        ("errors in \u201cmy file.log\u201d please", "paths", ["my file.log"]),
        ("what's in web01's /var/log/x.log, it's big", "paths", ["/var/log/x.log"]),
        ('find "connection refused to /run/x.sock" in app.log', "paths", ["/run/x.sock", "app.log"]),
        ("errors in '/var/log/app/*.log'", "paths", ["/var/log/app/*.log"]),
        ("resolve m\u00fcnchen.de", "hosts", ["m\u00fcnchen.de"]),
        ("resolve \u4f8b\u3048.\u30c6\u30b9\u30c8", "hosts", ["\u4f8b\u3048.\u30c6\u30b9\u30c8"]),
        ("reach b\u00fccher.example:8443", "ports", ["8443"]),
        ("reach web01, web02 and db-1", "hosts", ["web01", "web02", "db-1"]),
        ("web01's disk is full", "hosts", ["web01"]),
        ("web01 is slow", "hosts", ["web01"]),
        ("do we have packet drops on eth0", "hosts", []),
        ("errors on sda1 and nvme0n1", "hosts", []),
        ("is cpu0 busy", "hosts", []),
        ("top10 processes on python3", "hosts", []),
        ("is http2 on", "hosts", []),
        ("when does the domain example.com expire", "domains", ["example.com"]),
        ("is our example.org domain about to expire", "domains", ["example.org"]),
    ],
)
def test_names(task: str, role: str, wanted: list[str]) -> None:
    assert of_role(entities(task)[0], role) == wanted


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        ("errors in the last five minutes", ["5m"]),
        ("errors in the last half hour", ["30m"]),
        ("errors in the last twelve hours", ["12h"]),
        ("errors in the past couple of days", ["2d"]),
        ("errors since monday", ["7d"]),
        ("errors on Friday", ["7d"]),
        ("error at 12:30 in app.log", ["1d"]),
        ("what happened at 3am", ["1d"]),
        ("errors between 10:00 and 11:00", ["1d"]),
        ("errors over the weekend", ["7d"]),
        ("errors in the last month", ["31d"]),
        ("errors ten minutes ago", ["10m"]),
        ("errors an hour ago", ["1h"]),
    ],
)
def test_times(task: str, wanted: list[str]) -> None:
    assert of_role(entities(task)[0], "duration") == wanted


@pytest.mark.parametrize(
    ("task", "what"),
    [
        ("errors on 2024-05-01", "2024-05-01"),
        ("errors since March 3", "since March 3"),
        ("errors in the last quarter", "in the last quarter"),
        ("errors around christmas", "christmas"),
        ("errors on 03.05.2024", "03.05.2024"),
        ("errors since the last deployment", "since the last deployment"),
        ("errors in december", "in december"),
    ],
)
def test_a_time_that_is_not_understood_is_told(task: str, what: str) -> None:
    best, *_ = scored(task, CARDS).chosen(1)
    assert best.agent == "log_analysis"
    assert [one.what for one in best.unseen] == [what]
    assert what in best.options["not_looked_at"][0]["what"]


@pytest.mark.parametrize("task", ["errors since monday in app.log", "what crashed at 3am", "errors over the weekend"])
def test_a_time_that_is_taken_broadly_is_told(task: str) -> None:
    best, *_ = scored(task, CARDS).chosen(1)
    assert " taken as " in best.why


def test_one_name_that_does_not_fit_costs_no_other() -> None:
    best, *_ = scored("are pods of namespace PAY or namespace payments crashing", CARDS).chosen(1)
    assert best.options["namespace"] == "payments"
    assert [one.what for one in best.unseen] == ["namespace PAY"]


def test_only_absolute_paths_are_file_systems() -> None:
    ranked = {one.agent: one for one in scored("disk full, see app.log and /var", CARDS).ranked}
    assert ranked["system_monitoring"].options["paths"] == ["/var"]
    assert ranked["log_analysis"].options["paths"] == ["app.log", "/var"]
