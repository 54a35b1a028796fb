"""What `agent: system_monitoring` does where its options say nothing. Cheap to import: no pydantic here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

CHECKS: Final = (
    "cpu",
    "memory",
    "disk",
    "io",
    "network",
    "processes",
    "limits",
    "pressure",
    "container",
    "temperature",
)
WINDOW: Final = "1s"
TOP: Final = 10

THRESHOLDS: Final[Mapping[str, float]] = {
    "cpu_busy_percent": 95.0,
    "load_per_core": 2.0,
    "steal_percent": 10.0,
    "throttled_percent": 25.0,
    "memory_available_percent": 10.0,
    "memory_available_low_percent": 5.0,
    "memory_enough_bytes": 8 * 2**30,
    "swap_in_bytes_per_s": 10 * 2**20,
    "pressure_percent": 10.0,
    "disk_used_percent": 90.0,
    "disk_very_used_percent": 95.0,
    "disk_full_percent": 99.0,
    "disk_enough_bytes": 100 * 2**30,
    "inodes_used_percent": 90.0,
    "full_within_hours": 24.0,
    "growth_bytes_per_h": 100 * 2**20,
    "io_wait_ms": 100.0,
    "network_errors_percent": 0.1,
    "network_drops_percent": 1.0,
    "retransmits_percent": 5.0,
    "zombies": 10,
    "uninterruptible": 3,
    "limit_used_percent": 80.0,
    "temperature_c": 90.0,
}
