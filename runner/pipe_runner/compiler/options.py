"""Checks the `with:` of a node against its agent's model, as far as the file alone says what the options are."""

from __future__ import annotations

from typing import Any, Final

from pipe_runner.compiler.agents import AgentInfo
from pipe_runner.compiler.pieces import validated
from pipe_runner.compiler.pruning import at
from pipe_runner.compiler.report import Report, listed
from pipe_runner.compiler.sentences import is_type_error, named
from pipe_runner.compiler.shape import real_path, sentence
from pipe_runner.compiler.values import may_hold_template
from pipe_runner.types import Path_

_ANY: Final = "\x00a value that the run gives\x00"
"""Stands for a template while the rest is checked; no text of a file can hold it."""
_CODES: Final = {"E202": "E504", "E201": "E503"}


def check_options(
    info: AgentInfo, options: dict[str, Any], path: Path_, report: Report, *, partly: bool = False
) -> None:
    """Report every option that is unknown, missing or wrong; what depends on a template is left to the run.

    `partly`: further options may come, so that nothing is missing, and nothing is said of all of them together.
    """
    options = {key: value for key, value in options.items() if not key.startswith("x-")}
    templates = may_hold_template(options)
    given = _replaced(options) if templates else options
    try:
        details = validated(info.model, given)
    except Exception as error:  # a plugin's validator stumbles over the stand-in, or over the value itself
        if not templates:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            report.add("E505", f"the options of agent `{info.name}` can't be checked: {reason}", path, at="key")
        return
    if not isinstance(details, list):
        return
    grouped: dict[tuple[Path_, bool], list[Any]] = {}
    for detail in details:
        if not (templates and _holds_stand_in(detail["input"])) or detail["type"] in ("extra_forbidden", "missing"):
            grouped.setdefault(real_path(detail, given), []).append(detail)
    deep = {inner[:length] for inner, _ in grouped for length in range(len(inner))}
    for (inner, _), found in grouped.items():
        if partly and (not inner or (len(inner) == 1 and found[0]["type"] == "missing")):
            continue
        if inner in deep and all(is_type_error(detail["type"]) for detail in found):
            continue  # the other branches of a union, one of which got further
        _tell(info, inner, found, options, path, report)


def _tell(
    info: AgentInfo, inner: Path_, details: list[Any], options: dict[str, Any], path: Path_, report: Report
) -> None:
    detail = details[0]
    place = (*path, *inner)
    known = [field.alias or name for name, field in info.model.model_fields.items()]
    if detail["type"] == "extra_forbidden":
        key = str(inner[-1]) if inner else ""
        near = report.suggest(key, known) if len(inner) == 1 else None
        hint = f"did you mean `{near}`?" if near else f"there is {listed(info.names)}" if len(inner) == 1 else None
        owner = f"agent `{info.name}`" if len(inner) == 1 else named(inner[:-1])
        report.add("E503", f"{owner} has no option {named(inner)}", place, at="key", hint=hint)
    elif detail["type"] == "missing":
        key = detail["loc"][-1]
        owner = f"agent `{info.name}`" if not inner else named(inner)
        if not inner and info.model.model_config.get("extra") == "forbid" and report.misspelt(key, options, known):
            return
        where = path if at(report.document.data, report.written(path)) is not None else path[:-1]
        report.add("E504", f"{owner} needs the option `{key}`", (*where, *inner), at="key")
    else:
        code, message, hint = sentence(inner or ("with",), details, at(options, inner))
        if inner and (hint is None or detail["type"] == "string_pattern_mismatch"):
            hint = info.option(inner).get("description") or hint
        report.add(_CODES.get(code, "E505"), message, place, hint=hint)


def _replaced(value: Any) -> Any:
    if isinstance(value, str):
        return _ANY if "{" in value and may_hold_template(value) else value
    if isinstance(value, dict):
        return {key: _replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    return value


def _holds_stand_in(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_holds_stand_in(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_stand_in(item) for item in value)
    return isinstance(value, str) and value == _ANY
