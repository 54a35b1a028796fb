"""S4: what becomes known as a secret while the run goes on is hidden from then on, wherever it stands."""

from __future__ import annotations

import json
import threading

from pipe_runner.masking import ADDED, SecretMasker

KEY = "later/canary+token==0123456789"


def test_a_secret_that_comes_later_is_hidden_in_texts_and_values() -> None:
    masker = SecretMasker({})
    value = {"a": [KEY, 1], KEY: None}
    assert masker.mask_text(KEY) == KEY
    assert masker.mask_json(value) is value
    masker.add(KEY)
    assert masker.mask_text(f"x {KEY} y") == "x *** y"
    assert KEY not in json.dumps(masker.mask_json(value))


def test_a_stream_that_has_begun_hides_it_too_however_it_is_cut() -> None:
    masker = SecretMasker({"known": "another-secret"})
    stream = masker.stream()
    found = stream.feed(b"before another-secret ")
    masker.add(KEY)
    for character in f"then {KEY} end":
        found += stream.feed(character.encode())
    assert found + stream.flush() == b"before *** then *** end"


def test_what_was_given_at_the_start_stays_hidden_and_the_last_of_the_later_ones() -> None:
    masker = SecretMasker({"known": "another-secret"})
    later = [f"key-number-{number:04}" for number in range(ADDED + 8)]
    for one in later:
        masker.add(one)
        masker.add(one)
    assert masker.mask_text("another-secret") == "***"
    assert [masker.mask_text(one) for one in later[8:]] == ["***"] * ADDED


def test_threads_may_say_so_at_the_same_time() -> None:
    masker = SecretMasker({})
    keys = [f"key-number-{number:04}" for number in range(ADDED)]
    threads = [threading.Thread(target=masker.add, args=(key,)) for key in keys]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert [masker.mask_text(key) for key in keys] == ["***"] * ADDED


def test_what_is_too_short_is_left() -> None:
    masker = SecretMasker({})
    masker.add("abc")
    assert masker.mask_text("abc") == "abc"
