"""For every test: hypothesis measures no time, since a busy machine is no fault, bounds of CPU time are those of a
machine whose pace is known, and what tests start finds our modules compiled."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import settings

if TYPE_CHECKING:
    from model_servers import Service

settings.register_profile("pipe", deadline=None)
settings.load_profile("pipe")

Collected = Generator[None, pytest.CollectReport, pytest.CollectReport]
CLOCK = re.compile(
    r"^E .*(built-in function (monotonic|perf_counter)|seconds of the clock|where [0-9.]+ = .*[.](seconds|duration)$"
    r"|where False = until\(.*, (0?[.][0-9]+|[1-5])\)|TimeoutExpired.* ([0-5]|[0-4][.][0-9]+) seconds)",
    re.MULTILINE,
)
"""What pytest says of an assertion about seconds of the clock."""
PACE = 0.03
"""Seconds of CPU that `piece_of_work` takes on the machine that bounds of time are given for."""


def pytest_configure(config: pytest.Config) -> None:
    """Where no bytecode is wanted in the checkout it is kept in a folder that goes with the session, since processes
    that compile all of the runner anew take three times as long to start. The environment tells workers of xdist."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        folder = tempfile.mkdtemp(prefix="pipe-tests-")
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Collected:
    """Every other worker of xdist begins with the last file: rewriting assertions takes most of the time of collecting,
    and who comes to a file second finds it done."""
    report = yield
    if isinstance(collector, pytest.Directory) and os.environ.get("PYTEST_XDIST_WORKER", "gw0")[-1] in "13579":
        report.result.reverse()
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test that is marked `few(n)`, all cases but n are slow: those are spread evenly over all. All workers have
    the same order."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.path.parts)
    cases: dict[tuple[object, str], list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("few") is not None:
            cases.setdefault((item.path, item.name.partition("[")[0]), []).append(item)
    for them in cases.values():
        marker = them[0].get_closest_marker("few")
        assert marker is not None
        many = marker.args[0]
        always = {number * len(them) // many for number in range(many)} if many < len(them) else range(len(them))
        for number, item in enumerate(them):
            if number not in always:
                item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Where others work on the machine, too, a bound in seconds of the clock can be missed: such a test, and no other,
    is tried again, twice at most. What it missed before stands in its properties (of `--junitxml`)."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for tries_left in (2, 1, 0):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        missed = [report.longreprtext for report in reports if report.failed and CLOCK.search(report.longreprtext)]
        if not missed or not tries_left:
            break
        item.user_properties.append(("missed", missed[0][-300:]))
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests elsewhere count the processes below this one: that which acceptance tests fork from isn't kept for them.
    And an attempt that an earlier test left behind holds that test's standard streams."""
    capture = sys.modules.get("pipe_runner.capture")
    if capture is not None and capture.ROUTES._users:
        capture.ROUTES._users = 0
        capture.ROUTES._owners.clear()
    warm: Any = item.config.pluginmanager.get_plugin("warm")
    if warm is not None and "acceptance" not in item.path.parts:
        warm.end()


def piece_of_work() -> int:
    """What a check does, too: objects, texts, JSON, a sort."""
    made = {f"k{i}": {"a": [i, str(i)], "b": f"{i}-x", "c": None} for i in range(4000)}
    found = json.loads(json.dumps(made))
    return len({repr((key, tuple(item["a"]), item["b"].split("-"))) for key, item in sorted(found.items())})


def slowness() -> float:
    """How often as long as on that machine something takes here and now, at least 1."""
    taken = []
    for _ in range(7):
        began = time.process_time()
        piece_of_work()
        taken.append(time.process_time() - began)
    return max(1.0, max(taken) / PACE)


class InTime:
    """Whether CPU seconds that something took are below a bound, which is given for a machine of a known pace."""

    def __call__(self, taken: float, most: float) -> bool:
        return taken < most or taken < most * slowness()


@pytest.fixture(scope="session")
def in_time() -> InTime:
    return InTime()


@pytest.fixture
def service() -> Iterator[Service]:
    """A model service on loopback."""
    from model_servers import Service

    made = Service()
    yield made
    made.close()


@pytest.fixture
def nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No account of AWS that this machine may have is found."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
