"""What a pydantic error means, as a sentence about the file."""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_runner.compiler.report import either, short
from pipe_runner.types import IDENTIFIER, Path_

_TEMPLATE: Final = re.compile(r"\{[{%]")
WHAT: Final = {
    "needs": "a list of node ids, as `needs: [build, lint]`",
    "when": "an expression, as `when: nodes.a.output > 0`, or true or false",
    "retry": "a number of attempts, as `retry: 3`, or a map, as `retry: {max_attempts: 3, delay: 5s}`",
    "cache": "true, false, or a map, as `cache: {files: [src/**]}`",
    "shell": "`sh`, `bash`, `python`, or a program with its arguments as a list",
    "concurrency": "a number, as `concurrency: 8`, or a map, as `concurrency: {max_parallel: 8}`",
    "required": "true or false, or a list of the keys that an object must have",
    "items": "a list, or an expression that gives one",
}
MAPS: Final = {
    "nodes": "a map of nodes by id, as `nodes: {build: {run: make}}`",
    "on_failure": "a map of nodes by id",
    "finally": "a map of nodes by id",
    "inputs": "a map of inputs by name, as `inputs: {host: {type: string}}`",
    "outputs": 'a map of values by name, as `outputs: {size: "{{ nodes.a.output }}"}`',
    "agents": "a map of presets by name, as `agents: {ping: {agent: http, with: {method: HEAD}}}`",
    "env": "a map of names and values, as `env: {LC_ALL: C.UTF-8}`",
    "secrets": "a map of secrets by name, as `secrets: {TOKEN: {from: env}}`",
    "with": "a map of the agent's options",
    "budget": "a map, as `budget: {max_time: 30m}`",
    "defaults": "a map, as `defaults: {timeout: 10m}`",
    "for_each": "a map, as `for_each: {items: [a, b]}`",
    "matrix": "a map of lists, as `matrix: {os: [debian, alpine]}`",
    "graders": "a map of graders by name, as `graders: {same: {expression: output == expected}}`",
}
OF_TESTS: Final = {
    "cases": "a map of cases by name, as `cases: {it works: {expect: {status: succeeded}}}`",
    "mock": "a map of nodes by id, as `mock: {fetch: {output: 3}}`",
    "inputs": "a map of values by name, as `inputs: {host: localhost}`",
    "secrets": "a map of values by name, as `secrets: {TOKEN: not-a-real-token}`",
    "expect": "a map, as `expect: {status: failed}`",
    "outputs": "a map of values by name",
    "nodes": "a map of nodes by id, as `nodes: {build: succeeded}`",
    "error": "a map, as `error: {kind: timeout}`",
}
"""The maps of a file of tests."""
THINGS: Final = {
    "nodes": ("node `{}`", "a map, as `{run: make}`"),
    "on_failure": ("node `{}`", "a map, as `{run: make}`"),
    "finally": ("node `{}`", "a map, as `{run: make}`"),
    "inputs": ("input `{}`", "a map, as `{type: string}`"),
    "secrets": ("secret `{}`", "a map, as `{from: env}`"),
    "agents": ("preset `{}`", "a map, as `{agent: http, with: {timeout: 5s}}`"),
    "cases": ("case `{}`", "a map, as `{expect: {status: succeeded}}`"),
    "graders": ("grader `{}`", "a map, as `{expression: output == expected}`"),
}
"""What stands in a map by name, and what it is."""
OF_INCLUDE: Final = {
    ("a list", False): "a list of files, as `include: [{file: parts/net.yml}]`",
    ("a map", False): "a map, as `{file: parts/net.yml}`",
    ("a map", True): "a map of the file's inputs, as `with: {host: localhost}`",
}
"""What stands under `include:`: its type, and whether it is a `with:`."""
OF_EVALUATION: Final = "a map, as `{inputs: {host: localhost}, expected: up}`"
"""What stands in the list of cases of an evaluation."""
_TOP_OF_TESTS: Final = ("cases", "defaults")
_KIND_OF_ERROR: Final = {
    "string_type": "text",
    "string_sub_type": "text",
    "string_unicode": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "mapping_type": "a map",
    "none_required": "null",
}
_ENGLISH_BOOLEANS: Final = {
    "yes": "true",
    "on": "true",
    "y": "true",
    "no": "false",
    "off": "false",
    "n": "false",
    "True": "true",
    "False": "false",
}


def kind(value: Any) -> str:
    """What a value of a file is, in words."""
    if value is None:
        return "nothing"
    if value is True or value is False:
        return f"the boolean {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {short(str(value), 24)}"
    if isinstance(value, str):
        return f"the text `{short(value, 40)}`" if value else "an empty text"
    return "a list" if isinstance(value, list) else "a map"


def named(path: Path_) -> str:
    """The last key of a path, for the beginning of a sentence."""
    if path and isinstance(path[-1], int):
        owner = next((step for step in reversed(path) if isinstance(step, str)), None)
        return f"item {path[-1] + 1} of `{short(owner)}`" if owner else f"item {path[-1] + 1}"
    return f"`{short(str(path[-1]))}`" if path else "the file"


def is_type_error(error_type: str) -> bool:
    return error_type in _KIND_OF_ERROR


def expected(error_types: list[str]) -> str:
    """What would have been right where pydantic has these errors of types."""
    wanted = list(dict.fromkeys(_KIND_OF_ERROR[t] for t in error_types if t in _KIND_OF_ERROR))
    if "a whole number" in wanted and "a number" in wanted:
        wanted.remove("a whole number")
    return wanted[0] if len(wanted) == 1 else ", ".join(wanted[:-1]) + " or " + wanted[-1]


def wrong_type(path: Path_, error_types: list[str], value: Any) -> tuple[str, str | None]:
    """Sentence and hint for a value of a type that can't stand there; several types: any of them could."""
    name = named(path)
    key = path[-1] if path else None
    wanted = list(dict.fromkeys(_KIND_OF_ERROR[t] for t in error_types))
    if "a whole number" in wanted and "a number" in wanted:
        wanted.remove("a whole number")
    owner = path[-2] if len(path) > 1 else None
    if wanted == ["a map"] and len(path) == 2 and owner == "cases" and isinstance(key, int):
        what = OF_EVALUATION
    elif wanted == ["a map"] and len(path) == 2 and owner in THINGS:
        name, what = THINGS[str(owner)][0].format(short(str(key))), THINGS[str(owner)][1]
    elif path[:1] == ("include",) and (found := OF_INCLUDE.get((wanted[0], key == "with"))) is not None:
        what = found
    elif isinstance(key, str) and wanted == ["a map"] and path[0] in _TOP_OF_TESTS and key in OF_TESTS:
        what = OF_TESTS[key]
    elif isinstance(key, str) and wanted == ["a map"] and key in MAPS:
        what = MAPS[key]
    elif len(wanted) == 1:
        what = wanted[0]
    else:
        what = ", ".join(wanted[:-1]) + " or " + wanted[-1]
    if value is None:
        return f"{name} is empty: it is {what}", None if "text" in wanted else "give it a value, or leave the key out"
    hint = _shape(path, value)
    if hint is not None:
        pass
    elif isinstance(value, str):
        if wanted == ["true or false"] and value in _ENGLISH_BOOLEANS:
            hint = f"YAML 1.2 reads `{value}` as text: write {_ENGLISH_BOOLEANS[value]}"
        elif wanted in (["a whole number"], ["a number"]) and value.strip().lstrip("-").replace(".", "", 1).isdigit():
            hint = "leave the quotes out"
        elif wanted == ["a list"]:
            one = short(value, 30) if path != ("include",) else f"{{file: {short(value, 30)}}}"
            hint = f"write a list: `[{_arguments(value) if key in ('argv', 'command') else one}]`"
    elif "text" in wanted and isinstance(value, bool):
        word = str(value).lower()
        hint = f'YAML reads {word} as a boolean; text is written "{word}"'
    elif "text" in wanted and isinstance(value, int | float):
        hint = f'YAML reads it as a number; text is written "{value}"'
    elif "text" in wanted and isinstance(value, list) and key == "run":
        hint = "several commands are lines of one text, `run: |`; a program with its arguments is `argv: […]`"
    return f"{name} is {what}, not {kind(value)}", hint


def _shape(path: Path_, value: Any) -> str | None:
    """What a short form was meant to be, written out."""
    if "artifacts" in path[-2:] and len(path) > 2:
        if isinstance(value, str):
            one, more = _artifact(value)
            return (f"write `{one}`" if isinstance(path[-1], int) else f"write a list: `[{one}]`") + more
        return "write a list: `[{name: …, path: …}]`" if isinstance(value, dict) and path[-1] == "artifacts" else None
    if path[-2:-1] == ("matrix",) and isinstance(value, str) and _TEMPLATE.search(value):
        return "lists of a matrix stand in the file; for one that the run knows write `for_each: {items: …}`"
    if isinstance(value, dict) and path[-2:-1] == ("needs",):
        id = next((value[key] for key in ("job", "task", "name", "id") if key in value), None)
        return f"write the node's id: `{short(id, 30)}`" if isinstance(id, str) else None
    if isinstance(value, dict) and path[-2:-1] == ("on",) and list(value) == ["exit"]:
        return f"write `exit:{short(str(value['exit']), 30)}`, without a space"
    if isinstance(value, int | float) and path[2:3] == ("prices",) and len(path) == 4:
        return 'prices stand by model: `prices: {gpt-4o: {input: 2.5, output: 10}}`, or `"*":` for every model'
    if isinstance(value, list) and len(path) == 1 and path[0] in ("nodes", "on_failure", "finally"):
        return _by_id(str(path[0]), value)
    if isinstance(value, str) and path[:1] == ("include",) and len(path) == 2:
        return f"write `{{file: {short(value, 30)}}}`"
    if isinstance(value, dict) and len(path) == 3 and path[2] == "pipeline":
        return "write `pipeline:` with the path of a file, and values of its inputs under `with:`"
    if isinstance(value, str) and path[:1] == ("inputs",) and len(path) == 2:
        known = value in ("string", "integer", "number", "boolean", "array", "object")
        return f"write `{{type: {value}}}`" if known else None
    return None


def _artifact(path: str) -> tuple[str, str]:
    """An artifact at this path, and what there is to say beside: with a template in it the folder around that."""
    fixed = _TEMPLATE.split(path, maxsplit=1)[0]
    more = "" if fixed == path else "; a path is no value's to say, so name a folder that holds it"
    kept = path if fixed == path else fixed.rpartition("/")[0]
    stem = re.sub(r"\W+", "_", kept.rpartition("/")[2].partition(".")[0]).strip("_")
    return (f"{{name: {stem or 'out'}, path: {short(kept, 30)}}}" if kept else "{name: …, path: …}"), more


def _by_id(key: str, nodes: list[Any]) -> str | None:
    """A list of nodes as the map that was meant, where the first one has a name."""
    first = nodes[0] if nodes and isinstance(nodes[0], dict) else {}
    id = first.get("id", first.get("name"))
    if not isinstance(id, str) or IDENTIFIER.match(id) is None:
        return None
    kind_ = next((one for one in ("run", "argv", "agent", "pipeline") if one in first), "run")
    return f"the id of a node is its key: `{key}: {{{short(id, 30)}: {{{kind_}: …}}}}`"


def _arguments(text: str) -> str:
    """A command line as the items of a list."""
    import json
    import shlex

    try:
        words = shlex.split(text)
    except ValueError:
        words = [text]
    plain = all(re.fullmatch(r"[A-Za-z_./-][\w./=-]*", word) for word in words)
    return ", ".join(words if plain else [json.dumps(word, ensure_ascii=False) for word in words])


def out_of_bounds(path: Path_, error_type: str, context: dict[str, Any], value: Any) -> str | None:
    """A sentence for a value that is too large, too small, too long or too short."""
    name = named(path)
    if error_type == "greater_than_equal":
        first = ": the first attempt counts" if path[-1:] in (("retry",), ("max_attempts",)) and value == 0 else ""
        return f"{name} must be at least {context['ge']}, not {short(str(value), 24)}{first}"
    if error_type == "greater_than":
        return f"{name} must be more than {context['gt']}, not {short(str(value), 24)}"
    if error_type == "less_than_equal":
        return f"{name} must be at most {context['le']}, not {short(str(value), 24)}"
    if error_type == "less_than":
        return f"{name} must be less than {context['lt']}, not {short(str(value), 24)}"
    if error_type == "string_too_short":
        return f"{name} is empty" if not value else f"{name} must have at least {context['min_length']} characters"
    if error_type == "string_too_long":
        return f"{name} must have at most {context['max_length']} characters"
    if error_type == "too_short":
        return f"{name} is empty" if not value else f"{name} must have at least {context['min_length']} items"
    if error_type == "too_long":
        return f"{name} must have at most {context['max_length']} items"
    if error_type == "finite_number":
        return f"{name} must be a finite number"
    return None


def one_of(path: Path_, expected: str, value: Any) -> tuple[str, list[str]]:
    """A sentence for a value that isn't one of the words there are, and the words."""
    words = [word.strip().strip("'\"") for word in expected.replace(" or ", ", ").split(",")]
    return f"{named(path)} is {either(words)}, not {kind(value)}", words
