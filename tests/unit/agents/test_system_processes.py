"""Processes: what is read of them, what is shown and what is hidden; limits. On recorded machines."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import KERNEL, ROOT, Recorded, severities

from pipe_agents.system import snapshots, titles, watching


@pytest.fixture
def here(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=15),
    st.integers(1, 2**22),
    st.integers(0, 2**40),
)
def test_a_name_may_hold_anything(name: str, pid: int, ticks: int) -> None:
    line = f"{pid} ({name}) S 1 1 1 0 -1 4194304 0 0 0 0 {ticks} 7 0 0 20 0 3 0 55 1000 42 0 0"
    one = snapshots.stat(line)
    assert one == snapshots.Stat(pid, name, "S", 1, 4194304, ticks + 7, 3, 55, 42)


@given(st.text(max_size=300))
def test_any_text_of_a_stat_file_is_read(text: str) -> None:
    snapshots.stat(text)


def test_cpu_over_the_window_puts_the_burner_first(here: Recorded) -> None:
    here.process(10, "old-and-busy", ticks=10**6)
    here.process(11, "burner", ticks=500)
    here.process(12, "reused", ticks=900, start=10)
    here.process(13, "gone", ticks=5)
    before = here.read("processes")
    here.process(11, "burner", "R", ticks=590)
    here.process(12, "reused", ticks=20, start=9_999_950)
    here.process(14, "born", ticks=30, start=9_999_990)
    here.process(15, "unseen-before", ticks=4000, start=50)
    for name in ("stat", "cmdline"):
        (here.folder / f"proc/13/{name}").unlink()
    here.stat(user=100, idle=100)
    found = here.look(before, "processes", "cpu").parts["processes"]
    assert [(one["name"], one["cpu_percent"]) for one in found["top_cpu"]] == [
        ("burner", 90.0), ("born", 30.0), ("reused", 20.0)
    ]  # fmt: skip
    assert (found["started"], found["ended"], found["cpu_percent"]) == (3, 2, 140.0)
    assert found["unseen_cpu_percent"] == 60.0


def test_memory_files_and_states_are_counted(here: Recorded) -> None:
    for pid in range(20, 40):
        here.process(pid, f"p{pid}", pages=pid * 10)
        for number in range(pid - 20):
            (here.folder / f"proc/{pid}/fd/{number}").symlink_to("/dev/null")
    here.process(40, "kworker/0:1", "I", flags=0x00200040, pages=0)
    found = here.look(here.read(), "processes").parts["processes"]
    assert found["states"] == {"I": 1, "S": 20}
    assert [one["name"] for one in found["top_memory"]][:2] == ["p39", "p38"]
    assert found["top_memory"][0]["rss_bytes"] == 390 * 4096
    assert [one["open_files"] for one in found["top_open_files"]][:2] == [19, 18]
    assert len(found["top_memory"]) == 10


def test_zombies_count_when_they_stay(here: Recorded) -> None:
    here.process(5, "bad-parent")
    for pid in range(100, 112):
        here.process(pid, "child", "Z", parent=5)
    before = here.read("processes")
    here.process(200, "just-ended", "Z")
    looked = here.look(before, "processes")
    assert looked.parts["processes"]["states"]["Z"] == 13
    assert len(looked.parts["processes"]["zombies"]) == 12
    assert looked.parts["processes"]["zombies"][0] == {
        "pid": 100, "name": "child", "parent": 5, "parent_name": "bad-parent"
    }  # fmt: skip
    (one,) = looked.findings
    assert (one["check"], one["severity"], one["evidence"]["by_parent"]) == (
        "processes.zombies", "low", {"bad-parent (5)": 12}
    )  # fmt: skip
    assert here.look(before, "processes", zombies=13).findings == []


def test_processes_that_wait_for_a_device_all_the_window(here: Recorded) -> None:
    for pid in range(100, 104):
        here.process(pid, "reader", "D", ticks=5)
    here.process(104, "jbd2", "D", flags=0x00200000)
    here.process(105, "works", "D", ticks=5)
    before = here.read("processes")
    here.process(105, "works", "D", ticks=9)
    looked = here.look(before, "processes")
    assert len(looked.parts["processes"]["uninterruptible"]) == 4
    assert severities(looked.findings) == {"processes.uninterruptible:machine": "low"}
    assert severities(here.look(before, "processes", seconds=5).findings) == {
        "processes.uninterruptible:machine": "medium"
    }


def test_watched_ones_are_found_by_name_program_and_script(here: Recorded) -> None:
    here.process(10, "nginx", argv=["nginx: master process /usr/sbin/nginx"])
    here.process(11, "nginx", argv=["nginx: worker process"], pages=50)
    here.process(12, "a-very-long-nam", argv=["/opt/a-very-long-name-of-a-program", "--x"])
    here.process(13, "python3", argv=["/usr/bin/python3", "-u", "/srv/worker.py", "--queue", "mail"])
    here.process(14, "python3", argv=["python3", "-m", "gunicorn.app.wsgiapp"])
    here.process(15, "nginx", "Z")
    looked = here.look(
        here.read(),
        "processes",
        processes=("nginx", "a-very-long-name-of-a-program", "worker.py", "*gunicorn*", "postgres", "--queue", "mail"),
    )
    counts = {one["pattern"]: one["count"] for one in looked.parts["processes"]["watched"]}
    assert counts == {
        "nginx": 2, "a-very-long-name-of-a-program": 1, "worker.py": 1, "*gunicorn*": 1, "postgres": 0, "--queue": 0,
        "mail": 0,
    }  # fmt: skip
    nginx = looked.parts["processes"]["watched"][0]
    assert (nginx["pids"], nginx["rss_bytes"], nginx["listeners"]) == ([10, 11], 150 * 4096, [])
    assert severities(looked.findings) == {
        f"processes.missing:{name}": "high" for name in ("postgres", "--queue", "mail")
    }


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1
   1: 0100007F:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 999 1
   2: 0100007F:0050 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 112 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx rx tr tm uid timeout inode
   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 113 1
"""


def test_what_a_watched_process_listens_on(here: Recorded) -> None:
    here.process(10, "web")
    for number, inode in enumerate((111, 112, 113)):
        (here.folder / f"proc/10/fd/{number}").symlink_to(f"socket:[{inode}]")
    here.write("proc/10/net/tcp", TCP)
    here.write("proc/10/net/tcp6", TCP6)
    looked = here.look(here.read(), "processes", processes=("web",))
    assert looked.parts["processes"]["watched"][0]["listeners"] == ["tcp 127.0.0.1:80", "tcp [::]:443"]


@given(st.text(alphabet="0A:F \n", max_size=200))
def test_any_table_of_sockets_is_read(text: str) -> None:
    for field in text.split():
        if watching._ADDRESS.match(field):
            assert watching.address(field)


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["python3", "/srv/app.py", "--password=x"], "/srv/app.py"),
        (["python3", "-m", "http.server", "80"], "-m http.server"),
        (["python3.11", "-W", "ignore", "x.py"], "x.py"),
        (["python3", "-c", "token='x'"], None),
        (["bash", "-c", "curl -H 'Authorization: x'"], None),
        (["bash", "deploy", "secret"], "deploy"),
        (["/bin/sh", "-x", "secret-word"], None),
        (["node", "--require", "s3cret", "server.js"], "server.js"),
        (["java", "-Dpassword=x", "-jar", "/opt/app.jar"], "/opt/app.jar"),
        (["java", "-cp", "x", "com.example.Main"], None),
        (["mysql", "-psecret"], None),
        (["python3", "a b; secret"], None),
        ([], None),
    ],
)
def test_a_script_is_shown_only_where_it_is_one(argv: list[str], shown: str | None) -> None:
    assert titles.script(argv) == shown


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        (["--password=hunter2"], ["--password=***"]),
        (["--password", "hunter2", "x"], ["--password", "***", "x"]),
        (["--db-password", "hunter2"], ["--db-password", "***"]),
        (["-phunter2"], ["-p***"]),
        (["-p", "8080"], ["-p", "***"]),
        (["-H", "Authorization: Bearer x"], ["-H", "***"]),
        (["API_KEY=abc", "x=1"], ["API_KEY=***", "x=1"]),
        (["postgres://me:pw@db/x"], ["postgres://***@db/x"]),
        (["https://x/?token=abc&y=1"], ["https://x/?token=***&y=1"]),
        (["ghp_0123456789abcdefghijklmnopqrstuvwxyz"], ["***"]),
        (["/usr/share/a-long-path-of-a-file-that-is-none"], ["/usr/share/a-long-path-of-a-file-that-is-none"]),
        (["--verbose", "--port=80"], ["--verbose", "--port=80"]),
    ],
)  # fmt: skip
def test_arguments_are_shown_without_what_looks_like_a_secret(argv: list[str], shown: list[str]) -> None:
    assert titles.masked(argv) == shown


def test_a_long_list_of_arguments_is_cut_and_says_so() -> None:
    assert titles.masked(["x"] * 150)[99:] == ["x", "… 50 more"]
    shown = titles.masked(["word " * 90] * 50)
    assert sum(map(len, shown)) < 5000
    assert shown[-1] == f"… {50 - len(shown) + 1} more"


def test_arguments_are_shown_only_where_they_are_asked_for(here: Recorded) -> None:
    here.process(10, "app", argv=["app", "hunter2", "--token", "abc"])
    quiet = here.look(here.read(), "processes")
    assert "hunter2" not in repr(quiet)
    loud = here.look(here.read(), "processes", arguments=True).parts["processes"]["top_memory"][0]
    assert loud["arguments"] == ["hunter2", "--token", "***"]


def test_a_title_over_the_command_line_shows_its_first_word(here: Recorded) -> None:
    here.process(10, "postgres", argv=["postgres: me secretdb 10.0.0.1(5432) idle"])
    one = here.look(here.read(), "processes").parts["processes"]["top_memory"][0]
    assert (one["program"], one["script"], one["arguments"]) == ("postgres", None, None)


def test_files_that_this_user_cannot_see_are_counted_and_said(here: Recorded, monkeypatch: Any) -> None:
    here.process(10, "mine")
    here.process(11, "theirs")
    os.rmdir(here.folder / "proc/11/fd")
    looked = here.look(here.read(), "processes")
    assert looked.parts["processes"]["unreadable"] == 1
    (one,) = looked.findings
    assert (one["status"], one["id"]) == ("unavailable", "processes.open_files:other users' processes")
    assert one["evidence"] == {"processes": 1, "processes_counted": 2}
    assert "of 1 of 2 can't be read" in one["why"]


def test_a_process_that_ends_while_files_are_counted_is_none_that_cannot_be_seen(here: Recorded) -> None:
    here.process(10, "mine")
    here.process(11, "gone")
    read = snapshots.read(here.tree)
    assert read is not None
    shutil.rmtree(here.folder / "proc/11")
    found = snapshots.now(here.tree, read, read, 1.0, cores=1, arguments=False, uptime=100.0, count_files=True)
    assert set(found.files) == {10}


def test_processes_that_proc_hides_are_said(here: Recorded) -> None:
    here.process(10, "mine")
    here.mounts(ROOT, KERNEL.replace("proc proc rw", "proc proc rw,hidepid=2"))
    assert severities(here.look(here.read(), "processes").findings) == {
        "processes.hidden:other users' processes": "unavailable"
    }


def test_limits_are_judged_by_how_much_is_used(here: Recorded) -> None:
    here.write("proc/sys/fs/file-nr", "9300\t0\t10000\n")
    here.write("proc/loadavg", "1.00 1.00 1.00 2/850 4242\n")
    here.write("proc/sys/kernel/threads-max", "1000\n")
    here.write("proc/sys/kernel/pid_max", "4194304\n")
    here.write("proc/sys/net/netfilter/nf_conntrack_count", "99\n")
    here.write("proc/sys/net/netfilter/nf_conntrack_max", "100\n")
    looked = here.look(here.read(), "limits")
    assert severities(looked.findings) == {
        "limits.open_files:system": "high",
        "limits.threads:system": "medium",
        "limits.conntrack:system": "critical",
    }
    assert [one["used_percent"] for one in looked.parts["limits"]] == [93.0, 85.0, 0.0, 99.0]


def test_a_process_near_its_own_limit_is_found(here: Recorded) -> None:
    for pid, count in ((10, 97), (11, 40), (12, 85)):
        here.process(pid, "app")
        here.write(f"proc/{pid}/limits", "Max open files            100   4096   files\n")
        for number in range(count):
            (here.folder / f"proc/{pid}/fd/{number}").symlink_to("/dev/null")
    looked = here.look(here.read(), "limits")
    assert severities(looked.findings) == {"limits.open_files:app (10)": "high", "limits.open_files:app (12)": "medium"}


def test_inotify_is_counted_by_user(here: Recorded) -> None:
    here.write("proc/sys/fs/inotify/max_user_instances", "3\n")
    here.write("proc/sys/fs/inotify/max_user_watches", "1000\n")
    here.process(10, "editor")
    for number in range(3):
        (here.folder / f"proc/10/fd/{number}").symlink_to("anon_inode:inotify")
        here.write(f"proc/10/fdinfo/{number}", "pos: 0\n" + "inotify wd:1 ino:2\n" * 4)
    looked = here.look(here.read(), "limits")
    user = f"uid {os.getuid()}"
    assert {(one["name"], one["subject"], one["used"]) for one in looked.parts["limits"]} == {
        ("inotify_instances", user, 3), ("inotify_watches", user, 12)
    }  # fmt: skip
    assert severities(looked.findings) == {f"limits.inotify_instances:{user}": "medium"}


def test_a_proc_that_lists_no_process_says_nothing_of_those_that_are_watched(here: Recorded) -> None:
    looked = here.look(here.read(), "processes", "limits", processes=("nginx",))
    assert looked.parts["processes"] is None
    assert severities(looked.findings) == {"processes:machine": "unavailable", "limits:machine": "unavailable"}
