"""A key counts what an output depends on, and nothing that belongs to one run."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.ports import Attempt, secret_marker
from pipe_runner.resultcache.key import Parts, differences, make_parts, parts_from_json, parts_to_json, told

NAMES = st.text("abcxyz_", min_size=1, max_size=5)
TEXTS = st.text(max_size=8)
MAPS = st.dictionaries(NAMES, TEXTS, max_size=4)


def attempt(**changes: Any) -> Attempt:
    plain = Attempt("r1", "n", 1, "shell", {"script": "echo"}, {"A": "1"}, "/root", "r1.n")
    return plain._replace(**changes)


def parts(of: Attempt | None = None, **changes: Any) -> Parts:
    given_: dict[str, Any] = {
        "domain": "", "node": "d", "agent": "shell 1", "key": "", "files": {"f": "1"}, "secrets": {}, "salt": b"s",
    }  # fmt: skip
    return make_parts(of or attempt(), **{**given_, **changes})


@given(TEXTS, NAMES, st.integers(1, 9), TEXTS, st.none() | st.floats(1, 9))
def test_what_belongs_to_one_run_counts_for_nothing(
    run: str, node: str, number: int, trace: str, timeout: float | None
) -> None:
    other = attempt(
        run=run, node=node, number=number, idempotency_key=f"{run}.{node}", traceparent=trace, timeout=timeout
    )
    assert parts(other) == parts()
    assert parts(other).digest() == parts().digest()


@given(MAPS, MAPS, MAPS, MAPS, TEXTS, TEXTS)
def test_keys_are_equal_where_all_that_counts_is_equal_and_only_there(
    options: Any, others: Any, env: Any, envs: Any, key: str, other: str
) -> None:
    one = parts(attempt(options=options, env=env), key=key)
    two = parts(attempt(options=others, env=envs), key=other)
    same = (options, env, key) == (others, envs, other)
    assert (one.digest() == two.digest()) is same
    assert (differences(one, two) == []) is same


@given(MAPS, MAPS)
def test_the_order_of_names_counts_for_nothing(options: dict[str, str], files: dict[str, str]) -> None:
    turned = dict(reversed(list(options.items())))
    assert (
        parts(attempt(options=options), files=files).digest()
        == parts(attempt(options=turned), files=dict(reversed(list(files.items())))).digest()
    )


@given(MAPS, MAPS, MAPS)
def test_parts_survive_being_written(options: Any, env: Any, files: Any) -> None:
    made = parts(attempt(options=options, env=env), files=files)
    again = parts_from_json(parts_to_json(made))
    assert again == made
    assert again.digest() == made.digest()


def test_a_name_and_its_value_are_not_one_text() -> None:
    assert parts(attempt(env={"A": "BC"})).digest() != parts(attempt(env={"AB": "C"})).digest()
    assert parts(attempt(options={"a": 1})).digest() != parts(attempt(options={"a": "1"})).digest()
    assert parts(attempt(options={"a": True})).digest() != parts(attempt(options={"a": 1})).digest()


def test_differences_are_told_by_name() -> None:
    before = parts(attempt(env={"A": "1", "B": "1"}), files={"same": "1", "old": "1", "gone": "1"})
    now = parts(
        attempt(options={"script": "ls"}, env={"A": "2", "C": "1"}), files={"same": "1", "old": "2", "new": "1"},
        agent="shell 2", key="k", node="other",
    )  # fmt: skip
    assert differences(before, now) == [
        "the node", "the agent's version", "`key`", "`run`", "env A", "env C (new)", "env B (gone)", "file old",
        "file new (new)", "file gone (gone)",
    ]  # fmt: skip
    assert told(["a", "b", "c", "d", "e", "f", "g"]) == "a, b, c, d, e and 2 more"


def test_a_secret_counts_by_its_value_and_is_not_in_the_parts() -> None:
    marked = attempt(env={"T": secret_marker("T")}, secrets=("T",))
    one, two = (parts(marked, secrets={"T": value}) for value in ("hunter2-hunter2", "other-value"))
    assert one.digest() != two.digest()
    assert differences(one, two) == ["secret T"]
    assert "hunter2" not in str(parts_to_json(one))
    assert parts(marked, secrets={"T": "hunter2-hunter2"}, salt=b"another").secrets != one.secrets
    assert parts(attempt(), secrets={"T": "x"}).digest() == parts().digest(), (
        "one that isn't granted counts for nothing"
    )
