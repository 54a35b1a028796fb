"""Logs are written by whoever can reach the machine: no bytes break the reading, hide a line, or take for ever."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs_reading import NOW, analysed, findings, output_of, perform, sums_hold

from pipe_agents.logs import patterns
from pipe_agents.logs.analysis import analyse, options_of
from pipe_agents.logs.entries import entry_of
from pipe_agents.logs.formats import FORMATS, detect, sample_of
from pipe_agents.logs.locating import locate
from pipe_agents.logs.measured import measured
from pipe_agents.logs.mining import masked
from pipe_agents.logs.words import shown
from pipe_runner.errors import NodeFault
from pipe_runner.masking import SecretMasker
from pipe_runner.types import ErrorKind


def text_measured(data: bytes, tmp: Path) -> dict[str, Any]:
    (tmp / "x.log").write_bytes(data)
    asked = options_of({"paths": "x.log", "timezone": "UTC", "max_templates": 20}, str(tmp), NOW)
    return measured(analyse(asked, lambda text: None, time.monotonic), asked, 1000)


PIECES = st.sampled_from(
    [
        b"Mar  1 12:00:00 web1 sshd[1]: Failed password for root from 192.0.2.1 port 22 ssh2",
        b"2026-03-01 12:00:00,123 - a.b - ERROR - it failed",
        b'{"time":"2026-03-01T12:00:00Z","level":"error","msg":"it \\"failed\\""}',
        b"192.0.2.1 - - [01/Mar/2026:12:00:00 +0000] \"GET /a HTTP/1.1\" 500 12 \"-\" \"-\" 0.100",
        b"<34>1 2026-03-01T12:00:00Z h a 1 - - x",
        b"\tat a.B.c(B.java:1)", b"java.lang.Error: x", b"", b"\0\0", b"\x1b[31mred\x1b[0m", b"\xff\xfe", b"12345",
        b"9999-99-99 99:99:99 x", b"Feb 30 12:00:00 a b: c", b"\r", b"{", b"[" * 50, b"=" * 50,
    ]
)  # fmt: skip


@given(parts=st.lists(PIECES | st.binary(max_size=60), max_size=40), end=st.sampled_from([b"\n", b"\r\n"]))
def test_any_bytes_are_counted_once(parts: list[bytes], end: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = end.join(parts)
    found = text_measured(data, tmp_path_factory.getbasetemp())
    if found["unread_total"]:  # it is no text
        assert found["lines"] == 0
        return
    assert found["lines"] == data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
    sums_hold(found)


@given(st.lists(PIECES | st.binary(max_size=40), max_size=30))
def test_detection_gives_the_same_each_time(parts: list[bytes]) -> None:
    sample = sample_of(b"\n".join(parts))
    assert detect(sample) == detect(list(sample))
    first, second = (locate(detect(sample).format, sample) for _ in "ab")
    assert vars(first) == vars(second)


ADVERSARIAL = {
    "quotes": b'"' * 60_000,
    "escaped quotes": b'1 - - [01/Mar/2026:12:00:00 +0000] "' + b'\\"' * 30_000,
    "brackets": b"[" * 60_000,
    "spaces": b"a" + b" " * 60_000,
    "digits": b"1" * 60_000,
    "hex": b"a1" * 30_000,
    "colons": b"a:" * 30_000,
    "dots": b"1." * 30_000,
    "assignments": b"a=b " * 15_000,
    "half a uuid": b"deadbeef-" * 7_000,
    "words": b"from " * 12_000,
    "equal signs": b"password=" * 7_000,
    "rfc5424": b"<34>1 2026-03-01T12:00:00Z a b c d [" + b"x]y" * 20_000,
    "at signs": b"a@" * 30_000,
    "frames": b"a(" * 30_000,
    "deep json": b'{"a":' * 12_000,
    "escapes": b"\x1b[" * 30_000,
    "tty": b"root : " + b"TTY=" * 15_000,
}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_no_line_takes_long(name: str, tmp_path: Path, in_time: Any) -> None:
    line = ADVERSARIAL[name]
    began = time.process_time()
    text_measured(line + b"\n" + line[:-1] + b"\n", tmp_path)
    for one in FORMATS:
        one.head.match(line)
        entry_of(one, line)
    masked(line[:1000])
    patterns.found_in(line, patterns.PATTERNS)
    shown(line)
    assert in_time(time.process_time() - began, 1.0)


def test_a_line_without_an_end_is_cut_and_counted_once(tmp_path: Path) -> None:
    with open(tmp_path / "x.log", "wb") as file:
        file.write(b"2026-03-01 12:00:00 INFO a\n")
        file.write(b"2026-03-01 12:00:01 ERROR b" + b"x" * (5 << 20) + b"\n")
        file.write(b"2026-03-01 12:00:02 INFO c\n")
    found = analysed(tmp_path, paths="x.log")
    assert found["lines"] == 3
    assert found["files"][0]["cut_lines"] == 1
    assert found["levels"]["error"] == 1
    assert found["last_at"] == "2026-03-01T12:00:02Z"


def test_lines_that_are_all_different_are_counted_in_bounded_templates(tmp_path: Path, in_time: Any) -> None:
    import random

    rng = random.Random(1)
    words = ["".join(rng.choices("ghijklmnopqrstuvwxyz", k=8)) for _ in range(20_000)]
    text = "".join(
        f"2026-03-01 12:00:00 INFO {' '.join(rng.choices(words, k=rng.randrange(3, 12)))}\n" for _ in range(12_000)
    )
    (tmp_path / "x.log").write_text(text)
    began = time.process_time()
    output = output_of(tmp_path, paths="x.log", max_templates=100)
    assert in_time(time.process_time() - began, 10)
    found = output["measurements"]
    assert found["templates_total"] <= 100
    assert found["other_lines"] > 0
    assert sum(one["count"] for one in found["templates"]) + found["other_lines"] == 12_000
    (told,) = [one for one in output["findings"] if one["check"] == "logs.templates"]
    assert told["status"] == "unavailable"


def test_forged_times_change_no_rates(tmp_path: Path) -> None:
    text = "".join(f"2026-03-01T12:{number // 60:02}:{number % 60:02}Z INFO a\n" for number in range(600))
    forged = ("1970-01-01T00:00:00Z INFO a\n", "9999-12-31T23:59:59Z INFO a\n", "2026-13-45T00:00:00Z INFO a\n")
    (tmp_path / "x.log").write_text(text + "".join(forged))
    found = analysed(tmp_path, paths="x.log")
    assert found["entries"] == 603
    assert found["untimed_entries"] == 3
    assert found["span_s"] == 600


@pytest.mark.parametrize(
    "pack",
    [
        gzip.compress,
        pytest.param(bz2.compress, marks=pytest.mark.slow),
        pytest.param(lzma.compress, marks=pytest.mark.slow),
    ],
)
def test_compressed_files_are_known_by_their_first_bytes_and_bounded(pack: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(pack(b"2026-03-01 12:00:00 INFO a\n" * 1000))
    assert analysed(tmp_path, paths="x")["lines"] == 1000
    (tmp_path / "bomb").write_bytes(pack(b"\n" * (8 << 20)))
    bomb = output_of(tmp_path, paths="bomb", max_bytes="1MiB")
    assert bomb["measurements"]["bytes"] == 1 << 20
    assert bomb["findings"][0]["needs"] == "a larger `max_bytes`"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_damaged_file_counts_up_to_the_damage_and_says_so(pack: Any, tmp_path: Path) -> None:
    data = pack(os.urandom(200_000).hex().encode().replace(b"a", b"\n"))
    (tmp_path / "x").write_bytes(data[: len(data) // 2])
    found = output_of(tmp_path, paths="x")
    assert "damaged" in found["findings"][0]["why"]
    assert found["findings"][0]["status"] == "unavailable"


def test_what_is_no_regular_file_is_refused_in_words(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    os.mknod(tmp_path / "s.log", stat.S_IFSOCK | 0o600)
    (tmp_path / "folder").mkdir()
    for name, words in (
        ("pipe.log", "a named pipe"),
        ("s.log", "a socket"),
        ("folder", "a directory"),
        ("/dev/null", "a device"),
    ):
        with pytest.raises(NodeFault) as fault:
            perform(tmp_path, {"paths": name})
        assert fault.value.kind is ErrorKind.REFUSED
        assert words in fault.value.message
    found = findings(tmp_path, paths="*")
    assert {one["why"].split(",")[0] for one in found.values()} == {"it is a named pipe", "it is a socket"}


def test_a_missing_file_fails_and_an_empty_glob_is_told(tmp_path: Path) -> None:
    with pytest.raises(NodeFault) as fault:
        perform(tmp_path, {"paths": "none.log"})
    assert fault.value.kind is ErrorKind.NOT_FOUND
    (found,) = findings(tmp_path, paths="*.log").values()
    assert (found["status"], found["why"]) == ("unavailable", "no file matches this glob")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.log").touch(mode=0)
    (found,) = findings(tmp_path, paths="*.log").values()
    assert "may not read" in found["why"]


def test_a_file_that_two_names_lead_to_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-03-01 12:00:00 INFO a\n")
    (tmp_path / "b.log").symlink_to("a.log")
    os.link(tmp_path / "a.log", tmp_path / "c.log")
    (tmp_path / "d.log").symlink_to("nowhere")
    found = output_of(tmp_path, paths=["*.log", "a.log"])
    assert found["measurements"]["files_total"] == 1
    assert [one["subject"].endswith("d.log") for one in found["findings"]] == [True]


def test_binary_files_are_left_out_and_told(tmp_path: Path) -> None:
    (tmp_path / "wtmp").write_bytes(os.urandom(10) + bytes(5000))
    (found,) = findings(tmp_path, paths="wtmp").values()
    assert found["why"] == "it is no text"


def test_utf_16_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes("2026-03-01 12:00:00 ERROR failed\r\n".encode("utf-16") * 1)
    assert analysed(tmp_path, paths="x.log")["levels"]["error"] == 1


def test_names_and_lines_are_shown_without_control_characters(tmp_path: Path) -> None:
    name = "a\x1b[31m\n::error::.log"
    (tmp_path / name).write_bytes(
        b"2026-03-01 12:00:00 ERROR \x1b]0;title\x07 \x9b31m \xe2\x80\xae cut " + b"y" * 2000 + b"\n"
    )
    events: list[str] = []
    outcome = perform(tmp_path, {"paths": "*.log"}, events=events)

    def texts(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [text for item in value.values() for text in texts(item)]
        if isinstance(value, list):
            return [text for item in value for text in texts(item)]
        return [value] if isinstance(value, str) else []

    for text in [*texts(outcome.output), *(event.rstrip("\n") for event in events)]:
        assert text.isprintable(), text
        assert len(text) < 600


def test_secrets_in_lines_are_not_shown(tmp_path: Path) -> None:
    hidden = ("hunter2secret", "AKIAABCDEFGHIJKLMNOP", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "p4ss")
    lines = [
        "login with password=hunter2secret ok",
        "key AKIAABCDEFGHIJKLMNOP used",
        "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "GET https://user:p4ss@example.com/ failed",
        "granted is the-granted-value",
    ]
    (tmp_path / "x.log").write_text("".join(f"2026-03-01 12:00:00 ERROR {line}\n" for line in lines))
    outcome = perform(tmp_path, {"paths": "x.log"}, masker=SecretMasker({"A": "the-granted-value"}))
    for secret in (*hidden, "the-granted-value"):
        assert secret not in repr(outcome)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_is_bounded_whatever_the_lines_are(tmp_path: Path) -> None:
    """Long lines of which each is another, from sources of which each is another, at times of which each is another."""
    import subprocess
    import sys

    code = (
        "import random, sys\nrng = random.Random(1)\n"
        "for n in range(8_000):\n"
        "    at = f'2026-03-{1 + n % 28:02}T{n % 24:02}:{n % 60:02}:00Z'\n"
        "    sys.stdout.write(f'{at} h sshd[1]: Failed password for u{n} from '\n"
        "                     f'h{rng.getrandbits(64):x} port 1 {rng.getrandbits(16_000):x}\\n')\n"
    )
    with open(tmp_path / "x.log", "wb") as file:
        subprocess.run([sys.executable, "-c", code], stdout=file, check=True)
    script = (
        "import re, sys, time\nfrom pipe_agents.logs.analysis import analyse, options_of\n"
        f"asked = options_of({{'paths': 'x.log', 'timezone': 'UTC'}}, {str(tmp_path)!r}, {NOW})\n"
        "read = analyse(asked, lambda text: None, time.monotonic)\n"
        # Its own: `ru_maxrss` is at first that of who started it.
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"
        "print(read.tally.lines, peak)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines, peak = map(int, done.stdout.split())
    assert lines == 8_000
    assert peak < 300 * 1024


@pytest.mark.parametrize(
    "level", ["1e999", "-1e999", "NaN", "1e300", f'"{"9" * 5000}"', "9" * 4000, "-1", "[]", "{}", '"\\ud800"']
)
def test_s11_no_level_of_a_line_of_json_ends_the_reading(level: str, tmp_path: Path) -> None:
    rows = [f'{{"time":"2026-03-01T12:00:0{number}Z","level":{level},"msg":"it"}}\n' for number in range(5)]
    (tmp_path / "a.log").write_text("".join(rows) + '{"time":"2026-03-01T12:00:09Z","level":50,"msg":"no"}\n')
    found = analysed(tmp_path, paths="a.log")
    assert (found["entries"], found["levels"]["error"], found["levels"]["none"]) == (6, 1, 5)


@pytest.mark.parametrize("size", [100, 5000, 3 << 20])
def test_holes_of_zeros_hide_no_line(size: int, tmp_path: Path) -> None:
    hole, line = bytes(size), b"2026-03-01 12:00:0%d ERROR lost %d\n"
    (tmp_path / "a.log").write_bytes(hole + line % (1, 1) + line % (2, 2) + hole + line % (3, 3) + hole)
    found = analysed(tmp_path, paths="a.log", timezone="UTC")
    assert (found["entries"], found["levels"]["error"]) == (3, 3)
    assert (found["first_at"], found["last_at"]) == ("2026-03-01T12:00:01Z", "2026-03-01T12:00:03Z")
