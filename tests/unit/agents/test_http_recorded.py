"""Recordings of requests that were edited by hand say in words why they can't be used."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from pipe_agents.http_recorded import through
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Attempt, Outcome
from pipe_runner.types import NodeStatus

ATTEMPT = Attempt("run", "n", 1, "key", {"url": "http://127.0.0.1/"}, {}, "/", "http")


def answered(kept: Any) -> Outcome:
    class Kept:
        async def exchange(self, *about: object) -> Any:
            return kept

    return asyncio.run(through(Kept(), ATTEMPT, lambda: pytest.fail("it went out")))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "why"),
    [
        ("x", "it is no object"),
        ({}, "it lacks 'status'"),
        ({"status": "great"}, "`status` is neither succeeded nor failed"),
        ({"status": "failed"}, "`error` is an object where it failed"),
        ({"status": "failed", "error": "x"}, "`error` is an object where it failed"),
        ({"status": "succeeded", "error": {"kind": "http", "message": "x"}}, "stands nowhere else"),
        ({"status": "failed", "error": {"kind": "zzz", "message": "x"}}, "not a `kind` that there is"),
        ({"status": "failed", "error": {"kind": "http", "message": 1}}, "with a `message`"),
        ({"status": "failed", "error": {"kind": "http"}}, "it lacks 'message'"),
        ({"status": "failed", "error": {"kind": "http", "message": "x", "tail": 1}}, "`tail` is no text"),
        ({"status": "succeeded", "retry_after": "soon"}, "`retry_after` is no number of seconds"),
    ],
)
def test_s11_an_answer_that_was_edited_into_another_type_is_told_in_words(kept: Any, why: str) -> None:
    with pytest.raises(NodeFault) as caught:
        answered(kept)
    assert caught.value.kind == "not_found"
    assert "the recording of a request can't be used: " in caught.value.message and why in caught.value.message
    assert "mend its file" in caught.value.message


def test_an_answer_as_it_was_kept_is_given_back() -> None:
    error = {"kind": "http", "message": "it answered 500"}
    found = answered({"status": "failed", "output": {"status": 500}, "error": error, "retry_after": 2})
    assert found.error is not None
    assert (found.status, found.error.to_json(), found.retry_after) == (NodeStatus.FAILED, error, 2)
