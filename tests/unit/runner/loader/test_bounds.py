"""Any text is read or refused within bounds of time and memory."""

from __future__ import annotations

import gc
import os
import resource
import time
from collections.abc import Callable
from typing import Any, Final

import pytest

from pipe_runner.loader import load_text
from pipe_runner.reports.diagnostics import render

SIZE: Final = 2**20
SECONDS: Final = 2.0
MEMORY: Final = 256 * 2**20


def bomb(line: Callable[[int], str], first: str) -> str:
    return first + "".join(line(number) for number in range(1, 3000))


HOSTILE: Final[dict[str, Callable[[], str | bytes]]] = {
    "lists": lambda: "[" * SIZE,
    "lists on lines": lambda: "[\n" * (SIZE // 2),
    "maps": lambda: "{" * SIZE,
    "maps of maps": lambda: "{a: " * (SIZE // 4),
    "dashes": lambda: "- " * (SIZE // 2),
    "questions": lambda: "? " * (SIZE // 2),
    "indentation": lambda: "".join(" " * depth + "a:\n" for depth in range(1400)),
    "anchored lists": lambda: "".join(f"&a{number} [" for number in range(SIZE // 9)),
    "braces of an expression": lambda: "a: " + "{{" * (SIZE // 2),
    "alias bomb": lambda: bomb(lambda n: f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n", "a0: &a0 [x]\n"),
    "merge bomb": lambda: bomb(
        lambda n: f"a{n}: &a{n} {{<<: *a{n - 1}, j{n}: 2}}\n",
        f"a0: &a0 {{{','.join(f'k{n}: 1' for n in range(1000))}}}\n",
    ),
    "text by alias": lambda: f"a: &a {'x' * (SIZE // 2)}\nb: [{'*a,' * (SIZE // 8)}]",
    "merges of a list": lambda: "a: &a {x: 1}\nb: {<<: [" + "*a," * (SIZE // 4) + "]}",
    "merges inside": lambda: "a: " + "{<<: " * 97 + "{" + ",".join(f"k{n}" for n in range(90000)) + "}" * 98,
    "anchors inside anchors": lambda: "a:" + "".join(f" &a{n} [" for n in range(90)) + "x," * 300000 + "]" * 90,
    "tag directives": lambda: "".join(f"%TAG !a{n}! x\n" for n in range(SIZE // 15)) + "---\na: 1",
    "tag directives behind": lambda: (
        "a: 1\n...\n" + "".join(f"%TAG !a{n}! x\n" for n in range(SIZE // 15)) + "---\na: 1"
    ),
    "documents": lambda: "a: 1\n" + "---\n" * (SIZE // 4),
    "tags": lambda: "a:\n" + "- !a x\n" * (SIZE // 7),
    "short values": lambda: "a: [" + "a," * (SIZE // 2) + "]",
    "short maps": lambda: "a: [" + "{a}," * (SIZE // 4) + "]",
    "no values": lambda: "a:\n" + "-\n" * (SIZE // 2),
    "one key again and again": lambda: "a:\n" * (SIZE // 3),
    "keys that are lists": lambda: "? [a]\n" * (SIZE // 6),
    "unquoted expressions": lambda: "a:\n" + "- {{ x }}\n" * (SIZE // 10),
    "broken expressions": lambda: "a:\n" + "- {{ x }} y\n" * (SIZE // 12),
    "broken values": lambda: "a:\n" + "- @x\n" * 4000,
    "a long key": lambda: "a" * SIZE + ": 1",
    "a long integer": lambda: "a: " + "9" * SIZE,
    "a long float": lambda: "a: " + "9" * SIZE + ".5e3",
    "long integers": lambda: "a:\n" + ("- " + "9" * 999 + "\n") * (SIZE // 1002),
    "spaces before a fault": lambda: "a:" + " " * SIZE + "@",
    "words before a fault": lambda: "a:" + " b: " * (SIZE // 4),
    "colons": lambda: "a" + ":" * SIZE + "\nb: 1",
    "an unclosed quote": lambda: "a: '" + "\n" * SIZE,
    "control characters": lambda: "a: \x07\n" * (SIZE // 5),
    "nothing but NUL": lambda: "\0" * SIZE,
    "nothing but line ends": lambda: "\n" * SIZE,
    "random bytes": lambda: os.urandom(SIZE),
    "no utf-8": lambda: b"a: \xe9\n" * (SIZE // 5),
}


def spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def in_a_child(work: Callable[[], None]) -> tuple[float, int, int]:
    """CPU seconds, bytes of memory beyond what the parent has, and status, of `work` in a process of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            gc.freeze()  # what the tests before it left is no part of the work
            began, base = spent(), resident()
            work()
            os.write(writer, f"{spent() - began} {resident() - base}".encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as report:
        said = report.read()
    _, status = os.waitpid(child, 0)
    seconds, memory = said.split() if said else ("inf", "0")
    return float(seconds), int(memory), status


def resident() -> int:
    """The most memory that this process ever had."""
    with open("/proc/self/status") as status:
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="measured with Linux's means")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of a fork beside threads that other tests may have left
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.few(8)
def test_r2_a_mebibyte_is_read_or_refused_within_bounds(name: str, in_time: Any) -> None:
    text = HOSTILE[name]()

    def work() -> None:
        document, faults = load_text(text)
        document.position(("a", 7, "x"))
        render(faults, "text")
        if faults:
            render(faults, "sarif")

    seconds, memory, status = in_a_child(work)
    assert status == 0
    assert in_time(seconds, SECONDS)
    assert memory < MEMORY


@pytest.mark.few(2)
@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="measured with Linux's means")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("text", "path"),
    [
        (lambda: "a: [" + "a," * 400_000 + "]" + " " * 200_000, ("a",)),
        (lambda: "a:\n" + "-\n" * 350_000, ("a",)),
        (lambda: "a: [" + "[],[a]," * 55_000 + "]", ("a",)),
        (lambda: "a: {" + ",".join(f"k{n}" for n in range(150_000)) + "}\nb: [" + "x," * 10_000 + "]", ("b",)),
        (lambda: "a: [" + "long text," * 95_000 + "]", ("a",)),
    ],
    ids=["short items", "no items", "lists", "keys", "long items"],
)
def test_r2_a_thousand_places_at_the_end_of_a_mebibyte_are_found_within_bounds(
    text: Callable[[], str], path: tuple[str], in_time: Any
) -> None:
    written = text()
    last = written.count(",") if written[3] == "[" else 350_000

    def work() -> None:
        document, faults = load_text(written)
        assert faults == []
        for back in range(1, 1001):
            document.position((*path, last - back if path == ("a",) else 10_000 - back))

    seconds, memory, status = in_a_child(work)
    assert status == 0
    assert in_time(seconds, SECONDS)
    assert memory < MEMORY


def test_r2_depth_is_counted_before_it_hurts() -> None:
    fits = "a: " + "[" * 99 + "]" * 99
    assert load_text(fits)[1] == []
    _, faults = load_text("a: " + "[" * 100 + "]" * 100)
    assert [(fault.code, fault.column) for fault in faults] == [("E116", 103)]
    for deep in ("[" * 100_000, "a: " + "{b: " * 100_000, "- " * 100_000, "a: {{" + "[" * 100_000):
        assert [fault.code for fault in load_text(deep)[1]][-1] == "E116"


def test_r2_aliases_may_share_but_not_explode() -> None:
    shared = "a: &a {x: 1, y: [1, 2]}\nb: [" + "*a, " * 5000 + "]\n"
    assert load_text(shared)[1] == []
    bomb_text = HOSTILE["alias bomb"]()
    document, faults = load_text(bomb_text)
    assert [fault.code for fault in faults] == ["E113"]
    assert document.data is None


def test_r2_so_many_faults_are_told_and_no_more() -> None:
    document, faults = load_text("a: 1\n" * 5000)
    assert len(faults) == 1001
    assert faults[-1].code == "E119"
    assert document.data is None


def test_r2_larger_files_take_time_in_proportion() -> None:
    nodes = "".join(f"  n{n}: {{run: echo {n}, needs: [n{n // 2}]}}\n" for n in range(4000))

    def seconds(text: str) -> float:
        began = time.process_time()
        assert load_text(text)[1] == []
        return time.process_time() - began

    small = min(seconds("nodes:\n" + nodes) for _ in range(3))
    eightfold = "".join(f"m{n}:\n" + nodes for n in range(8))
    assert min(seconds(eightfold) for _ in range(2)) < 8 * small * 2.5
