"""The parts of what the agent `system_monitoring` measures. Null stands where a machine doesn't tell."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipe_schemas.findings import Given

Scope = Literal["machine", "container"]


class Host(Given):
    """The machine itself."""

    name: str | None = Field(description="Host name.")
    kernel: str | None = Field(description="Release of the kernel.")
    boot_id: str | None = Field(description="Another one after each start.")
    uptime_s: float | None = Field(description="Seconds since it started.")
    booted_at: str | None = Field(description="When it started; RFC 3339, UTC.")
    clock_synchronised: bool | None = Field(description="Whether something disciplines the kernel's clock.")
    clock_error_ms: float | None = Field(description="The largest error that the kernel estimates, milliseconds.")


class CpuShares(Given):
    """Where CPU time went over the window; percent, together 100."""

    busy: float = Field(description="All but `idle` and `iowait`.")
    user: float = Field(description="Programs, without `nice` and `guest`.")
    nice: float = Field(description="Programs of lowered priority.")
    system: float = Field(description="The kernel.")
    iowait: float = Field(description="Idle while a request to a device was open; never exact.")
    irq: float = Field(description="Interrupts.")
    softirq: float = Field(description="Deferred interrupts.")
    steal: float = Field(description="Given to other machines by the hypervisor.")
    guest: float = Field(description="Virtual machines on this one.")
    idle: float = Field(description="Nothing to do.")


class CoreShares(CpuShares):
    """One core."""

    core: int = Field(description="Its number.")


class Frequency(Given):
    """Clock rates over the cores that were read, MHz."""

    mean_mhz: float
    least_mhz: float
    most_mhz: float
    limit_mhz: float | None = Field(description="The most that the processor is made for.")
    cores_read: int = Field(description="How many cores were asked; 16 at most, since each takes time.")


class Cpu(Given):
    """Processors and load."""

    cores: int = Field(description="That are online.")
    usable_cores: float = Field(description="What this agent's cgroup and affinity let it use.")
    usable_by: Scope = Field(description="Whose limit that is.")
    total: CpuShares | None = Field(description="Over all cores; null where the window was too short to tell.")
    by_core: list[CoreShares] = Field(description="Each core; at most 1024.")
    load1: float | None = Field(description="Tasks that ran or waited, over a minute.")
    load5: float | None
    load15: float | None
    load1_per_core: float | None
    load5_per_core: float | None
    load15_per_core: float | None
    running: int | None = Field(description="Tasks that ran or wanted to, at the end.")
    blocked: int | None = Field(description="Tasks that waited for a device, at the end.")
    switches_per_s: float | None = Field(description="Context switches.")
    forks_per_s: float | None = Field(description="Processes and threads that began.")
    frequency: Frequency | None
    throttles: int | None = Field(description="Times that heat slowed a core down, since the start.")


class Swap(Given):
    """Swap space."""

    total_bytes: int
    used_bytes: int
    used_percent: float | None = Field(description="Null where there is none.")
    in_bytes_per_s: float | None = Field(description="Read back into memory, over the window.")
    out_bytes_per_s: float | None = Field(description="Written out, over the window.")


class Memory(Given):
    """Memory of the machine. `container` has the cgroup's."""

    total_bytes: int
    available_bytes: int = Field(
        description="What programs can still have without swapping: free, and cache given back."
    )
    available_percent: float
    available_estimated: bool = Field(description="An old kernel doesn't tell: free, cache and reclaimable slab.")
    free_bytes: int = Field(description="Used for nothing at all; low on a healthy machine.")
    cache_bytes: int = Field(description="Files, buffers and reclaimable slab, without shared memory.")
    shared_bytes: int | None = Field(description="tmpfs and shared memory.")
    dirty_bytes: int | None = Field(description="Waits to be written to a disk.")
    committed_bytes: int | None = Field(description="Promised to programs.")
    commit_limit_bytes: int | None
    swap: Swap
    oom_kills: int | None = Field(description="Processes that the kernel ended for want of memory, since the start.")
    effective: Scope = Field(description="Whose limit is the tighter one.")
    effective_limit_bytes: int
    effective_available_bytes: int


class Stall(Given):
    """Percent of time in which tasks stood still."""

    avg10: float = Field(description="Over 10 seconds.")
    avg60: float = Field(description="Over a minute.")
    avg300: float = Field(description="Over five minutes.")
    window: float | None = Field(description="Over the window.")


class Pressure(Given):
    """Pressure stall information of one resource."""

    scope: Scope
    resource: Literal["cpu", "memory", "io"]
    some: Stall = Field(description="At least one task stood still.")
    full: Stall | None = Field(description="All of them did; the kernel has none for the CPU of a whole machine.")


class Mount(Given):
    """One file system, at its shortest path."""

    path: str
    source: str
    type: str
    also_at: int = Field(description="How many other paths show it: bind mounts, subvolumes.")
    read_only: bool
    judged: bool = Field(description="False: it is full by its nature, or shows another one's space.")
    total_bytes: int | None = Field(description="Null where it did not answer.")
    used_bytes: int | None
    free_bytes: int | None = Field(description="For users that aren't root.")
    used_percent: float | None = Field(description="As `df` counts: of what users can have.")
    inodes_total: int | None = Field(description="Null where it makes them as needed.")
    inodes_used: int | None
    inodes_used_percent: float | None
    errors: int | None = Field(description="Errors that ext4 has noted in it.")


class Device(Given):
    """One block device over the window."""

    name: str
    reads_per_s: float
    writes_per_s: float
    read_bytes_per_s: float
    write_bytes_per_s: float
    busy_percent: float | None = Field(
        description="Time with a request open; says little of devices that do many at once."
    )
    wait_ms: float | None = Field(description="Average of the requests that ended; null where none did.")
    queue: float | None = Field(description="Requests open, on average.")
    in_flight: int | None = Field(description="Requests open, at the end.")
    read_bytes: int = Field(description="Since the start.")
    write_bytes: int = Field(description="Since the start.")


class Interface(Given):
    """One network interface over the window."""

    name: str
    up: bool | None
    carrier: bool | None = Field(description="Whether there is a link; null where that isn't told.")
    physical: bool | None
    speed_mbit: int | None
    rx_bytes_per_s: float
    tx_bytes_per_s: float
    rx_packets_per_s: float
    tx_packets_per_s: float
    errors_per_s: float
    drops_per_s: float
    rx_bytes: int = Field(description="Since it is there; so are those below.")
    tx_bytes: int
    rx_packets: int
    tx_packets: int
    rx_errors: int
    tx_errors: int
    rx_drops: int
    tx_drops: int


class Stack(Given):
    """TCP over the window."""

    segments_out_per_s: float | None
    retransmits_per_s: float | None
    retransmits_percent: float | None = Field(description="Null where fewer than 100 segments were sent.")
    listen_overflows: int | None = Field(description="Connections that a program did not take in time, in the window.")
    established: int | None = Field(description="Connections at the end.")


class Process(Given):
    """One process."""

    pid: int
    name: str
    program: str | None = Field(description="The file that runs; its first word where that can't be read.")
    script: str | None = Field(description="Of an interpreter, where it can be told from options.")
    arguments: list[str] | None = Field(description="With `arguments: true`.")
    uid: int | None
    state: str = Field(description="One letter, as `ps` has it.")
    started_s: float = Field(description="Seconds after the machine's start; with `pid` it names a process.")
    cpu_percent: float | None = Field(description="Over the window; 100 is one core.")
    rss_bytes: int = Field(description="Memory that is resident, shared pages included.")
    threads: int
    open_files: int | None = Field(description="Null where they can't be read.")
    open_files_limit: int | None = Field(description="Soft limit; null where it can't be read, or there is none.")


class Zombie(Given):
    """A process that ended, and whose parent has not asked for it."""

    pid: int
    name: str
    parent: int
    parent_name: str | None


class Watched(Given):
    """What one entry of `processes` found."""

    pattern: str
    count: int
    pids: list[int] = Field(description="At most 100.")
    starts_s: list[float] = Field(description="Of these, seconds after the machine's start.")
    cpu_percent: float | None
    rss_bytes: int
    threads: int
    open_files: int | None = Field(description="Null where one of them can't be read.")
    listeners: list[str] | None = Field(description="`tcp 0.0.0.0:80`; null where one of them can't be read.")


class Processes(Given):
    """All processes."""

    count: int
    threads: int
    started: int = Field(description="In the window, and still there.")
    ended: int = Field(description="In the window.")
    states: dict[str, int] = Field(description="How many by letter of state.")
    unreadable: int = Field(description="Whose open files can't be read by this user.")
    cpu_percent: float | None = Field(description="Of all that are listed; 100 is one core.")
    unseen_cpu_percent: float | None = Field(
        description="CPU of none of them: processes that began and ended in the window, and interrupts."
    )
    top_cpu: list[Process]
    top_memory: list[Process]
    top_open_files: list[Process]
    zombies: list[Zombie] = Field(description="At most 100; `states.Z` counts all.")
    uninterruptible: list[Process] = Field(description="Waited for a device at the start and at the end; at most 100.")
    watched: list[Watched]


class Limit(Given):
    """A limit, and how much of it is used."""

    name: str = Field(description="`open_files`, `threads`, `pids`, `inotify_watches`, `conntrack`, …")
    subject: str = Field(description="`system`, `container`, `uid 1000`, or a process.")
    used: int
    limit: int
    used_percent: float


class ContainerMemory(Given):
    """Memory of the cgroup with the least room, of those that hold this agent."""

    level: str = Field(description="The cgroup whose limit it is.")
    limit_bytes: int | None = Field(description="Null: none of them has a limit below the machine's memory.")
    high_bytes: int | None = Field(description="From here on the kernel slows it down.")
    used_bytes: int
    cache_bytes: int | None = Field(description="Of that: files, which can be given back.")
    available_bytes: int | None = Field(description="An estimate: room, and half of the files in use.")
    available_percent: float | None
    swap_limit_bytes: int | None
    swap_used_bytes: int | None


class ContainerCpu(Given):
    """CPU of the cgroup with the smallest quota."""

    level: str
    quota_cores: float | None
    used_cores: float | None = Field(description="Over the window.")
    periods: int | None = Field(description="In the window.")
    throttled_periods: int | None = Field(description="In the window.")
    throttled_percent: float | None = Field(description="Of the periods of the window.")
    throttled_ever_percent: float | None = Field(description="Of all periods since the cgroup is there.")
    throttled_ms: float | None = Field(description="In the window.")


class Container(Given):
    """The cgroup that this agent runs in."""

    kind: str | None = Field(description="`docker`, `kubernetes`, `podman`, `lxc`, …; null: no sign of a container.")
    version: Literal["v1", "v2", "hybrid"]
    path: str
    memory: ContainerMemory | None
    cpu: ContainerCpu | None
    effective_cores: float
    pids: int | None
    pids_limit: int | None
    oom_kills: int | None = Field(description="Since the cgroup is there.")
    oom_kills_window: int | None = Field(description="In the window.")
    tighter: list[Literal["cpu", "memory", "pids"]] = Field(description="Where its limit is below the machine's.")


class Sensor(Given):
    """One temperature, degrees Celsius."""

    name: str
    celsius: float
    high: float | None = Field(description="Where its maker says it is too warm.")
    critical: float | None = Field(description="Where it protects itself.")


class DiskChange(Given):
    """How one file system grew."""

    path: str
    used_bytes: int = Field(description="More than before; negative where it shrank.")
    used_bytes_per_h: float
    hours_until_full: float | None = Field(
        description="If it goes on like this; null where it doesn't grow, or within ten minutes."
    )


class ProcessChange(Given):
    """How one process grew."""

    pid: int
    name: str
    started_s: float
    rss_bytes: int = Field(description="More than before.")
    rss_bytes_per_h: float


class WatchedChange(Given):
    """What is other about watched processes."""

    pattern: str
    count_before: int
    count: int
    restarted: bool = Field(description="None of those before is still there, and others are.")
    new_listeners: list[str]
    vanished_listeners: list[str]


class CounterChange(Given):
    """How far a counter went."""

    name: str = Field(description="`network.eth0.rx_errors`, `memory.oom_kills`, …")
    by: int
    per_h: float


class Change(Given):
    """Against an earlier measurement of the same machine."""

    source: Literal["baseline", "earlier"] = Field(description="Given by hand, or what the last run gave.")
    run: str | None = Field(description="The earlier run.")
    at: str = Field(description="When it was measured.")
    hours: float = Field(description="Between the two.")
    rebooted: bool | None = Field(description="Between the two; then nothing is compared. Null where that isn't known.")
    compared: bool
    why_not: str | None = Field(description="Why nothing is compared.")
    disks: list[DiskChange]
    processes: list[ProcessChange]
    watched: list[WatchedChange]
    counters: list[CounterChange] = Field(description="Those that went on.")
