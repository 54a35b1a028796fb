"""Holds a file's data against its pydantic model, and says every fault in words of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from unicodedata import combining, normalize

from pydantic import BaseModel

from pipe_runner.compiler import aliases, foreign
from pipe_runner.compiler.contexts import PHASES, Context, keys_of
from pipe_runner.compiler.pieces import alike, split, validated
from pipe_runner.compiler.pruning import at, prunable, renamed, with_stand_ins, without, without_extras
from pipe_runner.compiler.report import Report, either, listed, short
from pipe_runner.compiler.sentences import (
    MAPS,
    OF_INCLUDE,
    WHAT,
    is_type_error,
    kind,
    named,
    one_of,
    out_of_bounds,
    wrong_type,
)
from pipe_runner.types import Path_
from pipe_schemas import nodes

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Spec = TypeVar("Spec", bound=BaseModel)
ContextOf = Callable[[Path_, Any], Context]

_OF_KEYS: Final = frozenset({"string_pattern_mismatch", "string_too_long", "string_type"})
_OWN_SENTENCES: Final = {
    "duration": "a duration, as `90s`, `10m` or `1h30m`",
    "size": "a size, as `500kB`, `64MiB` or `2GB`",
    "count": "a number, as `200k` or `1.5M`",
}
_LONGEST: Final = 80
_MAPS: Final[Mapping[str, str]] = {
    **{phase: "finally_" if phase == "finally" else phase for phase in PHASES},
    **{key: key for key in ("inputs", "env", "secrets", "outputs")},
}
"""Maps of a pipeline file that may be large, and the fields of its model that hold them."""


class Shape:
    """Checks one file's data. `broken` collects the paths of what had to be left out to go on."""

    def __init__(
        self,
        report: Report,
        context_of: ContextOf,
        prune: Callable[[Path_], Path_] | None = None,
        entries: type[BaseModel] | None = None,
        maps: Mapping[str, str] = _MAPS,
    ) -> None:
        """`prune` gives the smallest thing around a path that can be left out; by default that of a pipeline file.
        `entries`: the model of a file that has some of the entries of its large maps, and nothing else. `maps` are
        those maps, and the fields of the model that hold them."""
        self._report = report
        self._context_of = context_of
        self._prune = prune or prunable
        self._entries = entries
        self._maps = maps
        self.broken: set[Path_] = set()
        self.data: dict[str, Any] = {}
        """What the model was made of: without `x-…` keys and without what is wrong."""
        self.stand_ins: set[Path_] = set()
        """Nodes of which only the common keys are left, since what they do is wrong; each is a `run:` of nothing."""

    def check(self, model: type[Spec], data: dict[str, Any]) -> Spec | None:
        """The model of the data, without the parts that are wrong (`broken`); None where nothing is left to go on."""
        if self._entries is None:
            return self._check(model, data)
        whole = without_extras(data)
        entries: dict[str, dict[str, Any]] = {}
        kept: dict[str, dict[str, Any]] = {}
        for key, name in self._maps.items():
            models = alike(self._entries, key, name, whole.get(key))
            if models is not None:
                entries[name], kept[key] = models, whole.pop(key)
        rest, pieces = split(whole, self._maps)
        if not pieces and not kept:
            return self._check(model, rest)
        apart = {piece.field for piece in pieces} | kept.keys()
        lacks = any(model.model_fields[self._maps[key]].is_required() for key in apart)
        found = self._check(cast(type[Spec], self._entries) if lacks else model, rest)
        whole = self.data
        for piece in pieces:
            key, name = piece.field, self._maps[piece.field]
            mine, own = entries.setdefault(name, {}), kept.setdefault(key, {})
            part = self._check(self._entries, {"version": 1, key: piece.entries}, piece.weight)
            if part is not None:
                mine.update(getattr(part, name))
                own.update(self.data[key])
        self.data = {**whole, **kept}
        if found is None or (lacks and "nodes" in apart and not entries["nodes"]):
            return None
        return found.model_copy(update=entries)

    def _check(self, model: type[Spec], data: dict[str, Any], weight: int | None = None) -> Spec | None:
        for _ in range(4):
            found = validated(model, data, weight)
            if isinstance(found, model):
                self.data = data
                return found
            pruned = self._explained(data, cast("list[ErrorDetails]", found))
            if pruned is data:
                return None
            data = pruned
        return None

    def _explained(self, data: dict[str, Any], errors: list[ErrorDetails]) -> dict[str, Any]:
        """Report what is wrong, and give the data without it."""
        grouped: dict[tuple[Path_, bool], list[ErrorDetails]] = {}
        for detail in errors:
            path, is_key = real_path(detail, data)
            grouped.setdefault((path, is_key), []).append(detail)
        pruned: set[Path_] = set()
        replaced: set[Path_] = set()
        unnamed: list[Path_] = []
        for (path, is_key), details in grouped.items():
            if details[0]["type"] == "extra_forbidden" and str(path[-1]).startswith("x-"):
                pruned.add(path)
                continue
            cut = path
            if path == ("nodes",) and any(b[0] == "nodes" for b in self.broken if b):
                return data  # every node had a fault, and each has been told
            if path not in self.broken:
                cut = self._explain(data, path, is_key, details)
                cut = cut[:2] if cut[:1] == ("include",) else cut
            if is_key and len(path) == 2 and path[0] in PHASES:
                unnamed.append(path)
                continue
            if len(cut) == 2 and cut[0] in PHASES and not is_key and type(at(data, cut)) is dict:
                replaced.add(cut)
                continue
            self.broken.add(cut)
            pruned.add(cut)
        found = with_stand_ins(without(data, pruned), replaced)
        names = self._named(data, unnamed)
        self.stand_ins |= {names.get(path, path) for path in replaced}
        return renamed(found, names)

    def _named(self, data: dict[str, Any], unnamed: list[Path_]) -> dict[Path_, Path_]:
        """Names by which nodes whose id is none are looked at all the same; no other node has one of them."""
        names: dict[Path_, Path_] = {}
        if unnamed:
            taken = {name for phase in PHASES if isinstance(data.get(phase), dict) for name in data[phase]}
        for path in unnamed:
            name = (identifier(str(path[-1])) or "node")[:_LONGEST]
            while name in taken:
                name += "_"
            taken.add(name)
            names[path] = (path[0], name)
            self._report.renamed[names[path]] = path
        return names

    def _explain(self, data: dict[str, Any], path: Path_, is_key: bool, details: list[ErrorDetails]) -> Path_:
        """Report the fault at one place; gives the path of what to leave out."""
        detail = details[0]
        error_type = detail["type"]
        value = at(data, path)
        if is_key:
            self._bad_name(path, detail)
            return path
        if error_type == "extra_forbidden":
            self._unknown_key(data, path)
            return path
        if error_type == "missing":
            key = str(detail["loc"][-1])
            told = isinstance(value, dict) and self._is_meant(key, value, self._context_of(path, value))
            return self._prune(path) if told else self._missing(path, key)
        if error_type == "node_kind":
            self._no_kind(path, value)
            return path
        if value is not None or not self._report.unread(path):
            code, message, hint = said_of(path, details, value, self._report)
            self._report.add(code, message, path, hint=hint)
        return self._prune(path)

    def _bad_name(self, path: Path_, detail: ErrorDetails) -> None:
        name = str(path[-1])
        if detail["type"] == "string_too_long":
            self._report.add(
                "E205", f"the name is longer than {detail['ctx']['max_length']} characters", path, at="key"
            )
            return
        what = {"inputs": "an input's name", "outputs": "an output's name", "env": "a variable's name"}
        what["secrets"] = "a secret's name"
        what["agents"] = "a preset's name"
        owner = str(path[-2]) if len(path) > 1 else ""
        message = f"`{short(name)}` is not an identifier, and {what.get(owner, 'a node id')} is one"
        wanted = identifier(name)
        hint = f"write `{wanted}`" if wanted else "use a to z, A to Z, digits and `_`, and begin with no digit"
        if "{{" in name:
            hint = "a name can't be a template"
        if self._report.no_text(path, hint):
            return
        self._report.add("E205", message, path, at="key", hint=hint)

    def _unknown_key(self, data: dict[str, Any], path: Path_) -> None:
        key, owner = str(path[-1]), path[:-1]
        node = at(data, owner)
        context = self._context_of(owner, node)
        add = self._report.add
        of_node = len(owner) == 2 and owner[0] in PHASES
        if of_node and self._of_another_kind(path, node):
            return
        other = context.others.get(key)
        if of_node and "pipeline" in node:
            other = aliases.PIPELINE_NODE.get(key, other)
        elif of_node and other is not None and "agent" in node and key in aliases.MAY_BE_OPTIONS:
            other = aliases.OPTION
        if other is not None:
            if key == "uses":
                other = foreign.of_uses(at(data, path), other)
            add("E208", f"`{short(key)}` is not a key of {context.name}", path, at="key", hint=other)
            return
        near = self._report.suggest(key, context.keys)
        hint = f"did you mean `{near}`?" if near else f"there is {listed(context.keys, 30)}" if context.keys else None
        hint = foreign.unspaced(key, context.keys) or hint
        if not near and not owner and foreign.is_node(at(data, path)):
            hint = f"nodes stand in a map: `nodes: {{{identifier(key) or 'build'}: …}}`"
        agent = node.get("agent") if context.keys and "agent" in context.keys and isinstance(node, dict) else None
        if not near and isinstance(agent, str):
            hint = f"options of agent `{short(agent)}` stand under `with:`; {hint}"
        add("E201", f"unknown key `{short(key)}` in {context.name}", path, at="key", hint=hint)

    def _of_another_kind(self, path: Path_, node: Any) -> bool:
        """A key that nodes of another kind have."""
        key = str(path[-1])
        kinds = [name for name, model in nodes.KINDS.items() if key in keys_of(model)]
        own = next((name for name in nodes.KINDS if isinstance(node, dict) and name in node), None)
        if not kinds or own is None:
            return False
        origins = self._report.origins
        given, beside = origins.get(path), origins.get((*path[:-1], own))
        if given and beside and given.used and beside.used and given.path[:2] == beside.path[:2]:
            message = f"`{key}` stands beside {either(kinds)}, and this preset has `{own}`"
            self._report.add("E503", message, path, at="key")  # as it is told of the preset itself
            return True
        hint = f"`{own}:` takes its options directly in the node" if key == "with" else None
        if key == "output":
            hint = aliases.OUTPUTS_OF_FILE if own == "pipeline" else "an agent says by itself what it gives"
        message = f"`{key}` belongs to nodes with {either(kinds)}, and this one has `{own}`"
        self._report.add("E201", message, path, at="key", hint=hint)
        return True

    def _is_meant(self, key: str, given: dict[str, Any], context: Context) -> bool:
        """Whether another key, which is told, stands for one that is missing: a misspelt one, or another system's."""
        others = (context.others.get(str(name), "") for name in given)
        return self._report.misspelt(key, given, context.keys) or any(f"`{key}:" in hint for hint in others)

    def _missing(self, path: Path_, key: str) -> Path_:
        add = self._report.add
        if (*path, key) in self.broken:  # told already
            return (*path, key)
        if not path and key == "version":
            add("E202", "the file doesn't say its version", (), hint="write `version: 1` as its first line")
            return ("version",)
        if not path and key == "nodes":
            add("E209", "the file has no nodes", (), hint="write `nodes: {hello: {run: echo hello}}`")
            return ("nodes",)
        hint = None
        if path and path[0] == "secrets" and key == "from":
            hint = "write `{from: env}` or `{from: file, key: PATH}`"
        add("E202", f"{named(path)} lacks `{key}`", path, at="key", hint=hint)
        return self._prune(path)

    def _no_kind(self, path: Path_, node: Any) -> None:
        add = self._report.add
        if not isinstance(node, dict):
            if node is None and self._report.unread(path):
                return
            message, hint = wrong_type(path, ["dict_type"], node)
            if node is None:
                hint = "write `{run: …}`, or its keys below it, indented further than its id"
            hint = hint or "write `{run: …}`"
            if isinstance(node, str):
                hint = foreign.unspaced(node, nodes.KINDS) or "a node is a map: `{run: " + short(node, 30) + "}`"
            add("E203", message, path, hint=hint)
            return
        kinds = [name for name in nodes.KINDS if name in node]
        context = self._context_of(path, node)
        if kinds:
            for name in kinds[1:]:
                message = f"a node has exactly one of {either(nodes.KINDS)}, and this one has {listed(kinds)}"
                add("E206", message, (*path, name), at="key")
            return
        unknown = [key for key in node if key not in context.keys and not str(key).startswith("x-")]
        for key in unknown:
            self._unknown_key({**_rooted(path, node)}, (*path, key))
        meant = [self._report.suggest(key, nodes.KINDS) or foreign.unspaced(key, nodes.KINDS) for key in unknown]
        if not any(meant) and not aliases.REPLACES_KIND.intersection(unknown):
            add("E206", f"{named(path)} has none of {either(nodes.KINDS)}, and a node has exactly one", path, at="key")


def said_of(path: Path_, details: list[ErrorDetails], value: Any, report: Report) -> tuple[str, str, str | None]:
    """`sentence` with the word that was probably meant, where words could stand there."""
    code, message, hint = sentence(path, details, value)
    in_node = len(path) == 3 and path[0] in PHASES
    if code == "E203" and in_node and path[2] == "with" and report.wrote(path[:2], "pipeline"):
        message = message.replace(MAPS["with"], OF_INCLUDE["a map", True])
    if details[0].get("ctx", {}).get("pattern") == nodes.RETRY_PATTERN and str(value)[:5] != "exit:":
        near = report.suggest(str(value), ("error", *nodes.ERROR_KINDS))
        hint = f"did you mean `{near}`?" if near else hint
    if details[0]["type"] == "literal_error" and hint is None:
        near = report.suggest(str(value), one_of(path, details[0]["ctx"]["expected"], value)[1])
        hint = f"did you mean `{near}`?" if near else None
        if near is None or foreign.is_other_shell(value):
            hint = foreign.of_shape(str(path[-1]), value) or hint
    return code, message, hint


def sentence(path: Path_, details: list[ErrorDetails], value: Any) -> tuple[str, str, str | None]:
    """Code, sentence and hint for the errors that pydantic has at one place."""
    others = [d for d in details if not is_type_error(d["type"])]
    detail = (others or details)[0]  # a branch of a union that says more than that the type is another
    error_type, context = detail["type"], detail.get("ctx", {})
    key = path[-1] if path else ""
    types = [d["type"] for d in details if is_type_error(d["type"])]
    if path == ("version",):
        mend = "leave the quotes out: `version: 1`" if value in ("1", "1.0") else "write `version: 1`"
        return "E210", f"the language has version 1, not {kind(value)}", mend
    if not others:
        message, hint = wrong_type(path, types, value)
        return "E203", message, foreign.of_matrix(path) or hint or foreign.of_shape(str(key), value)
    if error_type in _OWN_SENTENCES and value is None:
        what = _OWN_SENTENCES[error_type]
        return "E203", f"{named(path)} is empty: it is {what}", "give it a value, or leave the key out"
    if error_type in _OWN_SENTENCES:
        return "E207", f"{named(path)}: {context['why']}", None
    if error_type == "shape":
        what = context.get("what") or WHAT.get(str(key), "a value of another type")
        if value is None:
            return "E203", f"{named(path)} is empty: it is {what}", "give it a value, or leave the key out"
        return "E203", f"{named(path)} is {what}, not {kind(value)}", foreign.of_shape(str(key), value)
    if error_type in ("literal_error", "enum"):
        message, words = one_of(path, context["expected"], value)
        hint = None
        if key == "type" and isinstance(value, str) and value in aliases.TYPES and aliases.TYPES[value] in words:
            hint = f"write `{aliases.TYPES[value]}`"
        if key == "output" and path[0] in PHASES:
            hint = foreign.of_output(value)
        return "E204", message, hint
    bounds = out_of_bounds(path, error_type, context, value)
    if bounds is not None:
        if path == ("nodes",):
            return "E209", "the file has no nodes", "write `nodes: {hello: {run: echo hello}}`"
        return "E204", bounds, None
    if error_type == "string_pattern_mismatch":
        if context.get("pattern") == nodes.RETRY_PATTERN:
            hint = "write `error` for all that another attempt could change, a kind as `timeout`, or `exit:75`"
            return "E204", f"`{short(str(value))}` is not a kind of error", hint
        return "E204", f"{named(path)} has a form that can't be used: {kind(value)}", f"it matches {context['pattern']}"
    if error_type == "value_error":
        return "E204", short(str(context.get("error", detail["msg"])), 300), None
    message = detail["msg"]
    return "E204", f"{named(path)}: {message[:1].lower()}{short(message[1:], 300)}", None


def real_path(detail: ErrorDetails, data: Any) -> tuple[Path_, bool]:
    """The path in the file of an error, without the names of a union's branches; and whether it is about the key."""
    location = detail["loc"]
    is_key = bool(location) and location[-1] == "[key]" and detail["type"] in _OF_KEYS
    path: list[str | int] = []
    value = data
    for step in location[:-1] if is_key else location:
        if type(value) is dict:
            there = step in value
        else:
            there = type(value) is list and type(step) is int and step < len(value)
        if there:
            value = value[step]
            path.append(step)
    return tuple(path), is_key


def identifier(name: str) -> str | None:
    """The identifier that is nearest to a name."""
    plain = "".join(c for c in normalize("NFKD", name) if not combining(c))
    found = re.sub(r"[^A-Za-z0-9_]+", "_", plain).strip("_")
    if not found:
        return None
    return f"_{found}" if found[0].isdigit() else found


def _rooted(path: Path_, value: Any) -> dict[str, Any]:
    """A document in which `value` stands at `path`."""
    for step in reversed(path):
        value = {step: value}
    rooted: dict[str, Any] = value
    return rooted
