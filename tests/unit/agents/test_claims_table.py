"""A table of claims as models write them: those that the findings bear out, and those that they don't."""

from __future__ import annotations

from typing import Any, Final

import pytest

from pipe_agents.claims import held
from pipe_agents.findings import finding, unavailable

FOUND: Final = [
    finding(
        "disk.full",
        "/var",
        "critical",
        "/var is 97.3 % full: 2.0 GiB of 80.0 GiB are free",
        {"used_percent": 97.3, "free_bytes": 2 * 2**30, "total_bytes": 80 * 2**30},
        "Find what is large below /var/log",
    ),
    finding(
        "tcp.refused",
        "db01:5432",
        "high",
        "db01:5432 refused the connection 3 of 3 times at 2026-11-28T03:14:00Z",
        {"refused": 3, "tried": 3, "at": "2026-11-28T03:14:00Z"},
    ),
    finding("service.failed", "nginx.service", "high", "nginx.service failed with exit code 1", {"exit_code": 1}),
    finding(
        "http.slow",
        "https://shop.example/",
        "medium",
        "https://shop.example/ took 1840 ms for 52311 bytes",
        {"ms": 1840.0, "bytes": 52311, "status": 200, "threshold_ms": 500},
    ),
    finding(
        "kubernetes.crash_loop",
        "shop/cart-7d9f-x2",
        "high",
        "the container cart of the pod cart-7d9f-x2 restarted 17 times",
        {"container": "cart", "restarts": 17, "exit_code": 137, "node": "worker-2"},
    ),
    finding(
        "logs.failed_login",
        "root",
        "medium",
        "412 failed logins as root from fe80::1:2",
        {"count": 412, "address": "fe80::1:2", "lines": 420, "port": 22},
    ),
    finding("memory.low", "memory", "high", "8 % of memory is available", {"available_percent": 8.0}),
    unavailable("containers", "docker", "there is no socket", "docker"),
]
BY_ID: Final = {one["id"]: one for one in FOUND}
D, T, N, H, K, L, M, U = BY_ID
EVERY: Final = [*BY_ID]

HOLDS: Final[list[tuple[str, list[str]]]] = [
    ("/var is nearly full (97.3 %).", [D]),
    ("/var is 97 % full with 2 GB free.", [D]),
    ("2 GiB free of 80 GiB.", [D]),
    ("Only 2 GiB of 80 GiB are left on /var.", [D]),
    ("2.7 % of /var is free.", [D]),
    ("Only 2.0 GiB (2.7 %) remain free on /var.", [D]),
    ("Over 90 % of /var is used, with less than 3 GiB free.", [D]),
    ("Free space with `journalctl --vacuum-size=500M`.", [D]),
    ("78 GiB of /var are used.", [D]),
    ("/var uses 97 percent of its 80 GiB.", [D]),
    ("Ninety-seven percent of /var is used.", [D]),
    ("The disk is full.", [D]),
    ("One file system is critical: free space on /var first, e.g. old logs in /var/log.", [D]),
    ("Run `df -h` and `du` to see what is large.", [D]),
    ("`used_percent` of /var is 97.3.", [D]),
    ("db01:5432 refused all 3 connections.", [T]),
    ("db01 refused the connection three times.", [T]),
    ("All three attempts on port 5432 of db01 were refused.", [T]),
    ("At 03:14 UTC db01 refused.", [T]),
    ("Since 03:14, db01:5432 refuses.", [T]),
    ("PostgreSQL on db01 (port 5432) is not listening.", [T]),
    ("The host db01 is reachable, but nothing listens there.", [T]),
    ("Nothing listens on 5432 of `db01`.", [T]),
    ("db01 refuses connections and nginx.service failed.", [T, N]),
    ("nginx.service failed with exit code 1.", [N]),
    ("The nginx service exited with 1.", [N]),
    ("Run `systemctl status nginx.service`.", [N]),
    ("nginx fails because /var is full.", [D, N]),
    ("This service is down because of a fault in its configuration.", [N]),
    ("Two services are affected: db01:5432 and nginx.service, i.e. 2.", [T, N]),
    ("1 of the 3 findings is about a disk.", [D, T, N]),
    ("Both are serious, 2 of them high.", [T, N]),
    ("https://shop.example/ took 1.84 s.", [H]),
    ("shop.example answers slowly: 1,840 ms, above the threshold of 500 ms.", [H]),
    ("It answered 200 with 52 kB.", [H]),
    ("HTTP status 200, yet slow.", [H]),
    ("The pod cart-7d9f-x2 restarted 17 times.", [K]),
    ("Container `cart` was killed with code 137 on worker-2.", [K]),
    ("The cart container restarts: seventeen restarts.", [K]),
    ("The process inside the container is killed again and again.", [K]),
    ("There were 412 failed logins as root over SSH.", [L]),
    ("fe80::1:2 tries to guess the password of root.", [L]),
    ("Hundreds of logins failed.", [L]),
    ("About 410 attempts were made.", [L]),
    ("Memory is short: 8 % is available.", [M]),
    ("92 % of memory is used.", [M]),
    ("It is no fault of IPv6 or HTTP/2.", [H]),
]

FAILS: Final[list[tuple[str, list[str]]]] = [
    # names
    ("web07 is down.", [T]),
    ("Host `web07` is unreachable.", [T]),
    ("Host web is unreachable.", [T]),
    ("db02:5432 refused the connection.", [T]),
    ("db01:5433 refused.", [T]),
    ("fe80::1 refused.", [T]),
    ("fe80::1 tries to guess passwords.", [L]),
    ("[2001:db8::1]:443 refused.", [T]),
    ("The redis service failed.", [N]),
    ("redis.service failed.", [N]),
    ("The service redis failed.", [N]),
    ("postgres is down because of the disk.", [D]),
    ("/var is 97.3 % full because MySQL's binlog fills it.", [D]),
    ("kafka-0 pod crashed.", [K]),
    ("The pod checkout crashed.", [K]),
    ("The checkout container restarts.", [K]),
    ("Container `payments` crashed.", [K]),
    ("Look at `payment-api`.", [K]),
    ("auth_service fails.", [N]),
    ("C:\\Windows is full.", [D]),
    ("A v2.4.1 bug causes this.", [N]),
    ("CVE-2024-3094 is the reason.", [L]),
    ("10.0.0.5 refused.", [T]),
    ("See user@evil.example.", [D]),
    ("The process java uses it.", [M]),
    ("/var/lib/mysql is what fills it.", [D]),
    ("The user bob is attacked.", [L]),
    # numbers
    ("17 pods restart.", [K]),
    ("Over 98 % of /var is used.", [D]),
    ("Less than 1 GiB is free.", [D]),
    ("More than 10 % is free.", [D]),
    ("db01 refused the connection 5432 times.", [T]),
    ("db01 answered in 3 ms.", [T]),
    ("port 80 is affected too.", [T, D]),
    ("Port 3 is affected.", [T]),
    ("db01 refused 1 time.", [T]),
    ("db01 refused one time.", [T]),
    ("/var is 2.7 % full.", [D]),
    ("97 % of /var is free.", [D]),
    ("80 % of /var is used.", [D]),
    ("2 GiB of /var are used.", [D]),
    ("Disk usage rose by 40 GiB overnight.", [D]),
    ("1e6 of them failed.", [N]),
    ("It is 0x61 percent full.", [D]),
    ("/var is at ninety-nine percent.", [D]),
    ("Three hundred users are affected.", [T]),
    ("Dozens of requests failed.", [T]),
    ("Thousands of logins failed.", [L]),
    ("Half of the disks are full.", [D]),
    ("Twice as many errors as yesterday.", [N]),
    ("Two thirds of /var are used.", [D]),
    ("The disk will be full in XII hours.", [D]),
    ("3 users are locked out.", [T]),
    ("nginx.service failed with exit code 137.", [N]),
    ("It restarted 137 times.", [K]),
    ("22 logins failed.", [L]),
    ("nginx failed 1 ms after its start.", [N]),
    ("https://shop.example/ took 500 ms.", [H]),
    ("https://shop.example/ answered 200 times.", [H]),
    ("It answered 503.", [H]),
    ("The page has 1840 bytes.", [H]),
    ("About 5k logins failed.", [L]),
    ("Between 17-99 restarts were seen.", [K]),
    ("8 % of memory is used.", [M]),
    ("99\u200b % is used.", [D]),
    ("It is 99,9 % full.", [D]),
    ("It began on 2026-11-27.", [T]),
    ("It began at 04:20.", [T]),
    ("It began at 3am.", [T]),
]


def doubt(text: str, ids: list[str], **more: Any) -> str | None:
    found: str | None = held({"text": text, "findings": ids}, BY_ID, **more)["doubt"]
    return found


@pytest.mark.parametrize(("text", "ids"), HOLDS)
def test_what_findings_bear_out_is_supported(text: str, ids: list[str]) -> None:
    assert doubt(text, ids) is None


@pytest.mark.parametrize(("text", "ids"), FAILS)
def test_what_they_do_not_is_marked(text: str, ids: list[str]) -> None:
    assert doubt(text, ids) is not None


@pytest.mark.parametrize("one", FOUND)
def test_a_finding_in_its_own_words_is_supported(one: dict[str, Any]) -> None:
    assert doubt(one["summary"], [one["id"]]) is None
    assert doubt(one["summary"], EVERY) is None


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("/var is 97 % full, db01:5432 refuses and nginx.service has failed.", True),
        ("There are 8 findings, 1 of them critical; containers could not be looked at.", True),
        ("The disk is full on /var and db01 refuses; web99 burns.", False),
        ("The disk is full and the redis service is down.", False),
        ("db01:5433 refuses.", False),
        ("Three hundred users are affected.", False),
        ("The disk is full, but all containers are healthy.", False),
        ("There are 9 findings.", False),
    ],
)
def test_a_summary_is_held_against_all_of_them(text: str, holds: bool) -> None:
    assert (doubt(text, EVERY, of_all=True) is None) is holds
