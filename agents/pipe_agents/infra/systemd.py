"""Reads what `systemctl show` prints; the same in all versions since 2013, other than its tables and its JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pipe_agents.infra.common import Absent, Look, Unreached, shown
from pipe_runner.ports import ProcessEnd

Unit = Mapping[str, str]

PROPERTIES: Final = (
    "Id", "Names", "Description", "LoadState", "ActiveState", "SubState", "UnitFileState", "Type", "NRestarts",
    "Result", "ExecMainCode", "ExecMainStatus", "MainPID", "StateChangeTimestampMonotonic", "MemoryCurrent",
    "MemoryMax", "MemoryLimit", "TasksCurrent", "Requires", "Requisite", "BindsTo", "Wants", "TriggeredBy",
    "NeedDaemonReload",
)  # fmt: skip
PATTERNS: Final = ("*.service", "*.socket", "*.timer", "*.mount", "*.automount", "*.swap", "*.path", "*.target")
ENV: Final = {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "", "PAGER": "cat"}
_NO_NUMBER: Final = 2**64 - 1
"""What systemd prints for what isn't counted, where it doesn't print `[not set]` or `infinity`."""


def blocks(text: str) -> Iterator[dict[str, str]]:
    """The units of what `systemctl show` prints: `key=value` lines, an empty line between units."""
    unit: dict[str, str] = {}
    last = ""
    for line in text.split("\n"):
        key, equals, value = line.partition("=")
        if equals and key.isidentifier():
            unit[key], last = value, key
        elif not line.strip():
            if unit:
                yield unit
            unit, last = {}, ""
        elif last:  # a value of several lines
            unit[last] += "\n" + line
    if unit:
        yield unit


def number(unit: Unit, key: str) -> int | None:
    """A count; null where systemd doesn't know it."""
    text = unit.get(key, "")
    if not text.isascii() or not text.isdigit() or len(text) > 20:
        return None
    value = int(text)
    return None if value >= _NO_NUMBER // 2 else value


def names(unit: Unit, *keys: str) -> list[str]:
    return [name for key in keys for name in unit.get(key, "").split()]


def full_name(name: str) -> str:
    """`sshd` is `sshd.service`, as systemctl has it."""
    kinds = ("service", "socket", "timer", "mount", "automount", "swap", "path", "target", "slice", "scope", "device")
    return name if name.rpartition(".")[2] in kinds and "." in name else f"{name}.service"


async def manager(look: Look) -> Unit:
    """What systemd says of itself. Raises Unreached where there is none that can be asked."""
    end = await _run(look, "show", "--no-pager", "--property=Version,SystemState")
    found = next(blocks(_text(end)), {})
    if end.exit_code != 0 or "Version" not in found:
        not_booted = b"not been booted with systemd" in end.stderr_tail
        why = "this system was not booted with systemd" if not_booted else _why(end)
        kind = Absent if not_booted else Unreached
        raise kind(why, "a system that was booted with systemd, and its D-Bus socket")
    return found


async def units(look: Look, wanted: Sequence[str], patterns: Sequence[str] = PATTERNS) -> list[Unit]:
    """All units that are loaded, and those that are wanted, loaded or not; each once."""
    words = [f"--property={','.join(PROPERTIES)}", "--", *patterns, *(full_name(name) for name in wanted)]
    end = await _run(look, "show", "--no-pager", *words)
    found: dict[str, Unit] = {}
    for unit in blocks(_text(end)):
        name = unit.get("Id")
        if name:
            found.setdefault(name, unit)
    if not found:
        raise Unreached(_why(end), "permission to ask systemd over D-Bus")
    if end.truncated is not None:
        raise Unreached("systemctl printed more than the node's output may have", "a larger `limits.output`")
    return list(found.values())


async def _run(look: Look, *words: str) -> ProcessEnd:
    try:
        end = await look.command("systemctl", *words, env=ENV)
    except TimeoutError:
        raise Unreached(f"systemctl gave no answer within {look.timeout:g} s", "a longer `timeout`") from None
    if end.not_found is not None:
        raise Absent("there is no program systemctl here", "a system with systemd")
    if end.unavailable is not None:
        raise Unreached(shown(end.unavailable, 300), "room for another process")
    return end


def _text(end: ProcessEnd) -> str:
    return end.stdout.decode("utf-8", "replace")


def _why(end: ProcessEnd) -> str:
    said = shown(end.stderr_tail.decode("utf-8", "replace"), 300)
    how = f"systemctl exited with {end.exit_code}" if end.exit_code else "systemctl printed nothing that could be read"
    return f"{how}: {said}" if said else how
