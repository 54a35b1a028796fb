"""Checks `providers:` of pipe.yml: each against its type, with places; and gives them as plain data for the plan."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.aliases_project import OPENAI_LIKE
from pipe_runner.compiler.pieces import validated
from pipe_runner.compiler.pruning import at
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.compiler.sentences import named
from pipe_runner.compiler.shape import real_path, said_of
from pipe_runner.errors import PipeError
from pipe_runner.plugins import model_of
from pipe_runner.project import OF_EVERY_PROVIDER
from pipe_runner.types import Path_

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import ProviderType
    from pipe_schemas.providers import ProviderSpec

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z")
_SECRET: Final = "secret_value"
_OWN: Final = frozenset({"address", "header", _SECRET})
"""Errors of the models of providers that are sentences already."""
_SHORTEST: Final = 4
_LIKE_SECRET: Final = re.compile("key|token|secret|passw", re.IGNORECASE)
_LIKE: Final = 0.8
"""How much a provider's name is like a type's, for it to be that name with a slip."""
_OTHERS: Final = {
    "url": "base_url",
    "endpoint": "base_url",
    "host": "base_url",
    "api_base": "base_url",
    "key": "api_key",
    "apikey": "api_key",
    "token": "api_key",
    "org": "organization",
    "pricing": "prices",
    "rate_limit": "limits",
    "max_parallel": "limits",
}
"""What other systems call them."""


def read_providers(
    specs: Mapping[str, ProviderSpec],
    written: Any,
    report: Report,
    root: str,
    types: Mapping[str, ProviderType] | None = None,
) -> dict[str, Any]:
    """The providers that are right, as data: common keys as their models read them, options as they stand, paths of
    secrets from the root. `types`: those that are installed, by default."""
    if types is None:
        from pipe_runner.registry import ProviderTypes

        types = ProviderTypes()
    found: dict[str, Any] = {}
    hidden: set[str] = set()
    for name, spec in specs.items():
        data = {key: value for key, value in written[name].items() if not key.startswith("x-")}
        path: Path_ = ("providers", name)
        if not _NAME.match(name):
            hint = "use letters, digits, `_`, `-` and `.`"
            report.add("E505", f"`{short(name)}` can't be the name of a provider", path, at="key", hint=hint)
            continue
        options = {key: value for key, value in data.items() if key not in OF_EVERY_PROVIDER}
        model = _model(name, spec.type, types, path, report)
        if model is not None:
            _check(name, model, options, path, report, hidden)
            common = spec.model_dump(include=set(OF_EVERY_PROVIDER), exclude_none=True)
            found[name] = {**_rooted(options, root, path, report), **common}
        else:
            for key in filter(_LIKE_SECRET.search, options):
                hidden.update(_texts(options[key]))
    hide(report, hidden)
    return found


def _model(
    name: str, written: str | None, types: Mapping[str, ProviderType], path: Path_, report: Report
) -> type[BaseModel] | None:
    """The model of the options of a provider's type; None where there is no such type, which is told."""
    kind = written or name
    if kind in types:
        try:
            return model_of(types[kind], f"provider type {kind!r}")
        except PipeError as error:
            report.add("E502", error.message, path, at="key", hint=error.hint)
            return None
    near = report.suggest(kind, list(types))
    if written is None:
        near = near if near and SequenceMatcher(None, kind, near).ratio() > _LIKE else None
        message = f"provider `{short(name)}` has no `type`, and there is no type of its own name"
        hint = f"did you mean `{near}`?" if near else f"write `type:` with one of {listed(list(types))}"
        report.add("E521", message, path, at="key", hint=hint)
    else:
        hint = f"did you mean `{near}`?" if near else f"there is {listed(list(types))}"
        if kind in OPENAI_LIKE and "openai" in types:
            hint = "it answers as OpenAI does: write `type: openai` with its `base_url:`"
        report.add("E521", f"there is no type `{short(kind)}` of providers", (*path, "type"), hint=hint)
    return None


def _check(
    name: str, model: type[BaseModel], options: dict[str, Any], path: Path_, report: Report, hidden: set[str]
) -> None:
    try:
        details = validated(model, options)
    except Exception as error:  # a plugin's validator stumbles
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        report.add("E505", f"the options of provider `{name}` can't be checked: {reason}", path, at="key")
        return
    if not isinstance(details, list):
        return
    grouped: dict[Path_, list[Any]] = {}
    for detail in details:
        grouped.setdefault(real_path(detail, options)[0], []).append(detail)
    known = [field.alias or field_name for field_name, field in model.model_fields.items()]
    for inner, found in grouped.items():
        place, detail = (*path, *inner), found[0]
        if detail["type"] == "extra_forbidden":
            hint = _hint(inner, known, report)
            report.add("E503", f"provider `{name}` has no option {named(inner)}", place, at="key", hint=hint)
            if len(inner) > 1 or _LIKE_SECRET.search(str(inner[0])):
                hidden.update(_texts(at(options, inner)))  # a key that stands at another place
        elif detail["type"] == "missing":
            report.add("E504", f"{named(inner) if inner else f'provider `{name}`'} needs `{detail['loc'][-1]}`", place)
        elif detail["type"] == _SECRET:
            hidden.update(_texts(at(options, inner)))
            report.add("E605", f"{named(inner)}: {detail['ctx']['why']}", place, at="key")
        elif detail["type"] in _OWN:
            report.add("E505", f"{named(inner)}: {detail['ctx']['why']}", place)
        else:
            code, message, hint = said_of(inner, found, at(options, inner), report)
            report.add("E504" if code == "E202" else "E505", message, place, hint=hint)


def _hint(inner: Path_, known: list[str], report: Report) -> str | None:
    if len(inner) > 1:
        return None
    words = [*known, *OF_EVERY_PROVIDER]
    key = str(inner[0])
    near = _OTHERS.get(key.lower().replace("-", "_"))
    near = near if near in words else report.suggest(key, words)
    return f"did you mean `{near}`?" if near else f"there is {listed(words, 20)}"


def _rooted(options: dict[str, Any], root: str, path: Path_, report: Report) -> dict[str, Any]:
    """The options with the paths of secrets' files from the root; a relative one must not leave it."""
    found: dict[str, Any] = {}
    for key, value in options.items():
        if isinstance(value, dict) and value.get("from") == "file" and isinstance(value.get("key"), str):
            if not os.path.isabs(value["key"]):
                inside, file = os.path.realpath(root), os.path.realpath(os.path.join(root, value["key"]))
                if os.path.commonpath((inside, file)) != inside:
                    message = f"the file {short(value['key'])} lies outside the project; an absolute path may name it"
                    report.add("E601", message, (*path, key, "key"))
            value = {**value, "key": os.path.join(root, value["key"])}
        elif isinstance(value, dict):
            value = _rooted(value, root, (*path, key), report)
        found[key] = value
    return found


def _texts(value: Any) -> list[str]:
    """What may be a secret: not where one is to be found."""
    if isinstance(value, dict):
        return [item for key, item in value.items() if key not in ("from", "key") and isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def hide(report: Report, secrets: Iterable[str]) -> None:
    """Take what should not have stood there out of all that is shown of the file."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if not secret:
            continue
        # A short one is only what stands for itself: else half of the words would go.
        pattern = re.escape(secret) if len(secret) >= _SHORTEST else rf"(?<![\w-]){re.escape(secret)}(?![\w-])"
        for number, one in enumerate(report.found):
            if secret in (one.source or "") or secret in one.message or secret in (one.hint or ""):
                stars = "*" * len(secret)  # as long as it was: the caret stays in its place
                report.found[number] = one._replace(
                    source=re.sub(pattern, stars, one.source) if one.source else one.source,
                    message=re.sub(pattern, "***", one.message),
                    hint=re.sub(pattern, "***", one.hint) if one.hint else one.hint,
                )
