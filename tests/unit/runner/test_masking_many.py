"""S4 and R1 with many secrets, and with such as have many lines: found as few are, in bounded memory and time."""

from __future__ import annotations

import random
import string
import time
import tracemalloc
from base64 import b64encode

import pytest

from pipe_runner import secret_needles
from pipe_runner.masking import SecretMasker

LETTERS = string.ascii_letters + string.digits + "+/"


def secrets(count: int, lines: int) -> dict[str, str]:
    choices = random.Random(5).choices
    return {f"S{at}": "\n".join("".join(choices(LETTERS, k=64)) for _ in range(lines)) for at in range(count)}


@pytest.mark.parametrize("most", [100_000, 4_000, 2_000, 1_000])
def test_s4_secrets_of_many_lines_are_found_wherever_they_begin(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_needles, "_MOST", most)  # steps of 8, 4, 2 bytes, and 1
    values = secrets(2, 15)
    masker = SecretMasker(values)
    shown = [line for value in values.values() for line in value.split("\n")]
    shown += [form for line in shown for form in (line.encode().hex(), b64encode(line.encode()).decode())]
    for at, text in enumerate(shown):
        before = "- " * (at % 9) + "-" * (at % 2)
        assert masker.mask_text(f"{before}{text} -") == f"{before}*** -"
        stream, data = masker.stream(), f"{before}{text} -".encode()
        cut = len(before) + 1 + at
        assert stream.feed(data[:cut]) + stream.feed(data[cut:]) + stream.flush() == f"{before}*** -".encode()


def test_s4_base64_of_a_secret_within_other_text_is_hidden_with_the_characters_it_shares() -> None:
    secret = "a-secret-of-some-length"
    masker = SecretMasker({"S": secret})
    for before in range(4):
        for behind in range(4):
            text = b64encode(b"\xfb" * before + secret.encode() + b"\xfb" * behind).decode()
            begin, end = 8 * before // 6, -(-8 * (before + len(secret)) // 6)
            hidden = f"{text[:begin]}***{text[end:]}".rstrip("=").encode()
            for cut in range(len(text)):
                stream = masker.stream()
                told = stream.feed(text[:cut].encode()) + stream.feed(text[cut:].encode()) + stream.flush()
                assert told.rstrip(b"=") == hidden, (before, behind, cut)


@pytest.mark.parametrize("size", [300, 301, 302])
def test_s4_both_ends_of_base64_of_a_long_secret_are_hidden_also_where_they_are_alike(size: int) -> None:
    secret = "A" * size
    masker = SecretMasker({"S": secret})
    for before in range(3):
        text = b64encode(b"\xfb" * before + secret.encode()).decode()
        assert masker.mask_text(text) == f"{text[: 8 * before // 6]}***"


def test_r1_a_line_of_a_secret_takes_some_dozen_kilobytes() -> None:
    values = secrets(3, 50)
    tracemalloc.start(1)
    try:
        masker = SecretMasker(values)
        used, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert masker.mask_text(values["S2"]) == "***"
    assert used < 150 * 60_000, used
    assert peak < 150 * 70_000, peak


def test_a_text_that_holds_one_of_many_secrets_takes_little_longer_than_one_that_holds_none() -> None:
    values = secrets(100, 1)
    masker = SecretMasker(values)
    words = b"".join(b"what a node says, %d times over\n" % at for at in range(2000))
    took = []
    for text in (words, words + values["S7"].encode() + b"\n"):
        began = time.process_time()
        for _ in range(20):
            stream = masker.stream()
            told = stream.feed(text) + stream.flush()
        took.append(time.process_time() - began)
    assert told.endswith(b"\n***\n")
    assert took[1] < 6 * took[0] + 0.2, took
