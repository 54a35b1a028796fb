"""Recordings: files that read back as they were, calls that find theirs, and a miss that says what is different."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_case import attempt, giving, record

from pipe_runner.calls.answers import replayed
from pipe_runner.errors import NodeFault, StorageError, UsageError
from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.models import ModelFault, Reason, Usage
from pipe_runner.ports import Attempt, Masker
from pipe_runner.recordings.entry import Entry, key_of
from pipe_runner.recordings.folder import Folder
from pipe_runner.recordings.recorder import Recording, Replaying

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$lines", "$map", "text"]) | st.text(), inner, max_size=3)
    ),
    max_leaves=12,
)


def replay(path: Path, calls: list[tuple[Attempt, dict[str, Any]]], masker: Masker | None = None) -> list[Any]:
    async def main() -> list[Any]:
        recorder = Replaying(Folder(str(path)), masker or NoMasking())
        return [await recorder.through(one, "model", asked, giving(AssertionError("asked"))) for one, asked in calls]

    return asyncio.run(main())


@given(asked=st.dictionaries(st.text(), JSON, max_size=4), answer=JSON)
def test_a_recording_reads_back_as_it_was(asked: dict[str, Any], answer: Any) -> None:
    entry = Entry("model", "n[a/b]", 2, 3, asked, answer)
    assert Entry.from_text(entry.to_text()) == entry


def test_a_changed_line_of_a_prompt_is_a_changed_line_of_the_file() -> None:
    one = Entry("model", "n", 1, 1, {"text": "first\nsecond\nthird"}, {}).to_text().splitlines()
    two = Entry("model", "n", 1, 1, {"text": "first\nother\nthird"}, {}).to_text().splitlines()
    assert [(a, b) for a, b in zip(one, two, strict=True) if a != b] == [('        "second",', '        "other",')]


def test_the_order_of_keys_is_not_part_of_what_is_asked() -> None:
    assert key_of("model", {"a": 1, "b": {"c": 2, "d": 3}}) == key_of("model", {"b": {"d": 3, "c": 2}, "a": 1})


def test_each_call_finds_its_own_answer(tmp_path: Path) -> None:
    same = {"prompt": "x"}
    record(
        tmp_path / "r",
        [(attempt("a"), same, 1), (attempt("a"), same, 2), (attempt("b"), same, 3), (attempt("a", 2), same, 4)],
    )
    calls = [(attempt("b"), same), (attempt("a", 2), same), (attempt("a"), same), (attempt("a"), same)]
    assert replay(tmp_path / "r", calls) == [3, 4, 1, 2]
    assert replay(tmp_path / "r", [(attempt("other"), same)] * 5) == [1, 3, 2, 4, 4]


def test_faults_are_kept_with_all_that_retries_look_at(tmp_path: Path) -> None:
    fault = ModelFault(Reason.RATE_LIMITED, "later", retry_after=7.0, sent=True, status=429, usage=Usage(3, 0))
    record(tmp_path, [(attempt(), {"p": 1}, fault), (attempt(number=2), {"p": 1}, "ok")])
    with pytest.raises(ModelFault) as caught:
        replay(tmp_path, [(attempt(), {"p": 1})])
    found = caught.value
    assert (found.reason, found.message, found.retry_after) == (Reason.RATE_LIMITED, "later", 7.0)
    assert (found.status, found.usage) == (429, Usage(3, 0))
    assert replay(tmp_path, [(attempt(number=2), {"p": 1})]) == ["ok"]


def test_s4_secrets_are_in_no_recording_and_a_changed_one_finds_it_all_the_same(tmp_path: Path) -> None:
    def masker(value: str) -> SecretMasker:
        return SecretMasker({"TOKEN": value})

    asked = {"header": "Bearer canary-value-1", "b64": "Y2FuYXJ5LXZhbHVlLTE="}
    record(tmp_path, [(attempt(), asked, {"echo": "canary-value-1"})], masker("canary-value-1"))
    text = "".join(path.read_text() for path in tmp_path.iterdir())
    assert "canary-value-1" not in text
    assert "Y2FuYXJ5LXZhbHVlLTE" not in text
    other = {"header": "Bearer other-value-22", "b64": "b3RoZXItdmFsdWUtMjI="}
    assert replay(tmp_path, [(attempt(), other)], masker("other-value-22")) == [{"echo": "***"}]


def test_s4_a_secret_that_is_cut_across_pieces_is_in_no_recording(tmp_path: Path) -> None:
    said = {"text": "a canary-value-1 b", "pieces": ["a can", "ary-val", "ue-1 b"]}
    plain = {"text": "a b", "pieces": ["a ", "b"]}
    record(tmp_path, [(attempt(), {"p": 1}, said), (attempt(), {"p": 2}, plain)], SecretMasker({"T": "canary-value-1"}))
    answers = replay(tmp_path, [(attempt(), {"p": 1}), (attempt(), {"p": 2})])
    assert answers == [{"text": "a *** b", "pieces": ["a *** b"]}, plain]


def test_a_call_that_ran_out_of_time_is_kept_and_one_that_was_stopped_is_not(tmp_path: Path) -> None:
    def cancelled(*why: float | None) -> Callable[[], Awaitable[Any]]:
        async def perform() -> Any:
            raise asyncio.CancelledError(*why)

        return perform

    async def main() -> None:
        recorder = Recording(Folder(str(tmp_path)), NoMasking())
        for asked, why in (({"p": 1}, (5.0,)), ({"p": 2}, (None,))):
            with pytest.raises(asyncio.CancelledError):
                await recorder.through(attempt(), "model", asked, cancelled(*why))

    asyncio.run(main())
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ModelFault) as caught:
        replay(tmp_path, [(attempt(), {"p": 1})])
    assert (caught.value.reason, caught.value.sent) == (Reason.TIMED_OUT, True)


def test_runs_beside_each_other_don_t_meet(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    entry = Entry("model", "n", 1, 1, {"p": 1}, 1)
    for _ in range(3):
        folder.write(entry)
    assert len(folder.read()) == 3


def test_many_calls_that_ask_the_same_under_like_names_are_kept_without_trying_each_name_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    folder, opened = Folder(str(tmp_path)), os.open
    monkeypatch.setattr(os, "open", lambda path, *more: tried.append(path) or opened(path, *more))  # type: ignore[func-returns-value]
    for number in range(50):
        folder.write(Entry("http", f"n[{chr(0x4E00 + number)}]", 1, 1, {"p": 1}, number))
    assert len(tried) == len(folder.read()) == 50


def test_names_of_nodes_are_no_paths(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path / "in"))
    folder.clear()
    folder.write(Entry("model", "n[../../../out]", 1, 1, {}, 1))
    folder.write(Entry("model", "[\x00]", 1, 1, {}, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert len(folder.read()) == 2


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"v": 1}', '{"v": 2}', "[" * 100_000, '{"v": 1, "kind": 3}'])
def test_what_is_no_recording_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UsageError, match=r"x\.json can't be used"):
        Folder(str(tmp_path)).read()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"n",', '"n"', "line 5, column 3: a comma is missing"),
        ("{", "version https://git-lfs.github.com/spec/v1\noid sha256:12", "Git LFS: `git lfs pull` brings the file"),
        ('"v": 1', '"v": 2', "it is of version 2, and this pipe knows version 1"),
        ('"answer": 1', '"answer": 1,', "a name in double quotes must stand here"),
        ('"answer": 1', '"answer": ', "a value must stand here"),
        ('"n"', '"n\nm"', "a line end stands in a text"),
        ('  "attempt"', '<<<<<<< HEAD\n  "attempt"', "line 5, column 1: git left a conflict of a merge: keep one"),
        ('"attempt": 1', '"attempt": "1"', "its `attempt` is not a whole number"),
        ('"attempt": 1,', "", "it lacks `attempt`, which is a whole number"),
        ('"answer": 1', '"answer": 1, "fault": {}', "leave one out"),
        ('"answer": 1', '"answr": 1', "it lacks `answer`, or `fault`"),
        ('"answer": 1', '"fault": 1', "its `fault` is no object"),
        ('"answer": 1', '"answer": 1, "answer": 2', 'the key "answer" stands twice'),
        ('"answer": 1', '"answer": NaN', "JSON has no NaN"),
        ('"answer": 1', '"answer": 1e999', "1e999 is too large for a number"),
        ('"answer": 1', '"answer": ' + "9" * 5000, "an integer of more than 4,300 digits"),
        ('"answer": 1', '"answer": ' + "[" * 600 + "]" * 600, "it is nested too deeply"),
        ('"p": 1', '"p": ' + "[" * 600 + "]" * 600, "it is nested too deeply"),
    ],
)
def test_one_that_was_edited_by_hand_is_told_with_its_line_and_what_to_do(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = Entry("model", "n", 1, 1, {"p": 1}, 1).to_text()
    assert old in text
    (tmp_path / "x.json").write_text(text.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        Folder(str(tmp_path)).read()
    assert "x.json can't be used" in caught.value.message
    assert said in caught.value.message
    assert "mend it" in str(caught.value.hint)


def test_one_that_an_editor_saved_with_a_mark_at_its_beginning_is_read(tmp_path: Path) -> None:
    text = Entry("model", "n", 1, 1, {"p": 1}, 1).to_text()
    (tmp_path / "x.json").write_text(text.replace("\n", "\r\n"), encoding="utf-8-sig")
    assert [entry.answer for entry in Folder(str(tmp_path)).read()] == [1]
    (tmp_path / "x.json").write_text(text, encoding="utf-16")
    with pytest.raises(UsageError, match="it is not UTF-8, at byte 0"):
        Folder(str(tmp_path)).read()


def test_d7_a_recording_that_can_t_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file can't be used: it is no folder"):
        record(tmp_path / "file", [])
    with pytest.raises(StorageError):
        record(tmp_path / "file" / "in", [(attempt(), {"p": 1}, 1)])


def test_what_can_not_be_written_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half(path: str, flags: int, mode: int) -> int:
        return opened(path, flags & ~os.O_ACCMODE | os.O_RDONLY, mode)  # no write to it succeeds

    folder, opened = Folder(str(tmp_path)), os.open
    folder.write(Entry("model", "n", 1, 1, {"p": 1}, 1))
    with monkeypatch.context() as broken, pytest.raises(StorageError):
        broken.setattr(os, "open", half)
        folder.write(Entry("model", "n", 1, 1, {"p": 2}, 2))
    assert [entry.answer for entry in folder.read()] == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_fault_that_was_edited_into_none_names_its_file(tmp_path: Path) -> None:
    record(tmp_path, [(attempt(), {"p": 1}, ModelFault(Reason.RATE_LIMITED, "later"))])
    (file,) = tmp_path.iterdir()
    file.write_text(file.read_text().replace('"message"', '"mesage"'))
    with pytest.raises(NodeFault) as caught:
        replay(tmp_path, [(attempt(), {"p": 1})])
    assert caught.value.message.startswith(f"{file}: its `fault` has not the shape of one: it lacks 'message'; mend")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"later"', "5", "`message` is no text"),
        ('"retry_after": 2.0', '"retry_after": "soon"', "`retry_after` is no number of seconds"),
        ('"status": 429', '"status": "429"', "`status` is no whole number"),
    ],
)
def test_s11_a_fault_that_was_edited_into_another_type_is_told_in_words(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    fault = ModelFault(Reason.RATE_LIMITED, "later", retry_after=2.0, status=429)
    record(tmp_path, [(attempt(), {"p": 1}, fault)])
    (file,) = tmp_path.iterdir()
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(NodeFault, match=f"its `fault` has not the shape of one: {said}; mend"):
        replay(tmp_path, [(attempt(), {"p": 1})])


def test_an_answer_that_was_edited_into_none_says_what_to_do() -> None:
    with pytest.raises(NodeFault, match="it lacks 'finish'; mend its file"):
        replayed({"text": "x"}, None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"text": 5}, "`text` is no text"),
        ({"text": {"$lines": 3}}, "`text` is no text"),
        ({"cost": -5}, "`cost` is no amount of dollars"),
        ({"cost": "1"}, "`cost` is no amount of dollars"),
        ({"cost": 1e308}, "`cost` is no amount of dollars"),
        ({"cost": True}, "`cost` is no amount of dollars"),
        ({"usage": []}, "`usage` is no object"),
        ({"usage": {"input": 1.5, "output": 1}}, "`usage` says something else than numbers of tokens"),
        ({"usage": {"input": 1}}, "it lacks 'output'"),
        (
            {"usage": {"input": 1, "output": 1, "outptu": 1}},
            "it has `outptu`, and only input, output, cached, cache_written, reasoning, audio are known there",
        ),
        (
            {"thought": ["x"]},
            "it has `thought`, and only text, finish, tool_calls, usage, cost, provider, model, request_id, latency, "
            "first_piece are known there",
        ),
        ({"tool_calls": {}}, "`tool_calls` is no list"),
        ({"tool_calls": [{"id": "1", "name": "x", "arguments": "{}"}]}, "`arguments` is no object"),
        ({"finish": "wel"}, "'wel' is not a valid Finish"),
        ({"text": None}, "`text` is no text"),
        ({"pieces": 5}, "`pieces` is no list"),
        ({"request_id": 5}, "`request_id` is no text"),
        ({"latency": "long"}, "`latency` is no number of seconds"),
        ({"tool_calls": [{"id": "1", "name": "x", "arguments": {}, "fault": 5}]}, "`fault` is no text"),
    ],
)
def test_s11_an_answer_that_was_edited_into_another_type_is_told_in_words(more: dict[str, Any], said: str) -> None:
    with pytest.raises(NodeFault) as caught:
        replayed({"text": "x", "finish": "stop", **more}, None)
    assert f"can't be used: {said}; mend its file" in caught.value.message


@pytest.mark.parametrize(
    ("answer", "said"), [({"txt": "x"}, "it lacks 'text'"), ({"text": 5}, "`text` is no text"), ([], "it is no object")]
)
def test_a_tool_s_answer_that_was_edited_into_none_names_its_file(tmp_path: Path, answer: Any, said: str) -> None:
    async def through(recorder: Any, given: Any) -> Any:
        return await recorder.through(attempt(), "tool", {"tool": "t"}, giving(given))

    asyncio.run(through(Recording(Folder(str(tmp_path)), NoMasking()), answer))
    (file,) = tmp_path.iterdir()
    with pytest.raises(NodeFault) as caught:
        asyncio.run(through(Replaying(Folder(str(tmp_path)), NoMasking()), None))
    assert caught.value.message.startswith(f"{file}: its `answer` has not the shape of one: {said}; mend the file")
