"""What every RunStore holds to; the scan of the logs and the index of them are twins (D9)."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipe_runner.errors import UsageError
from pipe_runner.ports import Event, RunStore
from pipe_runner.runlog import LogWriter, RunDir
from pipe_runner.runlog.order import Order, order_of_next
from pipe_runner.runlog.removing import remove
from pipe_runner.stores import open_store
from pipe_runner.stores.indexed import IndexedStore
from pipe_runner.stores.scan import DAMAGED, UNREADABLE, ScanStore
from pipe_runner.types import Durability, EventKind


@pytest.fixture(params=[ScanStore, IndexedStore], ids=["scan", "index"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    made: RunStore = request.param(tmp_path)
    yield made
    made.close()


def stamp(second: int) -> str:
    return f"2026-11-24T00:{second // 60:02}:{second % 60:02}.000000Z"


def write_run(state: Path, run: str, second: int = 0, *, nodes: int = 3, status: str | None = "succeeded") -> Path:
    rundir = RunDir.create(state, run)
    log = LogWriter.create(rundir, Durability.OS)
    ids = {f"n{n}": f"digest{n}" for n in range(nodes)}
    events: list[tuple[EventKind, str | None, dict[str, object]]] = [
        (EventKind.RUN_STARTED, None, {"pipeline": "p\ud800", "path": "a/ü.yml", "nodes": ids})
    ]
    events += [(EventKind.NODE_SUCCEEDED, node, {"output": 1}) for node in list(ids)[1:]]
    events += [(EventKind.NODE_FAILED, node, {"error": {"kind": "exit", "message": "1"}}) for node in list(ids)[:1]]
    if status:
        events.append((EventKind.RUN_FINISHED, None, {"status": status, "duration_s": 0.1 + 0.2}))
    for seq, (kind, node, data) in enumerate(events, 1):
        log.append(Event(seq, stamp(second), run, kind, node, 1 if node else None, data))
    log.close()
    return Path(rundir.log_path)


def rows(state: Path) -> list[object]:
    """What a store says that is opened anew, and closed."""
    store = open_store(state)
    try:
        return list(store.runs())
    finally:
        store.close()


def test_no_state_directory_means_no_runs_and_makes_nothing(tmp_path: Path) -> None:
    state = tmp_path / "none"
    assert rows(state) == []
    with pytest.raises(UsageError, match="there are no runs in"):
        open_store(state).find("latest")
    assert not state.exists()


def test_runs_come_newest_first_with_what_their_logs_tell(store: RunStore, tmp_path: Path) -> None:
    write_run(tmp_path, "b", 1, status="failed")
    write_run(tmp_path, "a", 2, status=None)
    write_run(tmp_path, "c", 0)
    assert [row.run for row in store.runs()] == ["a", "b", "c"]
    assert [row.run for row in store.runs(2)] == ["a", "b"]
    row = store.runs()[1]
    assert (row.status, row.nodes, row.succeeded, row.failed, row.attempt) == ("failed", 3, 2, 1, 1)
    assert (row.pipeline, row.path, row.duration_s) == ("p\ud800", "a/ü.yml", 0.1 + 0.2)
    assert (row.started_at, row.finished_at) == (stamp(1), stamp(1))
    assert (store.runs()[0].status, store.runs()[0].finished_at) == ("running", None)


def test_a_run_is_found_by_id_by_unique_prefix_and_as_the_latest(store: RunStore, tmp_path: Path) -> None:
    write_run(tmp_path, "alpha-1", 1)
    write_run(tmp_path, "alpha-12", 2)
    write_run(tmp_path, "beta", 0)
    assert store.find("alpha-1") == "alpha-1"
    assert store.find("alpha-12") == "alpha-12"
    assert store.find("b") == "beta"
    assert store.find("latest") == "alpha-12"
    with pytest.raises(UsageError, match="begins the id of 2 runs: alpha-1, alpha-12"):
        store.find("alp")
    with pytest.raises(UsageError) as refused:
        store.find("betta")
    assert refused.value.hint == "did you mean beta?"
    for hostile in ("", "..", "../beta", "*", "\0"):
        with pytest.raises(UsageError):
            store.find(hostile)


def test_what_has_changed_is_seen_at_once(store: RunStore, tmp_path: Path) -> None:
    log = write_run(tmp_path, "a", status=None)
    assert store.runs()[0].status == "running"
    whole = write_run(tmp_path / "other", "a").read_bytes()
    log.write_bytes(whole)
    assert store.runs()[0].status == "succeeded"
    write_run(tmp_path, "b", 9)
    assert [row.run for row in store.runs()] == ["b", "a"]
    log.unlink()
    assert [row.run for row in store.runs()] == ["b"]


def test_a_damaged_log_is_a_row_that_says_so_and_a_torn_tail_is_none(store: RunStore, tmp_path: Path) -> None:
    damaged, torn = write_run(tmp_path, "damaged", 1), write_run(tmp_path, "torn", 0)
    lines = damaged.read_bytes().splitlines(keepends=True)
    damaged.write_bytes(b"".join([*lines[:2], b"xxx\n", *lines[3:]]))
    torn.write_bytes(torn.read_bytes() + b"\0" * 100)
    before = torn.read_bytes()
    assert [(row.run, row.status, row.pipeline) for row in store.runs()] == [
        ("damaged", DAMAGED, "p\ud800"),
        ("torn", "succeeded", "p\ud800"),
    ]
    assert torn.read_bytes() == before


def test_a_log_whose_events_make_no_sense_is_a_damaged_one(store: RunStore, tmp_path: Path) -> None:
    write_run(tmp_path, "strange", status="no such status")
    assert store.runs()[0].status == DAMAGED


def test_a_run_that_was_ended_before_its_first_event_is_listed_where_its_id_belongs(
    store: RunStore, tmp_path: Path
) -> None:
    write_run(tmp_path, "20261124-000001-aaaaa", 1)
    LogWriter.create(RunDir.create(tmp_path, "20261124-000002-aaaaa"), Durability.OS).close()
    newest = store.runs()[0]
    assert (newest.run, newest.status, newest.started_at) == ("20261124-000002-aaaaa", "pending", stamp(2))


def test_what_is_no_run_is_not_listed(store: RunStore, tmp_path: Path) -> None:
    write_run(tmp_path, "a")
    (tmp_path / "runs" / "empty").mkdir()
    (tmp_path / "runs" / "file").write_text("x")
    (tmp_path / "runs" / "-strange name").mkdir()
    os.mkfifo(tmp_path / "runs" / "empty" / "log.jsonl")
    (tmp_path / "runs" / "link").mkdir()
    (tmp_path / "runs" / "link" / "log.jsonl").symlink_to(tmp_path / "runs" / "a" / "log.jsonl")
    assert [row.run for row in store.runs()] == ["a"]


def test_d9_the_index_equals_the_logs_after_any_history(tmp_path: Path) -> None:
    chance = random.Random(7)
    store = IndexedStore(tmp_path)
    for step in range(60):
        name = f"run-{chance.randrange(12)}"
        log = tmp_path / "runs" / name / "log.jsonl"
        if not log.exists():
            write_run(
                tmp_path, name, step, nodes=chance.randrange(5), status=chance.choice(["succeeded", "failed", None])
            )
        elif chance.random() < 0.5:
            log.unlink()
            log.parent.rmdir()
        else:
            log.write_bytes(log.read_bytes()[: chance.randrange(log.stat().st_size + 1)])
        if chance.random() < 0.2:
            store.close()
        if chance.random() < 0.2:
            store.close()
            Path(store.index).unlink(missing_ok=True)
        assert store.runs() == ScanStore(tmp_path).runs()
    store.close()
    assert rows(tmp_path) == ScanStore(tmp_path).runs()


def spoil_with_garbage(index: Path) -> None:
    index.write_bytes(b"garbage" * 1000)


def spoil_by_cutting(index: Path) -> None:
    index.write_bytes(index.read_bytes()[:5000])


def spoil_pages(index: Path) -> None:
    data = bytearray(index.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    index.write_bytes(data)


def spoil_shape(index: Path) -> None:
    index.unlink()
    database = sqlite3.connect(index)
    database.execute("CREATE TABLE runs (id TEXT, status TEXT)")
    database.execute("INSERT INTO runs VALUES ('a', 'succeeded')")
    database.commit()
    database.close()


def spoil_rows(index: Path) -> None:
    database = sqlite3.connect(index)
    database.execute("UPDATE runs SET summary = '{\"run\": 1'")
    database.commit()
    database.close()


def spoil_fields(index: Path) -> None:
    database = sqlite3.connect(index)
    database.execute("UPDATE runs SET summary = '{\"run\": 1}'")
    database.commit()
    database.close()


def spoil_types(index: Path) -> None:
    database = sqlite3.connect(index)
    database.execute("UPDATE runs SET summary = json_set(summary, '$.duration_s', 'x', '$.started_at', 5)")
    database.commit()
    database.close()


SPOILS = [
    *(spoil_with_garbage, spoil_by_cutting, spoil_pages, spoil_shape, spoil_rows, spoil_fields, spoil_types),
    os.unlink,
]


@pytest.mark.parametrize("spoil", SPOILS)
def test_d9_a_spoiled_or_missing_index_is_made_anew(tmp_path: Path, spoil: object) -> None:
    for n in range(40):
        write_run(tmp_path, f"run-{n}", n)
    expected = rows(tmp_path)
    index = tmp_path / "index.db"
    assert callable(spoil)
    spoil(index)
    assert rows(tmp_path) == expected
    assert rows(tmp_path) == expected
    database = sqlite3.connect(index)
    assert database.execute("SELECT count(*) FROM runs").fetchall() == [(40,)]
    database.close()


def test_an_index_that_another_process_writes_is_done_without(tmp_path: Path) -> None:
    write_run(tmp_path, "a")
    expected = rows(tmp_path)
    other = sqlite3.connect(tmp_path / "index.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    write_run(tmp_path, "b", 5)
    assert [getattr(row, "run", None) for row in rows(tmp_path)] == ["b", "a"]
    other.execute("ROLLBACK")
    other.close()
    assert rows(tmp_path)[1:] == expected


def test_an_index_that_is_a_link_or_a_directory_is_not_touched(tmp_path: Path) -> None:
    write_run(tmp_path, "a")
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (tmp_path / "index.db").symlink_to(precious)
    assert len(rows(tmp_path)) == 1
    assert precious.read_text() == "precious"
    (tmp_path / "index.db").unlink()
    (tmp_path / "index.db").mkdir()
    assert len(rows(tmp_path)) == 1


def needs_permissions_that_bind(tmp_path: Path) -> None:
    probe = tmp_path / "probe"
    probe.touch(0)
    readable = os.access(probe, os.R_OK)
    probe.unlink()
    if readable:
        pytest.skip("this user may read and write everything")


def test_a_state_directory_that_can_not_be_written_is_read(tmp_path: Path) -> None:
    needs_permissions_that_bind(tmp_path)
    write_run(tmp_path, "a")
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert len(rows(tmp_path)) == 1
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_log_that_may_not_be_read_is_a_row_that_says_so_only_as_long_as_it_may_not(
    store: RunStore, tmp_path: Path
) -> None:
    needs_permissions_that_bind(tmp_path)
    log = write_run(tmp_path, "a")
    log.chmod(0)
    assert store.runs()[0].status == UNREADABLE
    log.chmod(stat.S_IRUSR)
    assert store.runs()[0].status == "succeeded"


def test_unchanged_logs_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run(tmp_path, "a")
    write_run(tmp_path, "b", 1)
    expected = rows(tmp_path)
    write_run(tmp_path, "c", 2)
    read: list[str] = []
    from pipe_runner.stores import indexed

    summarise = indexed.summarise
    monkeypatch.setattr(indexed, "summarise", lambda runs, run: (read.append(run), summarise(runs, run))[1])
    assert rows(tmp_path)[1:] == expected
    assert read == ["c"]


def test_of_many_logs_only_those_are_read_whole_that_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        write_run(tmp_path, f"r{number:02}", number)
    write_run(tmp_path, "bad", 30).write_text("no event\n{}\n")
    expected = ScanStore(tmp_path).runs(3)
    read: list[str] = []
    from pipe_runner.stores import indexed

    summarise = indexed.summarise
    monkeypatch.setattr(indexed, "summarise", lambda runs, run: (read.append(run), summarise(runs, run))[1])
    store = IndexedStore(tmp_path)
    assert store.find("latest") == "r11"
    assert read == ["r11"]
    assert store.runs(3) == expected
    assert read == ["r11", "r10", "r09"]
    assert store.runs() == ScanStore(tmp_path).runs()
    store.close()


def test_of_a_run_that_may_be_removed_the_end_alone_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipe_runner.cli import pruning

    runs, whole = str(tmp_path / "runs"), pruning.summarise
    for name, status in (("ended", "failed"), ("asks", "waiting"), ("cut", None)):
        write_run(tmp_path, name, 5, status=status)
    read: list[str] = []
    monkeypatch.setattr(pruning, "summarise", lambda runs, run: (read.append(run), whole(runs, run))[1])
    assert pruning._still(runs, "ended", None)
    assert pruning._still(runs, "ended", stamp(6))
    assert not pruning._still(runs, "ended", stamp(5))
    assert not pruning._still(runs, "asks", None)
    assert read == []
    assert pruning._still(runs, "cut", None)
    assert read == ["cut"]


def test_c3_the_latest_run_is_the_one_that_began_last_whatever_the_clock_said(store: RunStore, tmp_path: Path) -> None:
    for run, second in (("z1", 0), ("c2", 60), ("b3", -86400), ("a4", -3600), ("a5", 61), ("a6", 7200)):
        _began(tmp_path, run, 1_795_500_000 + second)
        assert store.find("latest") == run
    assert [one.run for one in store.runs()] == ["a6", "a5", "a4", "b3", "c2", "z1"]
    assert [bool(one.order) for one in store.runs()] == [False, False, True, True, False, False]


@pytest.mark.parametrize("by_hand", [False, True])
def test_c3_removing_runs_changes_nothing_in_the_order_of_those_that_begin_later(
    store: RunStore, tmp_path: Path, by_hand: bool
) -> None:
    now = int(time.time())
    for run, second in (("z1", 170_000), ("y2", 172_800), ("x3", 0), ("w4", 1), ("v5", 2)):
        _began(tmp_path, run, now + second)
        assert store.find("latest") == run
        for one in store.runs()[2:]:
            if by_hand:
                shutil.rmtree(tmp_path / "runs" / one.run)
            else:
                remove(RunDir.open(tmp_path, one.run))
    assert [one.run for one in store.runs()] == ["v5", "w4"]


@pytest.mark.parametrize("text", ["", "5\n", "x" * 21])
def test_what_says_where_the_last_run_stands_may_be_wrong_or_not_there(tmp_path: Path, text: str) -> None:
    now = int(time.time())
    _began(tmp_path, "a", now - 10)
    (tmp_path / "last-run").write_text(text)
    assert order_of_next(tmp_path, (now + 10) * 10**9) is None


def _began(state: Path, run: str, second: int) -> None:
    made = second * 10**9
    order = order_of_next(state, made)
    rundir = RunDir.create(state, run)
    (order or Order(made)).keep(rundir)  # the machine's own clock is another one
    log = LogWriter.create(rundir, Durability.OS)
    data = {} if order is None else {"order": str(order)}
    log.append(Event(1, str(Order(made + 8_000_000)), run, EventKind.RUN_STARTED, None, None, data))
    log.close()
