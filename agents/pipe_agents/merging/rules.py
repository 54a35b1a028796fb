"""Which findings belong together, as a table. docs/findings.md shows it; a test compares the two."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple


class Sign(NamedTuple):
    """What a finding must be like: a pattern that its check has, and one that its summary or subject has."""

    check: str
    text: str = ""


class Rule(NamedTuple):
    """One group of findings: of each sign there is at least one."""

    name: str
    signs: tuple[Sign, ...]
    suggests: str
    """What follows `Together these suggest`."""
    do: str
    same: Literal["machine", "host", "name"] = "machine"
    """What they must share: nothing beyond this report; the host; the name of a service or program."""


_LOGGED: Final = r"(^|\.)(logs?|security|oom|disk_error|segfault|failed_login|level|burst|template|rate|anomal)"
_WRITES: Final = r"(?i)no space left|disk full|enospc|write (error|failed)|i/o error|read-only file"

RULES: Final = (
    Rule(
        "memory ran out",
        (Sign(r"oom"), Sign(r"(^|\.)(memory|mem|swap|psi|pressure|cgroup)\b.*", r"(?i)memory|swap")),
        "that the machine or a container runs out of memory, and that the kernel ends processes for it",
        "See which process grew (top by memory) and what was killed; raise its limit, or restart and bound it.",
    ),
    Rule(
        "disk is full and writes fail",
        (Sign(r"(^|\.)(disks?|filesystem|inodes?)\b.*(full|space|usage|free|inodes?|low)"), Sign(_LOGGED, _WRITES)),
        "that writes fail since a file system is full",
        "Free space first (old logs, images, core files); then see what could not be written.",
    ),
    Rule(
        "disk is failing",
        (
            Sign(r"disk_error|io_error|(^|\.)disk\.error"),
            Sign(r"(^|\.)(io|disks?|psi)\b.*(busy|wait|slow|latency|pressure|stall|util)"),
        ),
        "that a disk answers slowly or not at all",
        "Look at the kernel's log and the disk's own health (smartctl); see to it that there is a copy of the data.",
    ),
    Rule(
        "certificate breaks the service",
        (Sign(r"(^|\.)tls\.|certificate"), Sign(r"(^|\.)http\.(?!slow)", r"(?i)tls|certificate|ssl|handshake")),
        "that clients fail at this certificate",
        "Renew or exchange the certificate, with its whole chain, and reload what serves it.",
        same="host",
    ),
    Rule(
        "service crashes",
        (
            Sign(r"(^|\.)(services?|systemd|units?|containers?)\b.*(restart|flapping|failed)"),
            Sign(r"segfault|crash|core_?dump|oom", ""),
        ),
        "that a service restarts since its process crashes or is killed",
        "Read the service's last lines before each restart (`journalctl -u`), and what changed last.",
    ),
    Rule(
        "name is not resolved",
        (
            Sign(r"(^|\.)dns\.(servfail|nxdomain|timeout|failed|no_answer|disagree\w*|no_resolver|unresolved)"),
            Sign(r"(^|\.)(http|tcp|latency|tls)\."),
        ),
        "that the host is not reached since its name is not resolved",
        "Ask another resolver; look at resolv.conf, and at the zone's own servers.",
        same="host",
    ),
    Rule(
        "nothing listens",
        (
            Sign(r"(^|\.)tcp\.(refused|closed)"),
            Sign(r"(^|\.)(services?|systemd|units?|containers?)\b.*(failed|inactive|stopped|exited|dead|down)"),
        ),
        "that a port refuses connections since what should listen on it is not running",
        "Start or mend the service first, then try the port again.",
    ),
    Rule(
        "network loses packets",
        (Sign(r"(^|\.)(latency|ping|loss|icmp)\b.*"), Sign(r"(^|\.)(http|tcp)\.(slow|timeout|filtered|timed_out)")),
        "that the way to the host is slow or loses packets, not the service itself",
        "Compare with another host on the same way, and see the route.",
        same="host",
    ),
    Rule(
        "somebody guesses passwords",
        (
            Sign(r"failed_login|auth\w*\.(fail|burst)|invalid_user|brute"),
            Sign(r"(^|\.)(cpu|load|process(es)?)\b.*", r"(?i)sshd|ssh|login|cpu|load"),
        ),
        "that so many guesses at passwords cost the machine noticeable time",
        "Block the sources or limit their rate, and see that none of them got in (logins of the same sources).",
    ),
    Rule(
        "machine is overloaded",
        (
            Sign(r"(^|\.)(cpu|load)\b.*"),
            Sign(r"(^|\.)(http|latency|psi|pressure|dns)\b.*(slow|latency|pressure|stall|cpu)"),
        ),
        "that answers are slow since the machine has too much to do",
        "See the processes at the top by CPU; move or end what doesn't belong there.",
    ),
    Rule(
        "errors rise with a service in trouble",
        (
            Sign(r"(^|\.)(logs\.)?(burst|rate|anomaly|errors?|level)\b.*"),
            Sign(r"(^|\.)(services?|systemd|units?|containers?)\b.*(failed|restart|unhealthy|exited|flapping)"),
        ),
        "that the errors in the logs come from the service that is in trouble",
        "Read the lines of the burst; they name the program. Start with the first of them.",
        same="name",
    ),
)
