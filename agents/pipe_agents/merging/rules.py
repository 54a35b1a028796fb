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


_WRITES: Final = r"(?i)logs\.disk_full|no space left|enospc|write (error|failed)|read-only file"
_TROUBLE: Final = r"^(service|unit|container|pod)\.(failed|restart\w*|crash_loop|exited|dead|unhealthy|not_running)$"
_DOWN: Final = (
    r"^(service|unit|container|pod)\.(failed|inactive|missing|exited|dead|not_running|restart_loop|crash_loop)$"
    r"|^processes\.missing$"
)

RULES: Final = (
    Rule(
        "memory ran out",
        (Sign(r"(\.|_)oom(_|$)"), Sign(r"^memory\.(available|swap\w*|commit)$|^pressure\.memory$")),
        "that the machine or a container runs out of memory, and that the kernel ends processes for it",
        "See which process grew (top by memory) and what was killed; raise its limit, or restart and bound it.",
    ),
    Rule(
        "disk is full and writes fail",
        (Sign(r"^disk\.(full|inodes|filling)$"), Sign(r"^logs\.", _WRITES)),
        "that writes fail since a file system is full",
        "Free space first (old logs, images, core files); then see what could not be written.",
    ),
    Rule(
        "disk is failing",
        (
            Sign(r"^logs\.(disk_error|read_only|not_writable|hung_task)$|^disk\.(\w*readonly|errors|broken|silent)$"),
            Sign(r"^io\.(slow|stuck)$|^pressure\.io$|^disk\.(\w*readonly|errors|broken|silent)$"),
        ),
        "that a disk fails, or answers slowly or not at all",
        "Look at the kernel's log and the disk's own health (smartctl); see to it that there is a copy of the data.",
    ),
    Rule(
        "certificate breaks the service",
        (
            Sign(r"^(tls|certificate)\.(?!slow|connect|versions|old_versions|expires|failed)"),
            Sign(r"^http\.(certificate|tls)$"),
        ),
        "that clients fail at this certificate",
        "Renew or exchange the certificate, with its whole chain, and reload what serves it.",
        same="host",
    ),
    Rule(
        "clock makes certificates wrong",
        (Sign(r"^logs\.out_of_time$"), Sign(r"^(tls|certificate)\.(not_yet_valid|expired)$")),
        "that a certificate seems not valid since the clock is wrong",
        "Compare the machine's clock with another one, and see what sets it (chrony, ntpd, timesyncd).",
    ),
    Rule(
        "service crashes",
        (
            Sign(rf"{_TROUBLE}|^logs\.(service_failed|restart_loop)$"),
            Sign(r"^logs\.(segfault|oom|panic)$|(\.|_)oom_killed$"),
        ),
        "that a service restarts or has failed since its process crashes or is killed",
        "Read the service's last lines before each restart (`journalctl -u`), and what changed last.",
    ),
    Rule(
        "name is not resolved",
        (
            Sign(r"^dns\.(?!slow|retried|forged|disagree)"),
            Sign(r"^(http\.(unknown_host|connect|no_answer)|tcp\.(filtered|unreachable)|tls\.connect|latency\.loss)$"),
        ),
        "that the host is not reached since its name is not resolved",
        "Ask another resolver; look at resolv.conf, and at the zone's own servers.",
        same="host",
    ),
    Rule(
        "nothing listens",
        (Sign(r"^tcp\.refused$|^http\.connect$"), Sign(_DOWN)),
        "that a port refuses connections since what should listen on it is not running",
        "Start or mend the service first, then try the port again.",
    ),
    Rule(
        "network loses packets",
        (Sign(r"^latency\.(loss|high|jitter)$"), Sign(r"^(http|tcp|tls)\.(slow\w*|no_answer|filtered)$")),
        "that the way to the host is slow or loses packets, not the service itself",
        "Compare with another host on the same way, and see the route.",
        same="host",
    ),
    Rule(
        "somebody guesses passwords",
        (Sign(r"^logs\.(failed_login|login_after_failures|break_in)$"), Sign(r"^(cpu\.(busy|load)|pressure\.cpu)$")),
        "that so many guesses at passwords cost the machine noticeable time",
        "Block the sources or limit their rate, and see that none of them got in (logins of the same sources).",
    ),
    Rule(
        "machine is overloaded",
        (
            Sign(r"^(cpu\.\w+|pressure\.cpu|container\.throttled)$"),
            Sign(r"^(http|dns|tcp|tls)\.slow\w*$|^latency\.(high|jitter)$|^logs\.http_slow$"),
        ),
        "that answers are slow since this machine has too much to do",
        "See the processes at the top by CPU; move or end what doesn't belong there. Then measure again.",
    ),
    Rule(
        "limit is reached",
        (
            Sign(r"^limits\.|^network\.listen_overflows$|^local\.conntrack$"),
            Sign(r"^logs\.(file_limit|connection_limit)$"),
        ),
        "that programs fail at a limit which is in use to the end",
        "See who uses that much (open files by process, connections by state), then raise the limit.",
    ),
    Rule(
        "errors rise with a service in trouble",
        (
            Sign(r"^logs\.(burst|errors|rate_changed|new_templates|http_5xx|service_failed|restart_loop)$"),
            Sign(_TROUBLE),
        ),
        "that the errors in the logs come from the service that is in trouble",
        "Read its lines from the first error on; they say what it lacks.",
        same="name",
    ),
)
