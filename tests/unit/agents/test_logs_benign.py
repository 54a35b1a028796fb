"""Lines of every day that have the words of something bad, and are none of it; and the bad ones beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from logs_reading import findings

from pipe_agents.logs.entries import entry_of
from pipe_agents.logs.formats import detect
from pipe_agents.logs.patterns import PATTERNS, found_in

KERNEL = "Mar  1 12:00:00 web1 kernel: [ 1234.567890] "


def kinds(line: str) -> list[str]:
    """The bad kinds that a line is of."""
    text = line.encode()
    message = entry_of(detect([text]).format, text).message
    return [one.check for one in found_in(message, PATTERNS) if one.severity != "info"]


NOTHING_BAD = [
    KERNEL + "nvme nvme0: Shutdown timeout set to 10 seconds",
    KERNEL + "I/O error, dev sr0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
    KERNEL + "Buffer I/O error on dev fd0, logical block 0, async page read",
    KERNEL + "Buffer I/O error on device sr0, logical block 0",
    KERNEL + "blk_update_request: operation not supported error, dev sda, sector 8 op 0x9:(WRITE_ZEROES)",
    KERNEL + "pcieport 0000:00:1c.0: AER: Corrected error received: 0000:00:1c.0",
    KERNEL + "pcieport 0000:00:1c.0: AER: Multiple Corrected error received: 0000:00:1c.0",
    KERNEL + "pcieport 0000:00:1c.0: AER: Correctable error message received from 0000:00:1c.0",
    KERNEL + "pcieport 0000:00:1c.0: AER: Multiple Correctable error message received from 0000:00:1c.0",
    "Mar  1 12:00:00 web1 smartd[1]: Device: /dev/sda [SAT], SMART Prefailure Attribute: 1 Raw_Read_Error_Rate "
    "changed from 100 to 99",
    "Mar  1 12:00:00 web1 smartd[1]: Device: /dev/sda [SAT], No more Currently unreadable (pending) sectors, warning "
    "condition reset after 1 email",
    'org.springframework.web.client.ResourceAccessException: I/O error on GET request for "http://svc/": timeout',
    "10-listen-on-ipv6-by-default.sh: info: can not modify /etc/nginx/conf.d/default.conf (read-only file system?)",
    "ENOSPC: System limit for number of file watchers reached, watch '/app/src'",
    "Mar  1 12:00:00 web1 dockerd[1]: inotify_add_watch /var/log: no space left on device",
    "2026-03-01T12:00:00Z web1 Oops: that page is not here",
    "Mar  1 12:00:00 web1 app[1]: 503 5.5.1 command not allowed in this state",
    "ValidationError: a password is required",
    "2026/03/01 12:00:00 [info] 12#12: *1 SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) "
    "while SSL handshaking, client: 192.0.2.4",
    KERNEL + "NVRM: Xid (PCI:0000:3b:00): 31, pid=1, name=python, MMU Fault",
    KERNEL + "XFS (sda1): Mounting V5 Filesystem 1234",
    KERNEL + "XFS (sda1): Ending clean mount",
    KERNEL + "md: data-check of RAID array md0",
    KERNEL + "EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.",
    "Mar  1 12:00:00 web1 systemd[1]: Started systemd-oomd.service - Userspace Out-Of-Memory (OOM) Killer.",
    "Mar  1 12:00:00 web1 app[1]: Generating a self-signed certificate",
    "Mar  1 12:00:00 web1 app[1]: Using self-signed certificate /etc/ssl/certs/snakeoil.pem",
]


@pytest.mark.parametrize("line", NOTHING_BAD)
def test_a_line_of_every_day_is_of_no_known_bad_kind(line: str) -> None:
    assert kinds(line) == []


BAD = [
    ("segfault", KERNEL + "traps: nginx[1234] general protection fault ip:7f12 sp:7ffd error:0 in libc.so.6[7f10+14b]"),
    ("segfault", KERNEL + "traps: nginx[1234] general protection ip:7f12 sp:7ffd error:0 in libc.so.6[7f10+14b]"),
    ("panic", KERNEL + "general protection fault: 0000 [#1] SMP PTI"),
    ("panic", KERNEL + "Oops: 0002 [#1] SMP PTI"),
    ("panic", KERNEL + "Oops: general protection fault, maybe for address 0x1: 0000 [#1] PREEMPT SMP"),
    ("disk_error", KERNEL + "nvme nvme0: I/O tag 0 (0000) opcode 0x1 (Admin Cmd) QID 0 timeout, reset controller"),
    ("disk_error", KERNEL + "nvme nvme0: I/O 12 QID 3 timeout, aborting"),
    ("disk_error", KERNEL + "critical medium error, dev sda, sector 8 op 0x0:(READ)"),
    ("disk_error", "Mar  1 12:00:00 web1 smartd[1]: Device: /dev/sda [SAT], 8 Currently unreadable (pending) sectors"),
    (
        "disk_error",
        "Mar  1 12:00:00 web1 smartd[1]: Device: /dev/sda [SAT], FAILED SMART self-check. BACK UP DATA NOW!",
    ),
    ("disk_error", "Mar  1 12:00:00 web1 smartd[1]: Device: /dev/sda, 3 Offline uncorrectable sectors"),
    ("hardware_error", KERNEL + "pcieport 0000:00:1c.0: AER: Uncorrected (Fatal) error received: 0000:01:00.0"),
    ("not_writable", "OSError: [Errno 30] Read-only file system: '/srv/app/.cache'"),
    ("read_only", KERNEL + "BTRFS info (device sda2: state E): forced readonly"),
    ("disk_full", "Error: ENOSPC: no space left on device, write"),
    ("sudo_failed", "Mar  1 12:00:00 web1 sudo: bob : command not allowed ; TTY=pts/0 ; PWD=/ ; COMMAND=/bin/sh"),
    ("sudo_failed", "Mar  1 12:00:00 web1 sudo: bob : a password is required ; TTY=pts/0 ; PWD=/ ; COMMAND=/bin/sh"),
    ("sudo_failed", "sudo: a password is required"),
    ("certificate", "SSL_do_handshake() failed (SSL: error:0A000412: alert bad certificate) while SSL handshaking"),
    ("disk_error", KERNEL + "md/raid1:md0: Disk failure on sdb1, disabling device."),
    (
        "disk_error",
        "Mar  1 12:00:00 web1 mdadm[1]: Fail event detected on md device /dev/md0, component device /dev/sdb1",
    ),
    ("disk_error", KERNEL + "EXT4-fs (sda1): error count since last fsck: 3"),
    ("disk_error", KERNEL + "XFS (sda1): Internal error xfs_trans_cancel at line 954 of file fs/xfs/xfs_trans.c."),
    ("disk_error", "Mar  1 12:00:00 web1 zed: eid=12 class=statechange pool='tank' vdev=sdb1 vdev_state=FAULTED"),
    ("disk_error", "2026-03-01 12:00:00 UTC [7] ERROR:  invalid page in block 5 of relation base/1/2"),
    ("oom", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
    ("oom", "fatal error: runtime: out of memory"),
    ("oom", "812:M 01 Mar 2026 12:00:00.123 # Can't save in background: fork: Cannot allocate memory"),
    ("oom", "2026-03-01 12:00:00 UTC [7] LOG:  could not fork new process for connection: Cannot allocate memory"),
    ("panic", KERNEL + "NMI watchdog: Watchdog detected hard LOCKUP on cpu 3"),
    ("hung_task", KERNEL + "nfs: server nas1 not responding, still trying"),
    ("hardware_error", KERNEL + "NVRM: Xid (PCI:0000:3b:00): 79, pid=1, GPU has fallen off the bus."),
    ("hardware_error", KERNEL + "NETDEV WATCHDOG: eth0 (e1000e): transmit queue 0 timed out"),
    ("service_failed", "Mar  1 12:00:00 web1 systemd[1]: Failed to mount data.mount - /data."),
    ("service_failed", "Mar  1 12:00:00 web1 systemd[1]: Dependency failed for Local File Systems."),
    ("service_failed", "Mar  1 12:00:00 lb1 haproxy[7]: backend web has no server available!"),
    ("service_failed", "Mar  1 12:00:00 lb1 haproxy[7]: Server web/s1 is DOWN, reason: Layer4 connection problem"),
    ("service_failed", "2026-03-01T12:00:00.123456+00:00 heroku[web.1]: State changed from up to crashed"),
    ("oom", "Mar  1 12:00:00 web1 systemd[1]: a.service: A process of this unit has been killed by the OOM killer."),
    ("connection_limit", "2026-03-01 12:00:00 UTC [7] FATAL:  sorry, too many clients already"),
    ("connection_limit", "[01-Mar-2026 12:00:00] WARNING: [pool www] server reached pm.max_children setting (5)"),
    ("connection_limit", KERNEL + "TCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies."),
    ("connection_limit", KERNEL + "neighbour: arp_cache: neighbor table overflow!"),
    ("certificate", "Error: self-signed certificate in certificate chain"),
]


@pytest.mark.parametrize(("check", "line"), BAD)
def test_a_bad_line_is_of_its_kind_and_of_no_other(check: str, line: str) -> None:
    assert kinds(line) == [check]


def test_that_a_program_may_not_write_is_no_file_system_that_has_become_read_only(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("touch: cannot touch '/etc/x': Read-only file system\n")
    assert {one["check"]: one["severity"] for one in findings(tmp_path, paths="a.log").values()} == {
        "logs.not_writable": "medium"
    }
