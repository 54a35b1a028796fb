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


@pytest.mark.parametrize(
    ("url", "known_as"),
    [
        ("https://ann:s3cret@host/x?a=b@c", "https://***@host/x?a=b@c"),
        ("HTTP://token@host", "HTTP://***@host"),
        ("http://a@b:c@host/", "http://***@host/"),
        ("http://host/a//b@c", "http://host/a//b@c"),
        ("http://host?to=http://a@b", "http://host?to=http://a@b"),
    ],
)
def test_s4_who_somebody_is_at_a_host_is_no_part_of_what_is_known_of_a_request(url: str, known_as: str) -> None:
    seen: list[Any] = []

    class Kept:
        async def exchange(self, attempt: Attempt, kind: str, asked: Any, perform: object) -> Any:
            seen.append(asked["url"])
            return {"status": "succeeded", "output": None}

    attempt = ATTEMPT._replace(options={"url": url})
    asyncio.run(through(Kept(), attempt, lambda: pytest.fail("it went out")))  # type: ignore[arg-type]
    assert seen == [known_as]
