"""The JSON Schemas of everything that may be written, made from the models.

`python -m pipe_schemas.generate` writes them to the files beside the package.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

DRAFT = "http://json-schema.org/draft-07/schema#"
"""What editors (yaml-language-server) read without loss."""


def _pipeline() -> dict[str, Any]:
    from pipe_schemas.pipeline import PipelineSpec

    schema = PipelineSpec.model_json_schema()
    schema["required"].remove("nodes")  # a file that includes others, or is included, may have none
    schema["anyOf"] = [{"required": [key]} for key in ("nodes", "include", "on_failure", "finally")]
    return schema


def _project() -> dict[str, Any]:
    from pipe_schemas.project import ProjectSpec
    from pipe_schemas.providers import OPTIONS

    schema = ProjectSpec.model_json_schema()
    named: dict[str, Any] = {}
    by_type: list[dict[str, Any]] = []
    spec = schema["properties"]["providers"]["additionalProperties"]
    for kind, model in OPTIONS.items():
        own = model.model_json_schema()
        schema["$defs"].update(own.pop("$defs", {}))
        schema["$defs"][model.__name__] = {"properties": own["properties"]}
        options = {"$ref": f"#/$defs/{model.__name__}"}
        said = {"properties": {"type": {"const": kind, "description": "What kind of service it is."}}}
        about = f"The provider `{kind}`, which exists without any setting."
        named[kind] = {"description": about, "allOf": [spec, {"if": said, "then": options}]}
        by_type.append({"if": {**said, "required": ["type"]}, "then": options})
    schema["properties"]["providers"]["properties"] = named
    schema["properties"]["providers"]["additionalProperties"] = {"allOf": [spec, *by_type]}
    return schema


def _test() -> dict[str, Any]:
    from pipe_schemas.cases import CasesSpec

    return CasesSpec.model_json_schema()


def _eval() -> dict[str, Any]:
    from pipe_schemas.evals import EvalSpec

    return EvalSpec.model_json_schema()


def _lock() -> dict[str, Any]:
    from pipe_schemas.lock import LockSpec

    return LockSpec.model_json_schema()


def _event() -> dict[str, Any]:
    from pydantic import TypeAdapter

    from pipe_schemas.events import AnyEvent

    schema: dict[str, Any] = TypeAdapter(AnyEvent).json_schema()
    return {"description": "One line of a run's log.jsonl.", **schema}


_MAKERS: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "pipeline": ("A pipeline file", _pipeline),
    "test": ("A file of tests, *.test.yml", _test),
    "eval": ("An evaluation, *.eval.yml", _eval),
    "project": ("pipe.yml, the project's file", _project),
    "lock": ("pipe.lock, what models and tools were", _lock),
    "event": ("An event of the run log", _event),
}


def names() -> tuple[str, ...]:
    """The names that `generate` takes."""
    return tuple(_MAKERS)


def generate(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 7) of that name; raises KeyError for a name that there isn't."""
    title, make = _MAKERS[name]
    body = _for_editors(make(), nulls=name in ("event", "test", "eval"))
    body.pop("title", None)
    return {"$schema": DRAFT, "title": title, **body}


def text(name: str) -> str:
    """The schema as its committed file has it."""
    return json.dumps(generate(name), indent=2, ensure_ascii=False) + "\n"


def _for_editors(schema: Any, *, within: str = "", nulls: bool = False) -> Any:
    """`$defs` become draft 7's `definitions`, titles made from field names go, `x-…` keys are free.

    `nulls`: null is a value like others, as in a log, or where it is expected.
    """
    if isinstance(schema, list):
        return [_for_editors(item, nulls=nulls) for item in schema]
    if not isinstance(schema, dict):
        return schema
    named = within in ("properties", "definitions", "patternProperties")
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if named:
            out[key] = _for_editors(value, nulls=nulls)
        elif key in ("default", "examples", "enum", "const"):
            if not (key == "default" and value is None):
                out[key] = value
        elif key == "title" or (key == "discriminator"):
            continue
        elif key == "$ref":
            out[key] = value.replace("#/$defs/", "#/definitions/")
        else:
            key = "definitions" if key == "$defs" else key
            out[key] = _for_editors(value, within=key, nulls=nulls)
    if named:
        return out
    if not nulls:
        _without_null(out)
    if out.get("additionalProperties") is False and "properties" in out:
        out["patternProperties"] = {"^x-": {}}
    elif "patternProperties" in out:
        out.setdefault("additionalProperties", False)
    return out


def _without_null(schema: dict[str, Any]) -> None:
    """An optional field is left out; `null` is how the models say so, not what a file may hold."""
    branches = schema.get("anyOf")
    if not isinstance(branches, list) or "default" in schema:
        return
    rest = [b for b in branches if b != {"type": "null"}]
    scalar = any(b.get("type") == "boolean" for b in rest if isinstance(b, dict))
    if len(rest) == len(branches) or scalar:
        return
    if len(rest) == 1:
        del schema["anyOf"]
        for key, value in rest[0].items():
            schema.setdefault(key, value)
    else:
        schema["anyOf"] = rest


def main() -> None:
    """Write every schema beside the package."""
    folder = Path(__file__).resolve().parent.parent
    for name in names():
        (folder / f"{name}.schema.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
