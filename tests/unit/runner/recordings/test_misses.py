"""A call that nobody recorded: what it asks otherwise than the nearest recording, in words that help."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import NodeFault
from pipe_runner.masking import NoMasking
from pipe_runner.ports import Attempt
from pipe_runner.recordings.entry import Entry
from pipe_runner.recordings.folder import Folder
from pipe_runner.recordings.recorder import Replaying


def attempt(node: str = "n") -> Attempt:
    return Attempt("r", node, 1, "llm", {}, {}, "/", "k")


def record(path: Path, calls: list[tuple[Attempt, dict[str, Any], Any]]) -> None:
    folder = Folder(str(path))
    folder.clear()
    for one, asked, answer in calls:
        folder.write(Entry("model", one.node, one.number, 1, asked, answer))


def replay(path: Path, calls: list[tuple[Attempt, dict[str, Any]]]) -> None:
    async def perform() -> Any:
        raise AssertionError("asked")

    async def main() -> None:
        recorder = Replaying(Folder(str(path)), NoMasking())
        for one, asked in calls:
            await recorder.through(one, "model", asked, perform)

    asyncio.run(main())


def test_a_miss_says_what_the_nearest_recording_asked_otherwise(tmp_path: Path) -> None:
    near = {"model": "m", "messages": [{"role": "user", "text": "Why is it slow? " * 20 + "Tell."}]}
    far = {"model": "other", "messages": [{"role": "user", "text": "Hello"}], "seed": 1}
    record(tmp_path, [(attempt(), far, 1), (attempt(), near, 2)])
    asked = json.loads(json.dumps(near).replace("Tell.", "Say."))
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), asked)])
    assert "differs at messages[0].text" in caught.value.message
    assert 'Tell."' in caught.value.message
    assert 'Say."' in caught.value.message
    assert f"--record {tmp_path}" in caught.value.message


def _talk(*texts: str) -> dict[str, Any]:
    roles = {"S": "system", "U": "user", "A": "assistant"}
    return {"model": "m", "messages": [{"role": roles[text[0]], "text": text} for text in texts]}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            _talk("S terse", "U why?"),
            'messages[0]: not recorded, asked {"role": "system", "text": "S terse"}; record it',
        ),
        (
            _talk("S terse", "U why so?"),
            'messages[0]: not recorded, asked {"role": "system", "text": "S terse"}; '
            'messages[1].text: recorded "U why?", asked "U why so?"; record it',
        ),
        (_talk("U why?", "A so", "U again"), 'messages[1]: not recorded, asked {"role": "assistant", "text": "A so"}'),
    ],
)
def test_a_miss_tells_of_a_message_that_was_added_as_one_that_was_added(
    tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    record(tmp_path, [(attempt(), _talk("U why?"), 1), (attempt(), _talk("U why?", "U again"), 2)])
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), asked)])
    assert f"the nearest recording differs at {said}" in caught.value.message


def test_of_recordings_that_differ_in_as_many_places_the_one_with_the_most_of_the_words_is_the_nearest(
    tmp_path: Path,
) -> None:
    calls = [(attempt(f"each[{n}]"), _talk(f"U Explain what port {n} is for"), n) for n in (22, 80, 443)]
    record(tmp_path, calls)
    with pytest.raises(NodeFault, match=r"the nearest recording \(of each\[443\]\) differs"):
        replay(tmp_path, [(attempt("every[443]"), _talk("U Say what port 443 is for"))])


def test_a_miss_names_the_folder_as_a_shell_takes_it(tmp_path: Path) -> None:
    record(tmp_path / "a b", [(attempt(), {"p": 1}, 1)])
    with pytest.raises(NodeFault, match=f"record it with --record '{tmp_path}/a b'"):
        replay(tmp_path / "a b", [(attempt(), {"p": 2})])


def test_a_miss_tells_of_a_message_that_is_not_asked_any_more(tmp_path: Path) -> None:
    record(tmp_path, [(attempt(), _talk("S terse", "U why?", "A so", "U again"), 1)])
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), _talk("U why?", "A so", "U again"))])
    said = 'differs at messages[0]: recorded {"role": "system", "text": "S terse"}, not asked; record it'
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("was", "now", "why"),
    [
        ("run 20261130-045817-7nemn", "run 20261130-045819-e8e52", "a run's id"),
        ("run 20261130-045817-7nemn", "run r", "a run's id"),
        ("Today is 2026-11-29.", "Today is 2026-11-30.", "a date or a time"),
        ("at 2026-11-30T04:58:18.461635Z, so", "at 2026-11-30T04:58:19.5Z, so", "a date or a time"),
        ("see /tmp/tmp_x1/log", "see /tmp/tmpz88/log", "a temporary file"),
        ("20261130-045817-7nemn on 2026-11-29", "20261130-045819-e8e52 on 2026-11-30", "an id or a time"),
        ("Today is 2026-11-29.", "It is 2026-11-30.", None),
        ("Today", "today", None),
    ],
)
def test_a_miss_says_what_no_run_asks_again(tmp_path: Path, was: str, now: str, why: str | None) -> None:
    record(tmp_path, [(attempt(), _talk(f"U {was}"), 1)])
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), _talk(f"U {now}"))])
    said = f" ({why} is another one in each run: hand it in as an input); record it"
    assert (said in caught.value.message) if why else ("another one in each run" not in caught.value.message)


def test_a_miss_tells_what_of_data_has_changed_and_not_the_mark_around_it(tmp_path: Path) -> None:
    def about(mark: str, last: str) -> dict[str, Any]:
        lines = "a line of a log\n" * 20
        return _talk(f'U <data {mark * 16} from="x.log">\n{lines}{last}\n</data {mark * 16}>')

    record(tmp_path, [(attempt(), about("a0", "done"), 1)])
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), about("b1", "failed"))])
    assert 'a line of a log\\ndone\\n</data …>", asked' in caught.value.message
    assert "a0a0" not in caught.value.message
    with pytest.raises(NodeFault, match="b1b1"):
        replay(tmp_path, [(attempt(), about("b1", "done"))])


def test_a_miss_of_long_lists_takes_no_time(tmp_path: Path, in_time: Any) -> None:
    record(tmp_path, [(attempt(), {"json": {"rows": [{"n": n} for n in range(20_000)]}}, 1)])
    began = time.process_time()
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), {"json": {"rows": [{"n": -n} for n in range(20_000)]}})])
    assert "json.rows[1].n: recorded 1, asked -1;" in caught.value.message
    assert "and 19996 more" in caught.value.message
    assert in_time(time.process_time() - began, 3)


def test_lists_within_lists_are_compared_in_time_that_grows_with_them_only(tmp_path: Path, in_time: Any) -> None:
    """Each list asked three times whether what stands in it is the same: 12 within one another took 8 s."""

    def nested(word: str) -> dict[str, Any]:
        value: Any = word
        for _ in range(250):
            value = [value]
        return {"arguments": value}

    record(tmp_path, [(attempt(), nested("old"), 1)])
    began = time.process_time()
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), nested("new"))])
    assert in_time(time.process_time() - began, 2)
    assert 'recorded "old", asked "new"' in caught.value.message
