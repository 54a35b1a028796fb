"""The check `services`: what systemd says of its units; of SysV scripts what `service --status-all` says."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pipe_agents.findings import Finding, Severity, finding, unavailable
from pipe_agents.infra import systemd
from pipe_agents.infra.common import (
    LONGEST_LIST,
    Absent,
    Look,
    Looked,
    Unreached,
    ago,
    bounded,
    listed,
    of_bytes,
    plural,
    shown,
    some,
    stamp,
    text_or_none,
)
from pipe_agents.infra.systemd import Unit

_STATUS_LINE: Final = re.compile(r"\s*\[ ([+?-]) \]\s+(\S{1,255})\s*")
_ENDED: Final = 1
"""`CLD_EXITED`, of ExecMainCode; 2 and 3 are signals."""


async def look_at_services(look: Look) -> Looked:
    wanted: Sequence[str] = look.options["services"]
    try:
        about = await systemd.manager(look)
        found = await systemd.units(look, wanted)
    except Unreached as fault:
        if isinstance(fault, Absent) and not look.asked:
            return Looked([], absent=fault)
        scripts = await _scripts(look) if isinstance(fault, Absent) else None
        if scripts is None:
            return Looked([unavailable("services", "systemd", fault.why, fault.needs)])
        return _of_scripts(scripts, wanted)
    return judged(look, about, found, wanted)


def judged(look: Look, about: Unit, units: Sequence[Unit], wanted: Sequence[str]) -> Looked:
    """Findings and measurements of what systemd said."""
    failed = {unit["Id"] for unit in units if unit.get("ActiveState") == "failed"}
    by_name: dict[str, Unit] = {}
    for unit in units:
        for name in (unit["Id"], *systemd.names(unit, "Names")):
            by_name.setdefault(name, unit)
    findings: list[Finding] = []
    required: set[str] = set()
    for name in dict.fromkeys(systemd.full_name(one) for one in wanted):
        unit = by_name.get(name, {})
        service = measured(look, {"Id": name, **unit}, failed)
        required.add(unit.get("Id", name))
        if not _begun_by_others(unit, service, by_name):
            findings += _of_wanted(name, service)
    services = []
    for unit in units:
        service = measured(look, unit, failed)
        is_wanted = unit["Id"] in required
        findings += _of_unit(look, unit, service, is_wanted)
        if unit["Id"].endswith(".service") and (is_wanted or service["load"] != "not-found"):
            services.append(service)
    state = text_or_none(about.get("SystemState"), 50)
    if state == "maintenance":
        findings.append(
            finding(
                "system.state", "systemd", "critical", "systemd is in maintenance: only the rescue or emergency "
                "target is active", {"state": state}, "journalctl -b -p err",
            )
        )  # fmt: skip
    stale = sorted(unit["Id"] for unit in units if unit.get("NeedDaemonReload") == "yes")
    if stale:
        findings.append(
            finding(
                "service.stale",
                "systemd",
                "low",
                f"the files of {plural(len(stale), 'unit')} have changed since they were loaded: {listed(stale)}",
                {"units": len(stale), "names": some(stale)},
                "systemctl daemon-reload",
            )
        )
    services.sort(key=lambda one: (one["active"] != "failed", one["active"] != "activating", one["name"]))
    active = sum(one["active"] in ("active", "reloading", "refreshing") for one in services)
    bad = sum(one["active"] == "failed" for one in services)
    return Looked(
        bounded(findings, "services", "systemd"),
        {
            "manager": "systemd",
            "version": text_or_none(about.get("Version"), 100),
            "state": state,
            "total": len(services),
            "active": active,
            "failed": bad,
            "inactive": sum(one["active"] == "inactive" for one in services),
            "failed_units": some(sorted(failed), LONGEST_LIST),
            "services": services[:LONGEST_LIST],
        },
    )


def measured(look: Look, unit: Unit, failed: Iterable[str]) -> dict[str, Any]:
    """One unit, as the output has it."""
    since = systemd.number(unit, "StateChangeTimestampMonotonic")
    seconds = None if not since else max(look.context.clock.monotonic() - since / 1e6, 0.0)
    code, status = systemd.number(unit, "ExecMainCode"), systemd.number(unit, "ExecMainStatus")
    limit = systemd.number(unit, "MemoryMax")
    dependencies = dict.fromkeys(systemd.names(unit, "Requires", "Requisite", "BindsTo", "Wants"))
    failed = set(failed) - {unit.get("Id", "")}
    return {
        "name": shown(unit.get("Id", ""), 255),
        "description": shown(unit.get("Description", ""), 200),
        "load": shown(unit.get("LoadState", "not-found"), 50),
        "active": shown(unit.get("ActiveState", "inactive"), 50),
        "sub": shown(unit.get("SubState", "dead"), 50),
        "enabled": text_or_none(unit.get("UnitFileState"), 50),
        "kind": text_or_none(unit.get("Type"), 50),
        "restarts": systemd.number(unit, "NRestarts"),
        "result": text_or_none(unit.get("Result"), 50),
        "exit_code": status if code == _ENDED else None,
        "signal": status if code in (2, 3) else None,
        "since": None if seconds is None else stamp(look.now - seconds),
        "seconds_in_state": None if seconds is None else round(seconds, 3),
        "pid": systemd.number(unit, "MainPID") or None,
        "memory_bytes": systemd.number(unit, "MemoryCurrent"),
        "memory_limit_bytes": limit if limit is not None else systemd.number(unit, "MemoryLimit"),
        "tasks": systemd.number(unit, "TasksCurrent"),
        "failed_dependencies": [name for name in dependencies if name in failed][:20],
    }


def _begun_by_others(unit: Unit, service: Mapping[str, Any], units: Mapping[str, Unit]) -> bool:
    """Whether it is down since nobody needs it now: a oneshot that did its work, or what a timer or socket starts."""
    if service["active"] != "inactive" or service["load"] != "loaded" or service["result"] not in ("success", None):
        return False
    triggers = (units.get(name, {}).get("ActiveState") for name in systemd.names(unit, "TriggeredBy"))
    ran = service["kind"] == "oneshot" and (systemd.number(unit, "ExecMainCode") or 0) != 0
    return ran or "active" in triggers


def _of_wanted(name: str, service: Mapping[str, Any]) -> list[Finding]:
    """That a service which must be there isn't, or isn't active; one that failed tells so itself."""
    load, active = service["load"], service["active"]
    evidence = {key: service[key] for key in ("load", "active", "sub", "enabled", "exit_code", "seconds_in_state")}
    if load == "not-found":
        how = "install it, or correct the name: systemctl list-unit-files"
        return [finding("service.missing", name, "high", f"{name} is not there: no unit of that name", evidence, how)]
    if load == "masked":
        how = f"systemctl unmask {name}"
        return [finding("service.masked", name, "high", f"{name} is masked, so nothing can start it", evidence, how)]
    if load not in ("loaded", "merged"):
        how = f"systemctl status {name}"
        return [finding("service.unloadable", name, "high", f"{name} can't be loaded: {load}", evidence, how)]
    if active in ("inactive", "deactivating"):
        long = f" for {ago(service['seconds_in_state'])}" if service["seconds_in_state"] is not None else ""
        more = ", and is not enabled" if service["enabled"] == "disabled" else ""
        summary = f"{name} is {active}{long}{more}"
        how = f"systemctl start {name}; journalctl -u {name} -n 50 says why it stopped"
        return [finding("service.inactive", name, "high", summary, evidence, how)]
    return []


def _of_unit(look: Look, unit: Unit, service: Mapping[str, Any], wanted: bool) -> list[Finding]:
    name, found = service["name"], []
    restarts, seconds = service["restarts"], service["seconds_in_state"]
    evidence = {
        key: service[key]
        for key in ("sub", "result", "exit_code", "signal", "restarts", "seconds_in_state", "failed_dependencies")
        if service[key] not in (None, [])
    }
    journal = f"journalctl -u {name} -n 50"
    if service["active"] == "failed":
        found.append(_failed(name, service, evidence, wanted))
    elif service["sub"] == "auto-restart" or (
        service["active"] == "activating" and (restarts or 0) >= look.thresholds["restarts"]
    ):
        summary = f"{name} ends again and again: {plural(restarts or 0, 'restart')}, last {_how(service)}"
        severity: Severity = "critical" if wanted else "high"
        found.append(finding("service.restart_loop", name, severity, summary, evidence, journal))
    elif restarts is not None and restarts >= look.thresholds["restarts"]:
        summary = f"{name} was started again {plural(restarts, 'time')} by systemd, and runs for {ago(seconds)} now"
        severity = "medium" if look.recent(seconds) else "low"
        found.append(finding("service.restarts", name, severity, summary, evidence, journal))
    broken = service["failed_dependencies"]
    alive = wanted or service["active"] != "inactive" or service["enabled"] in ("enabled", "enabled-runtime")
    if broken and alive and service["active"] != "failed":
        hard = set(systemd.names(unit, "Requires", "Requisite", "BindsTo")) & set(broken)
        if hard or wanted:
            severity = "medium" if hard else "low"
            soft = [one for one in broken if one not in hard]
            also = f"; and wants {listed(soft)}, which failed too" if hard and soft else ""
            summary = f"{name} {'requires' if hard else 'wants'} what has failed: {listed(sorted(hard) or soft)}{also}"
            facts = {**evidence, "active": service["active"]}
            advice = f"systemctl status {min(hard, default=broken[0])}"
            found.append(
                finding(
                    "service.dependency",
                    name,
                    severity,
                    summary,
                    facts,
                    advice,
                )
            )
    used, limit = service["memory_bytes"], service["memory_limit_bytes"]
    if used is not None and limit and 100 * used / limit >= look.thresholds["memory_percent"]:
        percent = 100 * used / limit
        summary = f"{name} uses {of_bytes(used)}, {percent:.0f} % of the {of_bytes(limit)} that it may have"
        facts = {"memory_bytes": used, "memory_limit_bytes": limit, "memory_percent": round(percent, 1)}
        found.append(finding("service.memory", name, "medium", summary, facts, "raise MemoryMax, or find the leak"))
    return found


def _failed(name: str, service: Mapping[str, Any], evidence: Mapping[str, Any], wanted: bool) -> Finding:
    long = f" for {ago(service['seconds_in_state'])}" if service["seconds_in_state"] is not None else ""
    again = f" after {plural(service['restarts'], 'restart')}" if service["restarts"] else ""
    summary = f"{name} has failed{again}, and is down{long}: {_how(service)}"
    if service["kind"] == "oneshot" or not name.endswith(".service"):  # which is never up
        when = f" {ago(service['seconds_in_state'])} ago" if long else ""
        summary = f"{name} has failed{when}: {_how(service)}"
    if service["failed_dependencies"]:
        summary += f"; failed too: {listed(service['failed_dependencies'])}"
    journal = f"journalctl -u {name} -n 50"
    if not name.endswith(".service"):
        severity: Severity = "high" if wanted or name.endswith((".mount", ".swap")) else "medium"
        return finding("unit.failed", name, severity, summary, evidence, journal)
    severity = "critical" if wanted else "medium" if service["kind"] == "oneshot" else "high"
    return finding("service.failed", name, severity, summary, evidence, journal)


def _how(service: Mapping[str, Any]) -> str:
    """Of its last end, in words."""
    result = service["result"]
    if service["signal"] is not None:
        try:
            return f"{result or 'ended'}, by {signal.Signals(service['signal']).name}"
        except ValueError:
            return f"{result or 'ended'}, by signal {service['signal']}"
    if service["exit_code"] is not None:
        return f"exit code {service['exit_code']}" + ("" if result in (None, "exit-code") else f", {result}")
    return str(result or "of a reason that systemd doesn't say")


async def _scripts(look: Look) -> dict[str, str] | None:
    """What SysV scripts say of themselves: `+`, `-` or `?`; null where there are none to ask."""
    try:
        end = await look.command("service", "--status-all")
    except TimeoutError:
        return None
    if end.not_found is not None or end.exit_code != 0:
        return None
    text = (end.stdout + b"\n" + end.stderr_tail).decode("utf-8", "replace")
    return scripts_of(text) or None


def scripts_of(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n"):
        match = _STATUS_LINE.fullmatch(line)
        if match:
            found[match[2]] = match[1]
    return found


def _of_scripts(scripts: Mapping[str, str], wanted: Sequence[str]) -> Looked:
    findings = []
    for said in dict.fromkeys(name.removesuffix(".service") for name in wanted):
        state = scripts.get(said)
        evidence = {"status": state}
        if state is None:
            summary = f"{said} is not there: no script of that name in /etc/init.d"
            findings.append(finding("service.missing", said, "high", summary, evidence))
        elif state == "-":
            summary, how = f"{said} is not running, its script says", f"service {said} start"
            findings.append(finding("service.inactive", said, "high", summary, evidence, how, estimated=True))
        elif state == "?":
            needs = f"a script /etc/init.d/{said} that knows `status`"
            findings.append(unavailable("service.inactive", said, "its script tells no status", needs))
    words = {"+": ("active", "running"), "-": ("inactive", "dead"), "?": ("unknown", "unknown")}
    empty = dict.fromkeys(
        ("enabled", "kind", "restarts", "result", "exit_code", "signal", "since", "seconds_in_state", "pid",
         "memory_bytes", "memory_limit_bytes", "tasks")
    )  # fmt: skip
    services: list[dict[str, Any]] = [
        {"name": shown(name, 255), "description": "", "load": "loaded", **empty, "failed_dependencies": []}
        | dict(zip(("active", "sub"), words[state], strict=True))
        for name, state in sorted(scripts.items())[:LONGEST_LIST]
    ]
    states = list(scripts.values())
    return Looked(
        findings,
        {
            "manager": "sysv",
            "version": None,
            "state": None,
            "total": len(scripts),
            "active": states.count("+"),
            "failed": 0,
            "inactive": states.count("-"),
            "failed_units": [],
            "services": services,
        },
    )
