"""A program `systemctl` that prints what it was given, in the forms of several versions of systemd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NOT_BOOTED = (
    "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
    "Failed to connect to bus: Host is down\n"
)
_UNSET = {219: "18446744073709551615", 252: "[not set]", 255: "[not set]"}
_INFINITE = {219: "18446744073709551615", 252: "infinity", 255: "infinity"}


def unit(name: str, version: int = 252, **more: Any) -> str:
    """The block of one unit: one that runs for 400 s, at the clock's 100,000 s."""
    properties: dict[str, Any] = {
        "Type": "simple",
        "MainPID": "812",
        "NRestarts": "0",
        "Result": "success",
        "ExecMainCode": "0",
        "ExecMainStatus": "0",
        "MemoryCurrent": _UNSET[version],
        "MemoryMax": _INFINITE[version],
        "MemoryLimit": _INFINITE[version],
        "TasksCurrent": "2",
        "Id": name,
        "Names": name,
        "Requires": "system.slice sysinit.target",
        "Requisite": "",
        "BindsTo": "",
        "Wants": "",
        "TriggeredBy": "",
        "Description": f"The {name}",
        "LoadState": "loaded",
        "ActiveState": "active",
        "SubState": "running",
        "UnitFileState": "enabled",
        "StateChangeTimestampMonotonic": str((100_000 - 400) * 1_000_000),
        "NeedDaemonReload": "no",
    }
    properties.update(more)
    if version == 219:  # which doesn't know these
        for key in ("NRestarts", "MemoryMax"):
            properties.pop(key)
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def failed(name: str, version: int = 252, code: int = 3, **more: Any) -> str:
    said = {"ActiveState": "failed", "SubState": "failed", "Result": "exit-code", "MainPID": "0"}
    return unit(name, version, **{**said, "ExecMainCode": "1", "ExecMainStatus": str(code), **more})


def not_found(name: str) -> str:
    said = {
        "LoadState": "not-found",
        "ActiveState": "inactive",
        "SubState": "dead",
        "UnitFileState": "",
        "MainPID": "0",
    }
    return unit(name, **said, StateChangeTimestampMonotonic="0")


class Systemctl:
    """Puts the program into a folder; its answers are files beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        program = folder / "systemctl"
        program.write_text(
            "#!/bin/sh\n"
            f'cd "{folder}"\n'
            'echo "$*" >> asked\n'
            "[ -e slow ] && exec /bin/sleep 60\n"
            "if [ -e stderr ]; then /bin/cat stderr >&2; exit 1; fi\n"
            'case "$*" in\n'
            "  *Version,SystemState*) /bin/cat manager ;;\n"
            "  show*) /bin/cat units ;;\n"
            "  *) if [ -e refused ]; then /bin/cat refused >&2; exit 4; fi\n"
            "     [ -e after ] && /bin/cp after units\n"
            "     exit 0 ;;\n"
            "esac\n"
        )
        program.chmod(0o755)

    def says(self, *units: str, version: str = "252 (252.39-1~deb12u2)", state: str = "running") -> None:
        (self.folder / "manager").write_text(f"Version={version}\nSystemState={state}\n")
        (self.folder / "units").write_text("\n".join(units))

    def put(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []
