"""The inputs of a case, held against those that the pipeline has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipe_runner.compiler.matching import mismatches
from pipe_runner.compiler.report import short
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.plan import Plan


def input_faults(given: Mapping[str, Any], plan: Plan) -> list[tuple[str, str, str | None]]:
    """What is wrong with the inputs of a case: the input's name, a sentence, and the name that was meant."""
    known = {one.name: one for one in plan.inputs}
    found: list[tuple[str, str, str | None]] = []
    for name, value in given.items():
        if name not in known:
            message = f"the pipeline has no input `{short(name)}`"
            found.append((name, message, did_you_mean(name, known)))
        else:
            found += [(name, sentence, None) for sentence in mismatches(value, known[name].schema, f"input `{name}`")]
    missing = [name for name, one in known.items() if one.required and name not in given]
    found += [(name, f"the case doesn't give the input `{name}`", None) for name in missing]
    return found
