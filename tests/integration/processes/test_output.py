"""What commands print: whole, bounded, live, masked, whatever the bytes."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest

from pipe_runner.errors import StorageError
from pipe_runner.masking import SecretMasker
from pipe_runner.types import EventKind

LIMIT = 16 * 2**20


def test_stdout_arrives_byte_for_byte_and_the_end_of_stderr_is_kept(machine: Any) -> None:
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 4); sys.stderr.write('x' * 5000 + 'end')"

    async def scene() -> None:
        end = await machine.run(sys.executable, "-c", code)
        assert end.stdout == bytes(range(256)) * 4
        assert end.stderr_tail == b"x" * 4093 + b"end"

    machine.play(scene())


def test_a_last_line_without_newline_and_no_output_are_told_apart(machine: Any) -> None:
    async def scene() -> None:
        assert (await machine.sh("printf a")).stdout == b"a"
        assert machine.told() == "a"
        assert (await machine.sh("true")).stdout == b""
        assert machine.told() == "a"

    machine.play(scene())


def test_r3_output_above_the_limit_is_cut_with_size_and_digest_of_the_whole(machine: Any) -> None:
    whole = b"".join(b"line %d\n" % i for i in range(200_000))
    (machine.folder / "big").write_bytes(whole)

    async def scene() -> None:
        for limit in (1000, 65536, len(whole) - 1):
            end = await machine.sh("cat big", output_limit=limit)
            assert end.stdout == whole[:limit]
            assert end.truncated == {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}
        end = await machine.sh("cat big", output_limit=len(whole))
        assert end.stdout == whole and end.truncated is None

    machine.play(scene())


def test_events_carry_at_most_64_kib_of_an_attempt(machine: Any) -> None:
    async def scene() -> None:
        await machine.sh("head -c 40000 /dev/zero | tr '\\0' a; head -c 100000 /dev/zero | tr '\\0' b >&2; echo end")
        assert len(machine.told("stdout")) + len(machine.told("stderr")) == 65536

    machine.play(scene())


def test_characters_are_not_torn_between_events(machine: Any) -> None:
    code = (
        "import os, time\n"
        "for byte in 'aé€😀\\n'.encode():\n"
        "    os.write(1, bytes([byte])); time.sleep(0.07)\n"
        "os.write(1, b'\\xff\\xc3')"
    )

    async def scene() -> None:
        await machine.run(sys.executable, "-c", code)
        assert machine.told() == "aé€😀\n\ufffd\ufffd"
        assert len(machine.events) > 3

    machine.play(scene())


def test_output_is_told_while_the_command_runs_in_whole_lines(machine: Any) -> None:
    seen: list[tuple[float, str]] = []

    def emit(kind: EventKind, data: Mapping[str, Any]) -> None:
        assert kind is EventKind.NODE_OUTPUT
        seen.append((time.monotonic(), data["text"]))

    async def scene() -> None:
        await machine.sh("printf 'one\\ntw'; sleep 0.02; printf 'o\\n'; sleep 0.5; echo three", emit=emit)
        ended = time.monotonic()
        assert [text for _, text in seen] == ["one\ntwo\n", "three\n"]
        assert seen[0][0] < ended - 0.3

    machine.play(scene())


def test_a_prompt_that_waits_behind_a_line_is_told_soon(machine: Any) -> None:
    async def scene() -> None:
        doing = asyncio.ensure_future(machine.sh("printf 'one\\nmore? '; sleep 30"))
        await asyncio.sleep(0.5)
        assert machine.told() == "one\nmore? "
        doing.cancel()
        await asyncio.wait([doing])

    machine.play(scene())


def test_many_small_lines_share_events(machine: Any) -> None:
    async def scene() -> None:
        await machine.run(sys.executable, "-uc", "for i in range(3000): print(i)")
        assert machine.told() == "".join(f"{i}\n" for i in range(3000))
        assert len(machine.events) < 100

    machine.play(scene())


def test_s4_secrets_are_masked_wherever_the_stream_is_cut(machine: Any) -> None:
    secret = "correct-horse-battery"
    code = (
        "import os, time\n"
        f"for c in 'x{secret}y\\n': os.write(1, c.encode()); os.write(2, c.encode()); time.sleep(0.03)\n"
    )

    async def scene() -> None:
        end = await machine.run(sys.executable, "-c", code, masker=SecretMasker({"S": secret}))
        assert end.stdout == end.stderr_tail == b"x***y\n"
        assert machine.told("stdout") == machine.told("stderr") == "x***y\n"

    machine.play(scene())


def test_d7_an_event_that_cannot_be_written_ends_the_attempt(machine: Any) -> None:
    def emit(kind: EventKind, data: Mapping[str, Any]) -> None:
        raise StorageError("no space left")

    async def scene() -> None:
        began = time.monotonic()
        with pytest.raises(StorageError, match="no space left"):
            await machine.sh("echo a; sleep 60", emit=emit)
        assert time.monotonic() - began < 1
        with pytest.raises(StorageError):
            await machine.sh("echo a", emit=emit)

    machine.play(scene())


def test_large_input_and_output_at_once_do_not_hang(machine: Any) -> None:
    data = bytes(range(256)) * 40_000

    async def scene() -> None:
        end = await machine.run("tee", "/dev/stderr", stdin=data)
        assert end.stdout == data and end.stderr_tail == data[-4096:]

    machine.play(scene())


def test_without_stdin_there_is_nothing_to_read(machine: Any) -> None:
    async def scene() -> None:
        assert (await machine.sh("cat; echo end")).stdout == b"end\n"
        assert (await machine.sh("cat; echo end", stdin=b"")).stdout == b"end\n"
        assert (await machine.sh("read a; echo $a; cat", stdin=b"one\ntwo")).stdout == b"one\ntwo"

    machine.play(scene())


def test_200_mb_flow_quickly(machine: Any) -> None:
    async def scene() -> float:
        began = time.monotonic()
        end = await machine.sh("head -c 200000000 /dev/zero", output_limit=LIMIT)
        assert end.truncated is not None and end.truncated["bytes"] == 200_000_000
        assert len(end.stdout) == LIMIT
        return time.monotonic() - began

    took = machine.play(scene())
    assert took < 10, f"{200 / took:.0f} MB/s"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_r1_1_gb_without_a_newline_takes_bounded_memory_and_100_mb_a_second(machine: Any) -> None:
    import resource

    async def scene() -> float:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.monotonic()
        end = await machine.sh("head -c 1000000000 /dev/zero", output_limit=LIMIT)
        took = time.monotonic() - began
        assert end.truncated is not None and end.truncated["bytes"] == 1_000_000_000
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 100 * 1024, f"{grown // 1024} MiB"
        return took

    took = machine.play(scene())
    assert took < 10, f"{1000 / took:.0f} MB/s"


def test_others_go_on_while_one_prints_much(machine: Any) -> None:
    async def scene() -> None:
        flood = asyncio.ensure_future(machine.sh("yes | head -c 300000000", node="flood"))
        await asyncio.sleep(0.05)
        began = time.monotonic()
        for i in range(5):
            assert (await machine.sh("echo hi", node=f"n{i}")).stdout == b"hi\n"
        assert time.monotonic() - began < 2
        assert (await flood).exit_code == 0

    machine.play(scene())
