"""The JSON Schemas beside the models are what the models say, and what editors understand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from pipe_runner.loader import load
from pipe_schemas.generate import generate, names, text

REPOSITORY = Path(__file__).parents[3]
RIGHT = sorted((REPOSITORY / "tests" / "data" / "ok").glob("*.yml"))
EXAMPLES = sorted((REPOSITORY / "pipelines").glob("*.yml"))
TESTS = [file for file in EXAMPLES if file.name.endswith(".test.yml")]
PIPELINES = [file for file in EXAMPLES if file not in TESTS]


def validator(name: str) -> jsonschema.Draft7Validator:
    schema = generate(name)
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema)


def pipeline(**keys: Any) -> dict[str, Any]:
    return {"version": 1, "nodes": {"a": {"run": "echo"}}, **keys}


@pytest.mark.parametrize("name", names())
def test_the_committed_schema_is_fresh(name: str) -> None:
    committed = (REPOSITORY / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert committed == text(name), "run: python -m pipe_schemas.generate"


@pytest.mark.parametrize("name", names())
def test_a_schema_is_valid_draft_7(name: str) -> None:
    assert generate(name)["$schema"] == "http://json-schema.org/draft-07/schema#"
    validator(name)


@pytest.mark.parametrize("name", ["pipeline", "project", "test", "eval", "lock"])
def test_every_property_is_described(name: str) -> None:
    def undescribed(schema: Any, path: str, *, names: bool = False) -> list[str]:
        """Paths of properties without a description; `names`: the keys of `schema` are names, not words of a schema."""
        if isinstance(schema, list):
            return [found for index, item in enumerate(schema) for found in undescribed(item, f"{path}[{index}]")]
        if not isinstance(schema, dict):
            return []
        found = []
        for key, value in schema.items():
            if names and path.endswith(".properties") and not {"description", "$ref"} & value.keys():
                found.append(f"{path}.{key}")
            named = not names and key in ("properties", "definitions", "patternProperties")
            found += undescribed(value, f"{path}.{key}", names=named)
        return found

    assert undescribed(generate(name), name) == []


@pytest.mark.parametrize("file", [*RIGHT, *PIPELINES], ids=lambda file: file.stem)
def test_the_schema_accepts_what_the_compiler_accepts(file: Path) -> None:
    document, faults = load(file)
    assert not faults
    assert [error.message for error in validator("pipeline").iter_errors(document.data)] == []


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_the_schema_accepts_the_tests_of_the_examples(file: Path) -> None:
    document, faults = load(file)
    assert not faults
    assert [error.message for error in validator("test").iter_errors(document.data)] == []


@pytest.mark.parametrize(
    "cases",
    [
        {},
        {"": {}},
        {"a": {"expect": {"nodes": {"n": "sucess"}}}},
        {"a": {"expect": {"nodes": {"n": {"stauts": "failed"}}}}},
        {"a": {"expect": {"status": 1}}},
        {"a": {"mock": {"n": 3}}},
        {"a": {"mock": {"n": []}}},
        {"a": {"mock": {"n": {"error": {"kind": "tired"}}}}},
        {"a": {"run": "some"}},
        {"a": {"secrets": {"TOKEN": ""}}},
    ],
    ids=str,
)
def test_the_schema_refuses_cases_that_the_models_refuse(cases: dict[str, Any]) -> None:
    assert list(validator("test").iter_errors({"version": 1, "cases": cases}))


@pytest.mark.parametrize(
    "data",
    [
        pipeline(nmae="x"),
        pipeline(version="1"),
        pipeline(nodes={}),
        pipeline(nodes={"a-b": {"run": "x"}}),
        pipeline(nodes={"a": {"run": "x", "argv": ["x"]}}),
        pipeline(nodes={"a": {"run": "x", "with": {}}}),
        pipeline(nodes={"a": {"run": True}}),
        pipeline(nodes={"a": {"run": "x", "timeout": 5}}),
        pipeline(nodes={"a": {"run": "x", "timeout": "0s"}}),
        pipeline(nodes={"a": {"run": "x", "timeout": "30m1h"}}),
        pipeline(nodes={"a": {"run": "x", "effect": "once", "retry": 2}}),
        pipeline(nodes={"a": {"run": "x", "for_each": {"items": [1]}, "matrix": {"a": [1]}}}),
        pipeline(nodes={"a": {"run": "x", "matrix": {}}}),
        pipeline(nodes={"a": {"run": "x", "min_success": 1}}),
        pipeline(nodes={"a": {"run": "x", "workspace": "own", "cwd": "src"}}),
        pipeline(secrets={"T": {"from": "file"}}),
        pipeline(nodes={"a": {"run": "x", "retry": 0}}),
        pipeline(nodes={"a": {"run": "x", "retry": {"on": ["timeuot"]}}}),
        pipeline(concurrency=0),
        pipeline(outputs={"a-b": 1}),
        pipeline(env={"A": [1]}),
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_models_refuse(data: dict[str, Any]) -> None:
    assert list(validator("pipeline").iter_errors(data))


def test_keys_that_begin_with_x_are_free() -> None:
    data = pipeline(**{"x-mine": {"any": "thing"}, "nodes": {"a": {"run": "echo", "x-note": 1}}})
    assert list(validator("pipeline").iter_errors(data)) == []


def test_schemas_name_no_python() -> None:
    for name in names():
        assert "Annotated" not in text(name)
        assert "pydantic" not in json.dumps(generate(name)).lower()
