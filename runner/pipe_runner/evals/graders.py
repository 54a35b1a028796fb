"""Grades one answer: a condition, a schema, or a model that is asked, as a run like any other."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pipe_runner.errors import ExpressionFault
from pipe_runner.evals.suite import Grader, Judge
from pipe_runner.expressions import evaluate, evaluate_condition, value_to_text
from pipe_runner.plan import Plan
from pipe_runner.types import Json


class Grade(NamedTuple):
    """What one grader says of one sample."""

    grader: str
    passed: bool | None
    """None: it could not say."""
    why: str = ""
    """Why it didn't pass, or couldn't say."""
    hopeless: bool = False
    """It could say nothing of any other sample either."""


class Answered(NamedTuple):
    """How a run of a model that judges has ended: its answer, or why there is none."""

    answer: Json = None
    fault: str | None = None
    hopeless: bool = False


Ask = Callable[[Plan, Mapping[str, Json], str], Awaitable[Answered]]
"""Runs the pipeline of a judge with these inputs, for the grader of that name."""


async def grade(grader: Grader, scope: Mapping[str, Json], ask: Ask) -> Grade:
    """What the grader says; a fault of its own is no verdict on the answer."""
    try:
        if grader.expression is not None:
            passed, values = evaluate_condition(grader.expression, scope)
            return Grade(grader.name, passed, "" if passed else _read(values))
        if grader.schema is not None:
            faults = _misfits(json.dumps(grader.schema, sort_keys=True), scope["output"])
            return Grade(grader.name, not faults, "; ".join(faults))
        assert grader.judge is not None
        return await _judged(grader.name, grader.judge, scope, ask)
    except ExpressionFault as fault:
        return Grade(grader.name, None, fault.message)
    except (ValueError, RecursionError) as error:
        return Grade(grader.name, None, f"the schema can't be used: {error}")


async def _judged(name: str, judge: Judge, scope: Mapping[str, Json], ask: Ask) -> Grade:
    told = {key: value_to_text(evaluate(template, scope)) for key, template in judge.templates.items()}
    said = await ask(judge.plan, told, name)
    if said.fault is not None:
        return Grade(name, None, said.fault, said.hopeless)
    passed, values = evaluate_condition(judge.passes, {**scope, "answer": said.answer})
    return Grade(name, passed, "" if passed else _read(values))


def _read(values: Mapping[str, Json]) -> str:
    return ", ".join(f"{name} is {json.dumps(value, ensure_ascii=False)}" for name, value in values.items())


def _misfits(schema: str, value: Json) -> list[str]:
    """Where the value isn't what the schema says, at most three sentences."""
    found = []
    for error in _validator(schema).iter_errors(value):
        where = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path)
        wanted = json.dumps(error.validator_value, ensure_ascii=False)[:100]
        said = "must not be there" if error.validator is None else f"not as {error.validator}: {wanted}"
        found.append(f"output{where}: {said}")
        if len(found) == 3:
            break
    return found


@lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    """By the schema's text: every sample is held against the same one."""
    from pipe_schemas.validating import validator_of

    return validator_of(json.loads(schema))
