"""When samples decide: bounds of pass rates, early stops, and what is left undecided."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from pipe_runner.evals.deciding import LEAST, Decider, Tally, Verdict, certain, likely


@pytest.mark.parametrize(
    ("passed", "graded", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (81, 100, 0.7222, 0.8749)],
)
def test_bounds_are_those_of_wilson(passed: int, graded: int, low: float, high: float) -> None:
    """The figures are those of the usual tables for 95 %."""
    found = Tally(passed, graded, graded).bounds(0.95)
    assert found == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99, 0.9999])
def test_samples_that_all_ended_the_same_have_a_bound_that_is_no_digit_off(confidence: float) -> None:
    for graded in range(1, 2000):
        assert Tally(graded, graded, graded).bounds(confidence)[1] == 1.0
        assert Tally(0, graded, graded).bounds(confidence)[0] == 0.0


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_samples_that_all_pass_never_fail_a_threshold_of_all(confidence: float) -> None:
    found = Decider(["a"], 100, 1.0, 1.0, confidence)
    for _ in range(99):
        found.count("a", True)
        assert found.verdict() is None
    found.count("a", True)
    assert found.verdict() is Verdict.PASSED


def test_without_samples_nothing_is_known() -> None:
    assert Tally(planned=3).bounds(0.95) == (0.0, 1.0)
    assert Tally(planned=3).rate is None


def test_what_no_further_sample_can_change_is_certain() -> None:
    assert certain(Tally(0, 1, 10), 0.9) is None
    assert certain(Tally(0, 2, 10), 0.9) is Verdict.FAILED
    assert certain(Tally(8, 9, 10), 0.9) is None
    assert certain(Tally(9, 9, 10), 0.9) is Verdict.PASSED
    assert certain(Tally(0, 0, 10), 0.0) is Verdict.PASSED
    assert certain(Tally(7, 7, 10), 0.7) is Verdict.PASSED  # 10 × 0.7 is a little more than 7


def test_a_bound_decides_on_either_side_but_not_at_once() -> None:
    assert likely(Tally(0, LEAST - 1, 100), 0.9, 0.95) is None
    assert likely(Tally(0, LEAST, 100), 0.9, 0.95) is Verdict.FAILED
    assert likely(Tally(LEAST, LEAST, 100), 0.7, 0.95) is Verdict.PASSED
    assert likely(Tally(LEAST, LEAST, 100), 0.9, 0.95) is None


def decider(cases: int, samples: int, overall: float, each: float = 0.0) -> Decider:
    return Decider([f"c{number}" for number in range(cases)], samples, overall, each, 0.95)


def test_one_case_that_fails_for_certain_fails_the_whole() -> None:
    found = decider(3, 2, 0.1, each=1.0)
    found.count("c0", True)
    assert found.verdict() is None
    found.count("c1", False)
    assert found.verdict() is Verdict.FAILED


def test_nothing_has_passed_before_every_case_was_asked() -> None:
    found = decider(2, 50, 0.5)
    for _ in range(50):
        found.count("c0", True)
    assert found.verdict() is None
    found.count("c1", False)
    assert found.verdict() is Verdict.PASSED


def test_samples_that_could_not_be_graded_leave_it_undecided_where_they_matter() -> None:
    found = decider(1, 4, 0.75)
    found.count("c0", True)
    found.count("c0", True)
    assert found.verdict() is None
    found.count("c0", True)
    assert found.verdict() is Verdict.PASSED
    worse = decider(1, 4, 0.75)
    worse.count("c0", False)
    worse.count("c0", False)
    assert worse.verdict() is Verdict.FAILED


def test_a_sample_of_one_case_costs_no_look_at_the_others(in_time: Any) -> None:
    names = [str(number) for number in range(20_000)]
    decider = Decider(names, 1, 0.9, 0.0, 0.95)
    began = time.process_time()
    for name in names:
        decider.count(name, True)
        decider.verdict()
    assert in_time(time.process_time() - began, 5)
    assert decider.verdict() is Verdict.PASSED


@pytest.mark.parametrize("seed", range(20))
def test_the_verdict_is_that_of_all_cases_and_of_the_whole(seed: int) -> None:
    chance = random.Random(seed)
    names, good = ["a", "b", "c"], chance.random()
    decider = Decider(names, 30, 0.6, 0.5, 0.95)
    for _ in range(30):
        for name in names:
            decider.count(name, chance.random() < good)
            one = [certain(tally, 0.5) or likely(tally, 0.5, 0.95) for tally in decider.cases.values()]
            said = [certain(decider.all, 0.6) or likely(decider.all, 0.6, 0.95), *one]
            asked = all(tally.graded for tally in decider.cases.values())
            passed = Verdict.PASSED if asked and all(said) else None
            assert decider.verdict() is (Verdict.FAILED if Verdict.FAILED in said else passed)
