"""S4: a secret in a dump is hidden, wherever in its lines it begins and however the stream is cut."""

from __future__ import annotations

import shutil
import subprocess
import time
from random import Random
from typing import Any

import pytest

from pipe_runner.masking import SecretMasker

SECRET = "tok-4f9aQz81LmN0pW+x/7_secretvalue9"
TOOLS = [
    "xxd", "xxd -u", "xxd -c 8", "xxd -c 20", "xxd -g 1", "xxd -g 4", "xxd -b", "hexdump", "hexdump -C", "hexdump -b",
    "hexdump -c", "hexdump -x", "od", "od -b", "od -c", "od -x", "od -tx1", "od -tx1z", "od -tx4", "od -tx8",
    "od -Ax -tx1",
]  # fmt: skip
WITHOUT_ADDRESSES = ["od -An -tx1", "xxd -p", "base64 -w 10", "base64 -w 4", "fold -w 10", "fold -w 3"]


def dumped(tool: str, data: bytes) -> bytes:
    if shutil.which(tool.split()[0]) is None:
        pytest.skip(f"no {tool.split()[0]} here")
    return subprocess.run(tool.split(), input=data, capture_output=True, check=True).stdout


def masked(data: bytes, size: int) -> bytes:
    stream = SecretMasker({"S": SECRET}).stream()
    return b"".join([stream.feed(data[at : at + size]) for at in range(0, len(data), size)] + [stream.flush()])


def told(shown: bytes, hidden: bytes) -> list[bool]:
    """Of each line whether something of it was hidden."""
    before, after = shown.splitlines(), hidden.splitlines()
    assert len(before) == len(after)
    for one, other in zip(before, after, strict=True):
        assert other == one or (b"***" in other and one.startswith(other.split(b"***")[0]))
    return [one != other for one, other in zip(before, after, strict=True)]


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.few(4)
def test_s4_every_line_of_a_dump_that_shows_a_byte_of_a_secret_is_hidden_behind_its_address(tool: str) -> None:
    for before in (0, 1, 5, 11, 16, 30):
        text = b"x" * before + SECRET.encode() + b"\nand more of the same\n" * 3
        shown = dumped(tool, text)
        whole = masked(shown, len(shown))
        other = dumped(tool, b"x" * before + bytes(255 - byte for byte in SECRET.encode()) + text[before + 35 :])
        differs = [a != b for a, b in zip(shown.splitlines(), other.splitlines(), strict=True)]
        assert told(shown, whole) == differs
        for size in (1, 64) if before < 6 else (7,):
            assert masked(shown, size) == whole
        text_masked = SecretMasker({"S": SECRET}).mask_text(shown.decode())
        assert text_masked.encode() == whole


@pytest.mark.parametrize("tool", WITHOUT_ADDRESSES)
def test_s4_lines_without_addresses_are_hidden(tool: str) -> None:
    for before in range(0, 20, 3):
        shown = dumped(tool, b"x" * before + SECRET.encode())
        whole = masked(shown, len(shown))
        assert all(told(shown, whole)[before // 3 + 1 :])
        assert masked(shown, 1) == whole


def test_s4_a_dump_in_a_value_is_hidden_from_its_first_line() -> None:
    shown = dumped("xxd -c 40", SECRET.encode()).decode()
    assert SecretMasker({"S": SECRET}).mask_json({"a": 1, "b": [shown]}) == {"a": 1, "b": ["00000000: ***\n"]}


def test_a_dump_without_a_secret_passes_as_it_is() -> None:
    for tool in TOOLS:
        shown = dumped(tool, Random(1).randbytes(3000))
        assert masked(shown, 100) == shown


@pytest.mark.parametrize("line", ["0 errors\n", "00:12:13 started\n", "0000000 ", "0", "0001234 aa bb" * 40, "0.5\n"])
def test_lines_that_begin_like_a_dump_pass(line: str) -> None:
    assert masked(line.encode() * 3, 1) == line.encode() * 3


def test_a_long_dump_is_read_in_time(in_time: Any) -> None:
    shown = dumped("hexdump -C", Random(1).randbytes(1 << 20))
    begun = time.process_time()
    SecretMasker({"S": SECRET}).mask_text(shown.decode())
    masked(shown, 65536)
    assert in_time(time.process_time() - begun, 5)
