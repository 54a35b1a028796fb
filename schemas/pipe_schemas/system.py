"""What the agent `system_monitoring` takes, and what it gives."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pipe_schemas.durations import parse_duration
from pipe_schemas.fields import Duration, Size
from pipe_schemas.findings import ExplainOptions, Given, Result
from pipe_schemas.system_defaults import THRESHOLDS, TOP, WINDOW
from pipe_schemas.system_measured import (
    Change,
    Container,
    Cpu,
    Device,
    Host,
    Interface,
    Limit,
    Memory,
    Mount,
    Pressure,
    Processes,
    Sensor,
    Stack,
)

LONGEST_WINDOW = 3600.0


def _absolute(path: str) -> str:
    if not path.startswith("/") and sys.platform != "win32":
        raise ValueError(f"`{path[:200]}` is not absolute; write where it is from the root")
    return path


Percent = Annotated[float, Field(ge=0, le=100)]
Check = Literal["cpu", "memory", "disk", "io", "network", "processes", "limits", "pressure", "container", "temperature"]


def _default(name: str) -> Any:
    return THRESHOLDS[name]


class SystemThresholds(BaseModel):
    """From where on something is a finding; docs/system.md has the whole rules, which look at more than one number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpu_busy_percent: Percent = Field(
        default=_default("cpu_busy_percent"), description="Busy CPU over the window, in percent of what may be used."
    )
    load_per_core: Annotated[float, Field(gt=0)] = Field(
        default=_default("load_per_core"), description="Load over five minutes, by core."
    )
    steal_percent: Percent = Field(
        default=_default("steal_percent"), description="CPU that the hypervisor gave to others, in percent."
    )
    throttled_percent: Percent = Field(
        default=_default("throttled_percent"), description="Periods in which a cgroup's quota held it up, in percent."
    )
    memory_available_percent: Percent = Field(
        default=_default("memory_available_percent"), description="Available memory, in percent: below it is medium."
    )
    memory_available_low_percent: Percent = Field(
        default=_default("memory_available_low_percent"), description="Available memory, in percent: below it is high."
    )
    memory_enough_bytes: Size = Field(
        default=_default("memory_enough_bytes"), description="So much available memory is never too little."
    )
    swap_in_bytes_per_s: Size = Field(
        default=_default("swap_in_bytes_per_s"), description="Memory that is read back from swap, bytes per second."
    )
    pressure_percent: Percent = Field(
        default=_default("pressure_percent"),
        description="Time in which all tasks stood still for memory or I/O over a minute, in percent.",
    )
    disk_used_percent: Percent = Field(
        default=_default("disk_used_percent"), description="Used space, in percent: from it on low or medium."
    )
    disk_very_used_percent: Percent = Field(
        default=_default("disk_very_used_percent"), description="Used space, in percent: from it on high."
    )
    disk_full_percent: Percent = Field(
        default=_default("disk_full_percent"), description="Used space, in percent: from it on critical."
    )
    disk_enough_bytes: Size = Field(
        default=_default("disk_enough_bytes"), description="So much free space is never too little."
    )
    inodes_used_percent: Percent = Field(
        default=_default("inodes_used_percent"), description="Used inodes, in percent: from it on medium."
    )
    full_within_hours: Annotated[float, Field(gt=0)] = Field(
        default=_default("full_within_hours"), description="A disk that is full sooner, as it grows now: hours."
    )
    growth_bytes_per_h: Size = Field(
        default=_default("growth_bytes_per_h"), description="Memory that one process gains in an hour, in bytes."
    )
    io_wait_ms: Annotated[float, Field(gt=0)] = Field(
        default=_default("io_wait_ms"), description="What a request to a device takes on average, in milliseconds."
    )
    network_errors_percent: Percent = Field(
        default=_default("network_errors_percent"), description="Packets with errors, in percent."
    )
    network_drops_percent: Percent = Field(
        default=_default("network_drops_percent"), description="Packets that were dropped, in percent."
    )
    retransmits_percent: Percent = Field(
        default=_default("retransmits_percent"), description="TCP segments that were sent again, in percent."
    )
    zombies: Annotated[int, Field(ge=1)] = Field(
        default=_default("zombies"), description="Processes that ended and whose parent doesn't ask for their end."
    )
    uninterruptible: Annotated[int, Field(ge=1)] = Field(
        default=_default("uninterruptible"), description="Processes that waited for a device all the window."
    )
    limit_used_percent: Percent = Field(
        default=_default("limit_used_percent"), description="How much of a limit is used, in percent."
    )
    temperature_c: Annotated[float, Field(gt=0)] = Field(
        default=_default("temperature_c"), description="Degrees Celsius, for sensors without limits of their own."
    )


def _window(value: str) -> str:
    if parse_duration(value) > LONGEST_WINDOW:
        raise ValueError("window is at most an hour: 1h")
    return value


class SystemOptions(ExplainOptions):
    """What of this machine is measured, over what time, and what counts as wrong."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent system_monitoring")

    checks: Annotated[list[Check], Field(min_length=1)] | None = Field(
        default=None,
        description="What to look at; all by default.",
        examples=[["cpu", "memory", "disk"]],
        json_schema_extra={"x-task": "checks"},
    )
    window: Annotated[Duration, AfterValidator(_window)] = Field(
        default=WINDOW,
        description="How long rates are measured, at most an hour.",
        examples=["1s", "10s"],
    )
    paths: list[
        Annotated[str, Field(min_length=1, max_length=4096, pattern="^[^\\x00]+$"), AfterValidator(_absolute)]
    ] = Field(
        default_factory=list,
        max_length=200,
        description="Which file systems to look at: those that hold these absolute paths. All by default.",
        examples=[["/", "/var"]],
        json_schema_extra={"x-task": "paths", "x-task-pattern": "^/"},
    )
    processes: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(
        default_factory=list,
        max_length=100,
        description="Processes that must be there, by name, program or script; `*` and `?` as in file names.",
        examples=[["nginx", "gunicorn*"]],
        json_schema_extra={"x-task": "processes"},
    )
    top: Annotated[int, Field(ge=1, le=100, strict=True)] = Field(
        default=TOP, description="How many processes each list of the largest ones holds."
    )
    arguments: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="Show the arguments of processes, what looks like a secret masked; else program and script alone.",
    )
    compare: Annotated[bool, Field(strict=True)] = Field(
        default=True, description="Compare with what this node gave in the last run, or with `baseline`."
    )
    baseline: dict[str, Any] | None = Field(
        default=None,
        description="An output of this agent to compare with, in place of the last run's.",
        examples=["{{ inputs.before }}"],
    )
    fail_on: Literal["critical", "high", "medium", "low"] | None = Field(
        default=None,
        description="Fail the node where a finding is as bad as this; its output is recorded all the same.",
    )
    thresholds: SystemThresholds = Field(
        default_factory=SystemThresholds, description="From where on something is a finding."
    )


class Measurements(Given):
    """What was measured. A part is null where it wasn't asked for, or could not be: then a finding says why."""

    platform: str = Field(description="`linux`, `darwin`, `win32`.")
    window_s: float = Field(description="Seconds between the two readings that rates are made of.")
    checks: list[str] = Field(description="What was looked at.")
    host: Host = Field(description="The machine itself.")
    cpu: Cpu | None = Field(description="Processors and load.")
    memory: Memory | None = Field(description="Memory and swap.")
    pressure: list[Pressure] | None = Field(description="Time in which tasks stood still (PSI).")
    disks: list[Mount] | None = Field(description="File systems, each once.")
    disks_total: int | None = Field(description="How many there are; the list holds at most 200.")
    devices: list[Device] | None = Field(description="Block devices.")
    interfaces: list[Interface] | None = Field(description="Network interfaces.")
    network: Stack | None = Field(description="TCP, all interfaces together.")
    processes: Processes | None = Field(description="Processes.")
    limits: list[Limit] | None = Field(description="Limits of the system and how much of each is used.")
    container: Container | None = Field(description="The cgroup that this agent runs in, and its limits.")
    temperatures: list[Sensor] | None = Field(description="Sensors.")
    change: Change | None = Field(description="Against an earlier measurement; null where there is none.")


class SystemResult(Result):
    """What `agent: system_monitoring` gives."""

    measurements: Measurements = Field(description="What was measured.")
