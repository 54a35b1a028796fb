"""The two recorders: one performs and keeps, the other gives what was kept."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from pipe_runner.errors import NodeFault, NoRecording, held_to
from pipe_runner.models import ModelFault, Reason, Usage, out_of_time, was_sent
from pipe_runner.ports import Attempt, Masker
from pipe_runner.recordings.difference import Nearest
from pipe_runner.recordings.entry import Entry, key_of
from pipe_runner.recordings.folder import Folder
from pipe_runner.types import ErrorKind, Json, JsonObject

LATE = NodeFault(ErrorKind.TIMEOUT, "the attempt's time was up")

Numbers = dict[tuple[str, int, str], int]


class Recording:
    """Performs every call and keeps it with what came back, secrets masked.

    `anew`: what the folder held before is removed when the run begins, of the nodes `only` where there are some; one
    that goes on adds to it. Raises StorageError where nothing can be kept in the folder.
    """

    replays = False

    def __init__(self, folder: Folder, masker: Masker, *, anew: bool = True, only: Collection[str] = ()) -> None:
        self._folder, self._masker, self._anew, self._only = folder, masker, anew, only
        self._numbers: Numbers = {}
        folder.prepare()

    def begin(self) -> None:
        if self._anew:
            self._folder.clear(self._only)

    async def through(
        self, attempt: Attempt, kind: str, asked: JsonObject, perform: Callable[[], Awaitable[Json]]
    ) -> Json:
        asked = _masked(asked, self._masker)
        number = _next(self._numbers, attempt, kind, asked)
        entry = Entry(kind, attempt.node, attempt.number, number, asked)
        try:
            answer = await perform()
        except NodeFault as fault:
            if kind != "model" or fault.kind != ErrorKind.EXCEPTION:  # a fault of a plugin is nobody's answer
                self._folder.write(entry._replace(fault=_masked(_fault_to_json(fault), self._masker)))
            raise
        except asyncio.CancelledError as cancelled:
            if out_of_time(cancelled):
                sent = was_sent(cancelled)
                why = Reason.TIMED_OUT if sent else Reason.UNAVAILABLE
                late = ModelFault(why, "the attempt's time was up", sent=sent) if kind == "model" else LATE
                self._folder.write(entry._replace(fault=_fault_to_json(late)))
            raise
        self._folder.write(entry._replace(answer=self._masker.mask_json(self._whole(answer))))
        return answer

    def _whole(self, answer: Json) -> Json:
        """The answer; with its pieces as one where a secret is cut across them."""
        pieces = answer.get("pieces") if isinstance(answer, dict) else None
        if not isinstance(pieces, list):
            return answer
        text = "".join(str(piece) for piece in pieces)
        assert isinstance(answer, dict)
        return answer if self._masker.mask_text(text) == text else {**answer, "pieces": [text]}


class Replaying:
    """Gives what was kept; nothing goes out. A call that nobody recorded fails, and says what it asks otherwise.

    Of recordings that asked the same it takes the one of the same node, attempt and number; else the first of the
    node's own that was not given yet, of anybody's, and at last one again.
    """

    replays = True

    def __init__(self, folder: Folder, masker: Masker, mend: str | None = None) -> None:
        """`mend`: how the recordings of a run among others are made, which may have none; None: of a run alone, which
        is refused where there is no such folder."""
        self._masker, self._path, self._among = masker, folder.path, mend is not None
        self._mend = mend or f"record it with --record {shlex.quote(folder.path)}"
        nothing = self._among and not os.path.isdir(folder.path)
        self._entries = [] if nothing else folder.read()
        self._nearest = Nearest(self._entries)
        self._by_key: dict[str, list[Entry]] = {}
        for entry in self._entries:
            self._by_key.setdefault(entry.key, []).append(entry)
        self._by_node: dict[tuple[str, str], list[Entry]] = {}
        for key, entries in self._by_key.items():
            entries.sort(key=lambda entry: (entry.attempt, entry.number))
            for entry in entries:
                self._by_node.setdefault((key, entry.node), []).append(entry)
        self._given: set[int] = set()
        self._passed: dict[str, int] = {}
        """By key: how many at the beginning are given, so that none of thousands is looked at again and again."""
        self._numbers: Numbers = {}

    def begin(self) -> None:
        """Nothing: a recording is replayed from its beginning."""

    async def through(
        self, attempt: Attempt, kind: str, asked: JsonObject, perform: Callable[[], Awaitable[Json]]
    ) -> Json:
        asked = _masked(asked, self._masker)
        key = key_of(kind, asked)
        if not self._entries and self._among:
            home, run = os.path.split(self._path)
            raise NoRecording(f"{home} has no recordings of run {run}; {self._mend}")
        if key not in self._by_key:
            raise NoRecording(
                f"{self._path} has no recording of this {kind} call: "
                f"{self._nearest.difference(attempt, kind, asked)}; {self._mend}",
            )
        entry = self._chosen(key, attempt, _next(self._numbers, attempt, kind, asked))
        self._given.add(id(entry))
        if entry.fault is not None:
            raise _fault_from_json(entry.fault, entry.file)
        wrong = _wrong_result(entry.answer) if kind == "tool" else None
        if wrong is not None:
            raise NoRecording(_edited(entry.file, "answer", wrong))
        return entry.answer

    def _chosen(self, key: str, attempt: Attempt, number: int) -> Entry:
        every, mine = self._by_key[key], self._by_node.get((key, attempt.node), [])
        for entry in mine:
            if (entry.attempt, entry.number) == (attempt.number, number):
                return entry
        for entry in mine:
            if id(entry) not in self._given:
                return entry
        place = self._passed.get(key, 0)
        while place < len(every) and id(every[place]) in self._given:
            place += 1
        self._passed[key] = place
        return every[place] if place < len(every) else (mine or every)[-1]


def _next(numbers: Numbers, attempt: Attempt, kind: str, asked: JsonObject) -> int:
    key = (attempt.node, attempt.number, key_of(kind, asked))
    numbers[key] = numbers.get(key, 0) + 1
    return numbers[key]


def _masked(data: JsonObject, masker: Masker) -> dict[str, Json]:
    found = masker.mask_json(dict(data))
    assert isinstance(found, dict)
    return found


def _fault_to_json(fault: NodeFault) -> dict[str, Json]:
    data: dict[str, Json] = {"kind": str(fault.kind), "message": fault.message}
    if fault.exit_code is not None:
        data["exit_code"] = fault.exit_code
    if fault.tail:
        data["tail"] = fault.tail
    if isinstance(fault, ModelFault):
        data["reason"] = str(fault.reason)
        data["sent"] = fault.sent
        if fault.retry_after is not None:
            data["retry_after"] = fault.retry_after
        if fault.status is not None:
            data["status"] = fault.status
        if fault.usage is not None:
            data["usage"] = dict(fault.usage._asdict())
    return data


def _edited(file: str, what: str, why: str) -> str:
    where = f"{file}: its `{what}`" if file else f"the recording's `{what}`"
    return f"{where} has not the shape of one: {why}; mend the file, or record again with --record"


def _wrong_result(answer: Json) -> str | None:
    """Why an answer isn't that of a tool."""
    if not isinstance(answer, dict):
        return "it is no object"
    if "text" not in answer:
        return "it lacks 'text'"
    return None if isinstance(answer["text"], str) else "`text` is no text"


def _fault_from_json(data: Mapping[str, Any], file: str = "") -> NodeFault:
    """The fault as it was; raises NodeFault where a recording was changed into something else."""
    try:
        if not isinstance(data["message"], str):
            raise ValueError("`message` is no text")
        held_to(data, {"retry_after": float, "status": int, "exit_code": int, "tail": str})
        if "reason" in data:
            usage = Usage(**data["usage"]) if data.get("usage") else None
            return ModelFault(
                Reason(data["reason"]),
                data["message"],
                retry_after=data.get("retry_after"),
                sent=data.get("sent", True),
                status=data.get("status"),
                usage=usage,
            )
        return NodeFault(
            ErrorKind(data["kind"]), data["message"], exit_code=data.get("exit_code"), tail=data.get("tail")
        )
    except (KeyError, TypeError, ValueError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        return NoRecording(_edited(file, "fault", why))
