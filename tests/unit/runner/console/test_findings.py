"""Findings and measurements at a terminal: the worst first, with numbers, bounded, and safe whatever they hold."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_agents.findings import finding, result, unavailable
from pipe_runner.console.findings import findings_text, is_result
from pipe_runner.console.measured import measured_text
from pipe_runner.console.words import safe

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=12), inner, max_size=6),
    max_leaves=25,
)


def made(*findings: Any, **more: Any) -> dict[str, Any]:
    return {**result("x", findings, {}, began_ns=0, seconds=0.0), **more}


def test_the_worst_comes_first_with_what_to_do_and_what_was_not_measured_last() -> None:
    found = made(
        finding("disk.full", "/var", "low", "/var is 81 % full", suggestion="Look for what grows."),
        unavailable("temperature", "machine", "there is no sensor", "a sensor"),
        finding("tcp.refused", "db:5432", "critical", "refused the connection", estimated=True),
    )
    assert findings_text(found, width=80) == (
        "1 critical, 1 low: refused the connection; 1 could not be measured\n"
        "\n"
        "CRITICAL  db:5432: refused the connection (estimated)\n"
        "LOW       /var is 81 % full\n"
        "          → Look for what grows.\n"
        "\n"
        "Not measured:\n"
        "  - temperature of machine: there is no sensor; it needs: a sensor\n"
    )


def test_what_merging_adds_is_told() -> None:
    text = findings_text(
        made(
            correlations=[{"text": "both began at noon"}],
            contradictions=[{"subject": "db", "says": ["up", "down"]}],
            explanation={
                "summary": "It is DNS.",
                "claims": [{"text": "It is late.", "supported": False, "doubt": "no"}],
            },
        )
    )
    for line in (
        "  - both began at noon\n",
        "  - db: up / down\n",
        "  It is DNS.\n",
        "  ! no finding supports: It is late. (no)\n",
    ):
        assert line in text


def test_many_are_counted() -> None:
    text = findings_text(made(*(finding("a", str(number), "low", f"thing {number}") for number in range(250))), most=10)
    assert "… and 240 more\n" in text
    assert len(text.splitlines()) < 20


def test_numbers_have_their_units() -> None:
    text = measured_text(
        {
            "platform": "linux",
            "memory": {"total_bytes": 8 * 2**30, "used_percent": 12.5, "swap": {"used_bytes": 0}, "none": None},
            "disks": [{"path": "/", "free_bytes": 1536, "errors": None}, *[{"path": "/x", "free_bytes": 1}] * 9],
            "latency": {"p50_ms": 1.25, "sent": 10_000},
            "processes": {"top": [{"name": "pg", "pid": 7, "rss_bytes": 1024, "cpu_percent": 3.0}]},
            "empty": [],
        }
    )
    assert text == (
        "  memory: total 8 GiB, used 12.5 %; swap (used 0 B)\n"
        "  disks (first 5 of 10):\n"
        "    /: free 1.5 KiB\n" + "    /x: free 1 B\n" * 4 + "  latency: p50 1.25 ms, sent 10 000\n"
        "  processes:\n"
        "    top:\n"
        "      pg (pid 7): rss 1 KiB, cpu 3 %\n"
    ).replace("  processes:\n", "")


@given(JSON, st.integers(40, 120))
@settings(max_examples=150, deadline=None)
def test_whatever_was_measured_is_bounded_and_safe(value: Any, width: int) -> None:
    text = measured_text(value, width=width) + measured_text({"a": value, "b": {"c": value}}, width=width)
    assert len(text.splitlines()) <= 62
    assert [line for line in text.split("\n") if safe(line) != line] == []


@given(JSON, JSON)
@settings(max_examples=100, deadline=None)
def test_whatever_was_found_is_safe(one: Any, other: Any) -> None:
    found = {"severity": one, "summary": other, "findings": [{"severity": one, "summary": other, "needs": one}, one]}
    assert is_result(found)
    text = findings_text({**found, "correlations": [other, {"says": one}], "explanation": {"summary": one}})
    assert [line for line in text.split("\n") if safe(line) != line] == []
