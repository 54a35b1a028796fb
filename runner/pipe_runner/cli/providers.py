"""`pipe providers [NAME]`: which model services nodes can name, what each is set up with, and whether it answers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.boundary import write_out
from pipe_runner.cli.words import Given
from pipe_runner.console.words import as_written, safe
from pipe_runner.errors import InvalidPipeline, NodeFault, PipeError, UsageError
from pipe_runner.halts import is_stop
from pipe_runner.plugins import apart, is_ours, schema_of
from pipe_runner.text import json_text

if TYPE_CHECKING:
    from pipe_runner.calls.services import Service, Services

_ADDRESS: Final = ("base_url", "endpoint_url", "region")
_SHORTEST: Final = 3


def providers(given: Given) -> int:
    """All providers, or one with all of its settings; `--check` asks each that lacks nothing."""
    names, services = _services()
    wanted = given.text("name")
    if wanted is not None and wanted not in names:
        raise _unknown(wanted, names)
    found = [_described(services, name) for name in ([wanted] if wanted is not None else names)]
    failed = False
    if given.on("check"):
        failed = _check(services, found, one=wanted is not None)
    if given.text("output") == "json":
        write_out(json_text(found[0] if wanted is not None else found))
    else:
        lines = _text(services, found[0]) if wanted is not None else _table(found)
        write_out("".join(f"{safe(line)}\n" for line in lines))
    return 1 if failed else 0


def _services() -> tuple[list[str], Services]:
    """The names that nodes can use here, and what is behind them."""
    from pathlib import Path

    from pipe_runner.calls.services import BUILT_IN, Services
    from pipe_runner.cli.settings import here
    from pipe_runner.compiler.project import load_project
    from pipe_runner.registry import ProviderTypes

    project, faults = load_project(Path(here()))
    wrong = [fault for fault in faults if fault.is_error]
    if wrong:
        raise InvalidPipeline(wrong)
    written: Mapping[str, Any] = project.services.get("providers", {})
    types = ProviderTypes()
    names = [*written, *(name for name in (*BUILT_IN, *types) if name not in written)]
    return list(dict.fromkeys(names)), Services(written, types, os.environ)


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    from pipe_runner.diagnostics import did_you_mean

    near = did_you_mean(name, known)
    hint = f"did you mean {near!r}?" if near else f"there are: {', '.join(known)}"
    return UsageError(f"there is no provider {name!r}", hint=hint)


def _described(services: Services, name: str) -> dict[str, Any]:
    from pipe_runner.secrets import unmasked
    from pipe_schemas.credentials import without_credentials

    try:
        service = services.get(name)
    except (NodeFault, PipeError) as error:
        return {"name": name, "type": None, "ready": False, "missing": error.message, "warnings": []}
    settings = service.settings
    return {
        "name": name,
        "type": services.type_of(name),
        "summary": service.type.summary,
        "model": settings.model or None,
        "ready": settings.missing is None,
        "missing": settings.missing,
        "warnings": unmasked(services.secrets((name,))),
        "settings": {
            key: {
                "value": _shown(without_credentials(value, key), settings.secrets),
                "source": settings.sources.get(key, ""),
            }
            for key, value in settings.options.items()
        },
        "limits": dict(service.limits),
        "prices": {model: dict(price) for model, price in (services.written(name).get("prices") or {}).items()},
    }


def _shown(value: Any, secrets: Sequence[str]) -> Any:
    """A setting without what is secret in it."""
    if isinstance(value, str):
        for secret in secrets:
            if len(secret) >= _SHORTEST or secret == value:
                value = str(value).replace(secret, "***")
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _shown(item, secrets) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(item, secrets) for item in value]
    return value


def _check(services: Services, found: Sequence[dict[str, Any]], *, one: bool) -> bool:
    """Ask them, one after the other, and put what they said to what is known; whether one failed."""
    import anyio

    from pipe_runner.masking import SecretMasker

    masker = SecretMasker(services.secrets(tuple(about["name"] for about in found)))
    services.conceal, services.mask = masker.add, masker.mask_text

    async def ask() -> bool:
        failed = False
        try:
            for about in found:
                if not about["ready"] and not one:
                    continue
                about["check"] = await _asked(services, about["name"])
                failed = failed or not about["check"]["ok"]
        finally:
            await services.close()
        return failed

    return anyio.run(ask)


async def _asked(services: Services, name: str) -> dict[str, Any]:
    client = None
    try:
        client = services.client(name)
        with apart(type(client).__module__):
            said: Any = await client.check()
    except (NodeFault, PipeError) as error:
        return {"ok": False, "message": error.message}
    except BaseException as error:
        if client is None or is_ours(type(client).__module__) or isinstance(error, KeyboardInterrupt) or is_stop(error):
            raise
        return {"ok": False, "message": f"check() raises {type(error).__name__}"}  # its words may hold a key
    return {"ok": True, "message": str(said)}


def _table(found: Sequence[dict[str, Any]]) -> list[str]:
    rows = []
    for about in found:
        settings = about.get("settings", {})
        where = next((str(settings[key]["value"]) for key in _ADDRESS if key in settings), "")
        state = (
            ", but ".join(["ready", *about["warnings"]]) if about["ready"] else f"lacks something: {about['missing']}"
        )
        if "check" in about:
            state = about["check"]["message"] if about["check"]["ok"] else f"FAILED: {about['check']['message']}"
        rows.append((about["name"], about["type"] or "?", about.get("model") or "-", where or "-", state))
    wide = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join([*(cell.ljust(wide[at]) for at, cell in enumerate(row[:4])), row[4]]) for row in rows]


def _text(services: Services, about: dict[str, Any]) -> list[str]:
    lines = [f"{about['name']} (type {about['type'] or '?'})"]
    if about["type"] is None:
        return [*lines, f"  {about['missing']}"]
    lines.append(f"  {about['summary']}")
    lines.append(f"  model: {about['model'] or 'none by default; nodes name one'}")
    for key, one in about["settings"].items():
        lines.append(f"  {key}: {as_written(one['value'])}  ({one['source']})")
    for key in ("limits", "prices"):
        if about[key]:
            lines.append(f"  {key}: {as_written(about[key])}  (pipe.yml)")
    lines += [f"  warning: {one}" for one in about["warnings"]]
    lines.append("  ready" if about["ready"] else f"  lacks something: {about['missing']}")
    if "check" in about:
        lines.append(f"  check: {'' if about['check']['ok'] else 'FAILED: '}{about['check']['message']}")
    service: Service = services.get(about["name"])
    options = schema_of(service.type, f"provider type {about['type']!r}").get("properties", {})
    left = [key for key in options if key not in about["settings"]]
    if left:
        lines.append("  further options of its type, for pipe.yml")
        lines += [f"    {key}: {options[key].get('description', '')}" for key in left]
    return lines
