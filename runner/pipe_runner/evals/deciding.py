"""What the samples made so far say: pass rates with their bounds, and whether more samples could change the result.

Pure. Samples count in the order in which they were planned, whatever order they end in, so that the same answers give
the same result at any concurrency.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from math import ceil, sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

LEAST: Final = 10
"""Samples that were graded before a bound decides anything."""
_ROUNDING: Final = 1e-9


class Verdict(StrEnum):
    """How an evaluation ends."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


class Tally(NamedTuple):
    """Samples of one case, or of all."""

    passed: int = 0
    graded: int = 0
    planned: int = 0

    @property
    def rate(self) -> float | None:
        return self.passed / self.graded if self.graded else None

    def bounds(self, confidence: float) -> tuple[float, float]:
        """The Wilson score interval of the pass rate; 0 to 1 where nothing was graded."""
        if not self.graded:
            return 0.0, 1.0
        z = NormalDist().inv_cdf((1 + confidence) / 2)
        n, p = self.graded, self.passed / self.graded
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        # Of none and of all one bound is 0 and 1, to the last digit: thresholds are held against it.
        low = max(0.0, middle - half) if self.passed else 0.0
        return low, min(1.0, middle + half) if self.passed < n else 1.0

    def add(self, passed: bool) -> Tally:
        return Tally(self.passed + passed, self.graded + 1, self.planned)


def certain(tally: Tally, threshold: float) -> Verdict | None:
    """The verdict that no further sample can change; None: one can."""
    left = tally.planned - tally.graded
    needed = ceil(tally.planned * threshold - _ROUNDING)
    if tally.passed >= needed:
        return Verdict.PASSED
    return Verdict.FAILED if tally.passed + left < needed else None


def likely(tally: Tally, threshold: float, confidence: float) -> Verdict | None:
    """The verdict that further samples would hardly change: the bound lies on one side of the threshold."""
    if tally.graded < LEAST:
        return None
    low, high = tally.bounds(confidence)
    return Verdict.PASSED if low >= threshold else Verdict.FAILED if high < threshold else None


class Decider:
    """Counts samples by case, and says when the result is decided."""

    def __init__(self, cases: Sequence[str], samples: int, overall: float, each: float, confidence: float) -> None:
        self.cases: dict[str, Tally] = {name: Tally(planned=samples) for name in cases}
        self.all = Tally(planned=samples * len(self.cases))
        self._overall, self._each, self._confidence = overall, each, confidence
        self._verdicts = {name: self._of(tally, each) for name, tally in self.cases.items()}
        self._cases_of = Counter(self._verdicts.values())
        """How many cases have each verdict, so that none is looked at for a sample of another."""
        self._unasked = len(self.cases)

    def count(self, case: str, passed: bool) -> None:
        """One more sample was graded. Those that can't be are planned all the same, and missing in the end."""
        tally = self.cases[case]
        self._unasked -= not tally.graded
        self.all = self.all.add(passed)
        self.cases[case] = tally.add(passed)
        self._cases_of[self._verdicts[case]] -= 1
        self._verdicts[case] = self._of(self.cases[case], self._each)
        self._cases_of[self._verdicts[case]] += 1

    def verdict(self) -> Verdict | None:
        """The verdict, where it is decided, whatever the samples give that were not graded.

        It has failed as soon as the whole or one case has. It has passed when the whole and each case have, and every
        case has been asked at least once.
        """
        whole = self._of(self.all, self._overall)
        if whole is Verdict.FAILED or self._cases_of[Verdict.FAILED]:
            return Verdict.FAILED
        return Verdict.PASSED if whole and not self._unasked and not self._cases_of[None] else None

    def _of(self, tally: Tally, threshold: float) -> Verdict | None:
        return certain(tally, threshold) or likely(tally, threshold, self._confidence)
