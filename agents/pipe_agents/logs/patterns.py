"""What is known to be bad, or worth counting, in system logs: by fixed patterns over a line's message."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

Severity = Literal["critical", "high", "medium", "low", "info"]


class Pattern(NamedTuple):
    """Lines that mean one thing. `least`: fewer of them are counted and no finding."""

    check: str
    group: str
    """The option `checks` turns it on by this word."""
    severity: Severity
    what: str
    pattern: re.Pattern[bytes]
    suggestion: str
    least: int = 1
    detail: bool = False
    """Each of its lines is taken apart, for users and sources."""


def _pattern(
    check: str,
    group: str,
    severity: Severity,
    what: str,
    pattern: bytes,
    suggestion: str,
    least: int = 1,
    detail: bool = False,
) -> Pattern:
    return Pattern(check, group, severity, what, re.compile(pattern), suggestion, least, detail)


OWN: Final = rb"^[^\"'=]{0,80}?"
"""Near the message's beginning: not what somebody else said and a program quotes."""
FAILED: Final = "failed_login"
INVALID: Final = "invalid_user"
ACCEPTED: Final = "accepted_login"
SUDO: Final = "sudo"
SUDO_FAILED: Final = "sudo_failed"

PATTERNS: Final[tuple[Pattern, ...]] = (
    _pattern(
        FAILED, "security", "low", "failed logins",
        OWN + rb"Failed (?:password|publickey|none|keyboard-interactive/pam|hostbased|gssapi-with-mic) for "
        rb"|FAILED LOGIN|FAILED SU |[Pp]assword authentication failed for user|Access denied for user '"
        rb"|auth(?:entication)? failed(?! to)|user \"[^\"\n]{0,100}\": password mismatch"
        rb"|pam_unix\((?!sshd?:|sudo:)[\w:.-]{1,60}\): authentication failure"
        rb"|Login incorrect|LOGIN FAILED|^authentication failure; ",
        "See whether the sources are yours; forbid passwords, or limit who may connect.", detail=True,
    ),
    _pattern(
        INVALID, "security", "low", "logins of users that don't exist",
        OWN + rb"(?:Invalid|Illegal) user .{0,100} from ", "See whether the sources are yours.", detail=True,
    ),
    _pattern(
        ACCEPTED, "security", "info", "logins",
        OWN + rb"Accepted (?:password|publickey|keyboard-interactive/pam|hostbased|gssapi-with-mic|none) for ", "",
            detail=True,
    ),
    _pattern(SUDO, "security", "info", "commands by sudo", rb"(?:^"
        rb"|sudo: +)[\w.@$\\-]{1,64} : (?:.{0,200}; )?TTY=.{0,200}COMMAND=", "", detail=True),
    _pattern(
        SUDO_FAILED, "security", "medium", "refused sudo",
        rb"user NOT in sudoers|incorrect password attempts?|command not allowed ;|is not in the sudoers file"
        rb"|pam_unix\(sudo:auth\): authentication failure|a password is required ;|^sudo: a password is required",
        "Ask who it was: a mistyped password, or somebody who tries.", detail=True,
    ),
    _pattern(
        "new_user", "security", "medium", "users or groups made, or put into a group of administrators",
        rb"new user: name=|useradd\[?\d*\]?: (?:new user|add)|add '[^'\n]{1,64}' to (?:shadow )?group '(?:sudo|wheel"
            rb"|admin|root|adm)'"
        rb"|new group: name=",
        "See whether this was meant; packages make users of their own when they are installed.",
    ),
    _pattern(
        "password_changed", "security", "low", "changed passwords", rb"password changed for |changed password expiry"
            rb"|password for '[^'\n]{1,64}' changed",
        "See whether this was meant.",
    ),
    _pattern(
        "break_in", "security", "medium", "what sshd takes for an attempt to break in",
        rb"POSSIBLE BREAK-IN ATTEMPT|maximum authentication attempts exceeded|Too many authentication failures"
            rb"|Corrupted MAC on input",
        "See which sources they are, and whether they got in.",
    ),
    _pattern(
        "oom", "kernel", "high", "processes that ended, or could not start, for want of memory",
        OWN + rb"(?:Out of memory: Kill|Memory cgroup out of memory|oom-kill:"
            rb"|invoked oom-killer|oom_reaper: reaped)"
        rb"|java\.lang\.OutOfMemoryError|OOMKilled|JavaScript heap out of memory|runtime: out of memory"
            rb"|'std::bad_alloc'|A process of this unit has been killed by the OOM killer"
            rb"|[Ff]ork(?:\(\))?: Cannot allocate memory|could not fork [^\n]{1,80}: Cannot allocate memory",
        "Find what grew (the lines name the process); raise its limit, or lower what it uses.",
    ),
    _pattern(
        "disk_error", "kernel", "high", "errors of disks or file systems",
        rb"I/O error(?! on [A-Z]{3,7} request|.{1,5}dev(?:ice)? (?:fd|sr)\d)|EXT[234]-fs error"
            rb"|error count since last fsck|XFS .{0,80}(?:[Cc]orruption|metadata I/O|[Ii]nternal error|_shutdown)"
            rb"|BTRFS.{0,60}(?:error|corrupt)"
        rb"|critical medium error|Medium Error|ata\d{1,3}(?:\.\d{1,3})?: (?:failed command"
            rb"|exception Emask)"
        rb"|SMART error|FAILED SMART|\d (?:Currently unreadable|Offline uncorrectable)|JBD2: .{0,60}(?:error|abort)"
            rb"|nvme .{0,90}(?:QID \d{1,5} timeout|controller is down)"
        rb"|md/raid.{0,40}Disk failure|(?:Fail|DegradedArray) event (?:had been )?detected on md"
            rb"|vdev_state=(?:FAULTED|DEGRADED|UNAVAIL|REMOVED)|I/O failure and has been suspended"
            rb"|Database page corruption|invalid page in block",
        "Look at the disk with smartctl and at the file system's state; see to the backups first.",
    ),
    _pattern(
        "read_only", "kernel", "critical", "file systems that became read-only",
        rb"[Rr]emounting filesystem read-only|forced read-?only",
        "Something could not be written any more: look at the kernel's messages just before.",
    ),
    _pattern(
        "not_writable", "kernel", "medium", "writes to file systems that are read-only",
        rb"[Rr]ead-only file system(?!\?)",
        "See whether it is meant to be read-only, as a container's may be, or the kernel has made it so (`findmnt`).",
    ),
    _pattern(
        "disk_full", "kernel", "high", "a full disk",
        rb"^(?!.{0,300}(?:inotify|file watchers)).*?(?:[Nn]o space left on device|ENOSPC|Disk quota exceeded)",
        "Free space, or inodes (`df -h`, `df -i`).",
    ),
    _pattern(
        "panic", "kernel", "critical", "a kernel that stopped or could not go on",
        OWN + rb"(?:Kernel panic|kernel BUG at|Oops: .{0,80}\[#|BUG: (?:unable to handle|soft lockup|kernel NULL)"
            rb"|watchdog: BUG: soft lockup|.{0,40}hard LOCKUP|general protection fault(?! ip:)"
            rb"|Unable to handle kernel)",
        "Keep the lines around it; see kdump or the console for the whole trace.",
    ),
    _pattern(
        "hung_task", "kernel", "medium", "tasks that hung in the kernel",
        OWN + rb"(?:blocked for more than \d{1,6} seconds"
            rb"|rcu_sched (?:self-)?detected stall|rcu: INFO: .{0,40}stall|nfs: server .{1,100} not responding)",
        "Mostly a disk or a network file system that doesn't answer.",
    ),
    _pattern(
        "segfault", "kernel", "medium", "crashed processes",
        rb"segfault at |SIGSEGV|trap invalid opcode|general protection(?: fault)? ip:|traps: .{0,80} trap "
            rb"|[Ss]egmentation fault|core dumped|code=dumped",
        "The lines name the process; see coredumpctl.",
    ),
    _pattern(
        "hardware_error", "kernel", "high", "errors of the hardware",
        rb"\[Hardware Error\]|Machine check events logged|mce: .{0,60}(?:error|Error)|EDAC .{0,80}(?:CE|UE) "
            rb"|Uncorrected error|AER: (?!(?:Multiple )?Correct(?:ed|able)).{0,80}error"
        rb"|temperature above threshold|Temperature above threshold|thermal .{0,40}critical temperature"
        rb"|NETDEV WATCHDOG: |Detected Hardware Unit Hang|NVRM: Xid .{1,40}: (?:48|63|64|74|79|92|94|95|119|120),",
        "Look at mcelog, rasdaemon or the machine's own log of events.",
    ),
    _pattern(
        "certificate", "security", "medium", "faults of certificates",
        rb"certificate (?:has expired|verify failed|is not yet valid|signed by unknown authority|expired|unknown)"
            rb"|CERTIFICATE_VERIFY_FAILED|x509: "
        rb"|alert (?:bad certificate|unknown ca)|SSLHandshakeException"
            rb"|unable to get local issuer certificate|(?<!ing )(?<!ing a )self[- ]signed certificate",
        "See whose certificate it is; `network_diagnostics` shows its chain and its end.",
    ),
    _pattern(
        "permission_denied", "security", "low", "refused accesses", rb"[Pp]ermission denied|EACCES"
            rb"|[Oo]peration not permitted|apparmor=\"DENIED\"|avc: +denied",
        "See which program is refused what: a deployment without its rights, or somebody who tries.", least=20,
    ),
    _pattern(
        "service_failed", "services", "medium", "services that failed",
        rb"Failed with result '|^Failed to (?:start|mount) |^Dependency failed for |entered failed state"
            rb"|Main process exited, code=(?:exited, status=[1-9]|killed|dumped)|CrashLoopBackOff"
            rb"|ImagePullBackOff|ErrImagePull|has no server available!|no live upstreams"
            rb"|Server [\w.-]{1,60}/[\w.-]{1,60} is DOWN|State changed from [a-z]{1,20} to crashed",
        "`systemctl status` and the service's own lines before it say why.",
    ),
    _pattern(
        "restart_loop", "services", "high", "services that are not started any more",
            rb"[Ss]tart request repeated too quickly|Start limit hit|start-limit-hit"
            rb"|Back-off restarting failed container",
        "It fails each time it is started: see its own lines.",
    ),
    _pattern(
        "file_limit", "services", "high", "processes at their limit of open files", rb"[Tt]oo many open files|EMFILE"
            rb"|file-max limit",
        "Raise LimitNOFILE, or find what leaks them.",
    ),
    _pattern(
        "connection_limit", "services", "medium", "tables or limits of connections that are full",
        rb"nf_conntrack: table full|[Pp]ossible SYN flooding|worker_connections are not enough|too many connections"
                rb"|remaining connection slots are reserved"
        rb"|too many clients already|reached (?:pm\.max_children|MaxRequestWorkers|MaxClients) setting"
            rb"|neighbor table overflow|TCP: out of memory",
        "Raise the limit, or find who connects so often.",
    ),
    _pattern(
        "out_of_time", "services", "low", "clocks that were set or can't be", rb"[Tt]ime has been changed"
            rb"|System clock wrong by|no server suitable for synchronization|Clock unsynchronized",
        "Times in the logs around it may be wrong.",
    ),
)  # fmt: skip

MESSAGE_BOUND: Final = 2048


def found_in(message: bytes, wanted: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """The patterns that a message has."""
    short = message[:MESSAGE_BOUND]
    return tuple(one for one in wanted if one.pattern.search(short))
