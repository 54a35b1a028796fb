"""`network_diagnostics`: what its options mean, what it looks at by default, and how it ends."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipe_agents.network import settings as defaults
from pipe_agents.network.settings import Settings
from pipe_agents.network.targets import ascii_name, host_of, ports_of, resolver_of
from pipe_agents.network.waiting import READ, Stop, Stopped, each, in_time
from pipe_agents.network_diagnostics import NetworkAgent
from pipe_runner.errors import NodeFault
from pipe_runner.masking import SecretMasker
from pipe_runner.testing import run_pipeline
from pipe_schemas.network import NetworkOptions, NetworkThresholds

LOOK_AT = "network.dns network.tcp network.latency network.route network.http network.tls network.local"


def test_defaults_are_those_that_the_model_tells() -> None:
    model = NetworkOptions(host="x")
    for name, value in defaults.DEFAULTS.items():
        assert getattr(model, name) == value, name
    assert NetworkThresholds().model_dump() == defaults.THRESHOLDS
    assert tuple(model.record_types) == defaults.RECORDS


@pytest.mark.parametrize(
    ("options", "checks"),
    [
        ({}, "local"),
        ({"host": "a.test"}, "dns tcp latency"),
        ({"host": "a.test", "ports": [22, 8080]}, "dns tcp latency"),
        ({"host": "a.test", "ports": [443]}, "dns tcp latency tls"),
        ({"urls": ["http://a.test/"]}, "dns http"),
        ({"urls": ["https://a.test/"]}, "dns http tls"),
        ({"host": "b.test", "urls": ["https://a.test/"]}, "dns tcp latency http tls"),
        ({"resolvers": ["10.0.0.2"]}, "dns"),
        ({"host": "a.test", "checks": ["tls", "dns", "dns"]}, "dns tls"),
        ({"checks": ["local"]}, "local"),
    ],
)
def test_what_is_looked_at_follows_from_what_is_named(options: Any, checks: str) -> None:
    assert " ".join(Settings.read(options).checks) == checks


def test_what_is_not_named_is_not_touched() -> None:
    one = Settings.read({"hosts": ["a.test", "A.test.", "b.test"], "ports": [80, "8000-8002", 80]})
    assert [host.name for host in one.hosts] == ["a.test", "b.test"]
    assert one.ports == (80, 8000, 8001, 8002)
    assert one.tls == ()
    assert one.places == ()
    url = Settings.read({"urls": ["https://a.test:8443/x"], "checks": ["tcp", "tls"]})
    assert url.ports == (8443,)
    assert [(host.name, port, name, sure) for host, port, name, sure in url.tls] == [("a.test", 8443, "a.test", True)]


@pytest.mark.parametrize(
    ("options", "urls"),
    [
        ({"host": "a.test"}, ["https://a.test/"]),
        ({"host": "a.test", "ports": [22, 80, 8443]}, ["http://a.test:80/", "https://a.test:8443/"]),
        ({"host": "::1", "ports": [9000]}, ["http://[::1]:9000/"]),
    ],
)
def test_urls_of_a_host(options: Any, urls: list[str]) -> None:
    assert [place.url for place in Settings.read({**options, "checks": ["http"]}).places] == urls


@pytest.mark.parametrize(
    "options",
    [
        {"host": "1.2.3"},
        {"host": "0x7f.1"},
        {"host": "a..b"},
        {"host": "x" * 64},
        {"host": "1::2::3"},
        {"urls": ["http://[::1"]},
        {"urls": ["https://:443/"]},
        {"host": "a", "resolvers": ["dns.example"]},
        {"host": "a", "resolvers": ["10.0.0.1:0"]},
        {"host": "a", "resolvers": ["[::1]:x"]},
        {"hosts": [f"h{number}" for number in range(3)], "ports": ["1-65535"]},
        {"checks": ["tcp"]},
    ],
)
def test_what_can_not_be_meant_is_refused(options: Any) -> None:
    with pytest.raises(NodeFault) as raised:
        Settings.read(options)
    assert raised.value.kind == "refused"


@pytest.mark.parametrize(
    ("text", "name"),
    [("[::1]", "::1"), ("2001:DB8::1", "2001:db8::1"), ("10.0.0.5", "10.0.0.5"), ("Straße.test", "strasse.test"),
     ("münchen.de", "xn--mnchen-3ya.de"), ("a.b.", "a.b"), ("_srv.a", "_srv.a")],
)  # fmt: skip
def test_hosts_in_every_form(text: str, name: str) -> None:
    assert host_of(text).name in (name, "xn--strae-oqa.test" if name == "strasse.test" else name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("10.0.0.2", "10.0.0.2:53"), ("127.0.0.1:5353", "127.0.0.1:5353"), ("::1", "[::1]:53"), ("[::1]:54", "[::1]:54")],
)
def test_resolvers_in_every_form(text: str, shown: str) -> None:
    assert str(resolver_of(text)) == shown


@given(st.text(max_size=80))
def test_any_text_is_a_host_or_refused(text: str) -> None:
    try:
        name = host_of(text).name
    except NodeFault:
        return
    assert name.isascii()
    assert host_of(name).name == name


@given(st.text(max_size=300))
def test_a_name_in_ascii_stays_as_it_is(text: str) -> None:
    try:
        name = ascii_name(text)
    except NodeFault:
        return
    assert ascii_name(name) == name


def test_ranges_of_ports() -> None:
    assert ports_of([443, "80-82", "81", 443]) == [443, 80, 81, 82]


@pytest.mark.parametrize("port", ["0-5", "5-4", "1-70000", "x", "1-2-3", " 1", "٣"])
def test_ports_that_are_none(port: str) -> None:
    with pytest.raises(ValidationError):
        NetworkOptions(host="a", ports=[port])


def test_the_agent_says_what_it_can_do() -> None:
    about = NetworkAgent().describe()
    assert " ".join(about.capabilities) == LOOK_AT
    for one in about.capabilities:
        assert one.summary.endswith(".")  # type: ignore[attr-defined]
        assert 5 <= len(one.words) <= 20  # type: ignore[attr-defined]
    roles = {
        name: field.json_schema_extra["x-task"]
        for name, field in NetworkOptions.model_fields.items()
        if isinstance(field.json_schema_extra, dict)
    }
    assert roles == {"host": "host", "hosts": "hosts", "ports": "ports", "urls": "urls", "checks": "checks"}


def test_every_finding_of_a_whole_run_is_of_the_declared_shape(bench: Any) -> None:
    options = {
        "host": "localhost", "ports": [1, 2], "urls": ["http://127.0.0.1:1/", "https://127.0.0.1:1/"], "probes": 2,
        "checks": ["dns", "tcp", "latency", "route", "http", "tls", "local"], "timeout": "500ms",
        "probe_interval": "1ms",
    }  # fmt: skip
    outcome = asyncio.run(bench.perform(NetworkAgent(), options))
    schema: Any = NetworkAgent().output_schema({})
    jsonschema.validate(outcome.output, schema)
    assert outcome.output["measurements"]["checks"] == options["checks"]
    lines = bench.printed().splitlines()
    assert [line.partition(":")[0] for line in lines if line] == [
        "tcp",
        "latency",
        "route",
        "http",
        "http",
        "tls",
        "local",
    ]
    ids = [one["id"] for one in outcome.output["findings"]]
    assert len(set(ids)) == len(ids)
    assert all(one["suggestion"] for one in outcome.output["findings"] if one["status"] != "unavailable")
    assert all(one["why"] and one["needs"] for one in outcome.output["findings"] if one["status"] == "unavailable")


PIPELINE = """
version: 1
inputs: {ports: {type: array, items: {type: integer}, default: [1]}}
nodes:
  net:
    agent: network_diagnostics
    with: {host: 127.0.0.1, ports: "{{ inputs.ports }}", checks: [tcp]}
  told:
    when: nodes.net.output.measurements.hosts[0].tcp.refused > 0
    run: printf '%s' {{ nodes.net.output.findings[0].summary }}
outputs: {said: "{{ nodes.told.output }}", severity: "{{ nodes.net.output.severity }}"}
"""


def test_a_pipeline_reads_what_was_measured(tmp_path: Path) -> None:
    finished = run_pipeline(PIPELINE, root=tmp_path, inputs={})
    assert finished.status == "succeeded"
    assert finished.outputs == {"said": "127.0.0.1:1 refused the connection", "severity": "high"}


@pytest.mark.parametrize("wrong", ["hosts[0].tcp.shut", "hosts[0].udp", "dns"])
def test_a_measurement_that_there_is_not_is_found_before_the_run(tmp_path: Path, wrong: str) -> None:
    from pipe_runner.errors import InvalidPipeline

    with pytest.raises(InvalidPipeline):
        run_pipeline(PIPELINE.replace("hosts[0].tcp.refused", wrong), root=tmp_path, inputs={})


def test_s4_secrets_in_names_are_masked(bench: Any) -> None:
    bench.masker = SecretMasker({"TOKEN": "very-secret-value"})
    options = {"urls": ["http://127.0.0.1:1/very-secret-value"], "checks": ["http"]}
    outcome = asyncio.run(bench.perform(NetworkAgent(), options))
    assert "very-secret-value" not in repr(outcome) + repr(bench.events)


# ---------------------------------------------------------------- waiting


def test_a_stop_ends_every_wait_at_once() -> None:
    import socket

    stop = Stop()
    ended: list[str] = []
    one, other = socket.socketpair()

    def wait(number: int) -> None:
        try:
            stop.wait(one, READ, time.monotonic() + 60)
        except Stopped:
            ended.append("stopped")
            raise

    timer = threading.Timer(0.05, stop.set)
    timer.start()
    with one, other, pytest.raises(Stopped):
        each(wait, range(4), 4, stop)
    timer.join()
    assert ended == ["stopped"] * 4
    with pytest.raises(Stopped):
        stop.pause(60)
    stop.leave()


def test_results_come_in_order_and_an_error_is_raised() -> None:
    stop = Stop()
    assert each(lambda number: number * 2, range(50), 7, stop) == [number * 2 for number in range(50)]
    with pytest.raises(ZeroDivisionError):
        each(lambda number: 1 // (number - 3), range(8), 3, stop)
    stop.leave()


def test_what_can_not_be_ended_is_left() -> None:
    stop, done = Stop(), threading.Event()
    with pytest.raises(TimeoutError):
        in_time(lambda: done.wait(10), time.monotonic() + 0.05, stop)
    assert in_time(lambda: 7, time.monotonic() + 10, stop) == 7
    with pytest.raises(KeyError):
        in_time(lambda: {}["x"], time.monotonic() + 10, stop)
    done.set()
    stop.leave()


def test_x3_cancelled_threads_end_soon(bench: Any) -> None:
    async def cancelled() -> None:
        agent = NetworkAgent()
        options = {"host": "127.0.0.1", "checks": ["latency"], "probes": 1000, "probe_interval": "1s"}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await bench.perform(agent, options)
        await agent.close()

    before = set(threading.enumerate())
    asyncio.run(cancelled())
    until = time.monotonic() + 5
    while set(threading.enumerate()) - before and time.monotonic() < until:
        time.sleep(0.01)
    assert set(threading.enumerate()) - before == set()


# ---------------------------------------------------------------- the page

REPOSITORY = Path(__file__).resolve().parents[3]
PAGE = (REPOSITORY / "docs/network.md").read_text(encoding="utf-8")


def test_every_option_and_threshold_is_in_the_page() -> None:
    table = PAGE.partition("| option |")[2].partition("\n\n")[0]
    named = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`([a-z_]+)`", row.split("|")[1] if "|" in row else "")
    }
    assert named == set(NetworkOptions.model_fields)
    for name, value in defaults.THRESHOLDS.items():
        assert re.search(rf"`{name}` \({value:g}\)", PAGE), name


def test_every_finding_is_in_the_page_and_the_other_way_round() -> None:
    source = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "agents/pipe_agents/network").glob("*.py")
    )
    areas = "|".join(defaults.CHECKS)
    made = set(re.findall(rf'"((?:{areas})\.[a-z_]+)"', source))
    made |= {
        f"dns.{status}" for status in ("timeout", "unreachable", "servfail", "refused", "error", "lame", "malformed")
    }
    made |= {f"tcp.{state}" for state in ("refused", "filtered", "unreachable")}
    made |= {f"http.slow_{phase}" for phase in ("dns", "connect", "tls", "first_byte")}
    made |= {"local.interfaces", "local.sockets"}
    told = set(re.findall(rf"`((?:{areas})\.[a-z_]+)`", PAGE))
    assert made - told == set()
    assert told - made == set()


def test_a_run_imports_only_what_it_uses() -> None:
    script = (
        "import asyncio, sys\n"
        "from pipe_agents.network_diagnostics import NetworkAgent\n"
        "from pipe_runner.masking import NoMasking\n"
        "from pipe_runner.ports import Attempt, Context\n"
        "from pipe_runner.testing import FakeClock\n"
        "options = {'host': '127.0.0.1', 'ports': [1], 'urls': ['http://127.0.0.1:1/'],"
        "           'checks': ['tcp', 'http', 'tls']}\n"
        "attempt = Attempt('r', 'n', 1, 'network_diagnostics', options, {}, '/', 'k')\n"
        "context = Context(lambda kind, data: None, None, FakeClock(), NoMasking(), {}, {}, '/')\n"
        "asyncio.run(NetworkAgent().perform(attempt, context))\n"
        "print(sorted({'pydantic', 'yaml', 'dns', 'cryptography', 'psutil', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
