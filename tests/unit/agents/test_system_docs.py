"""docs/system.md has every option, every threshold with its default, and every finding."""

from __future__ import annotations

import re
from pathlib import Path

from pipe_agents.system_monitoring import CAPABILITIES
from pipe_schemas.system import Check, SystemOptions, SystemThresholds
from pipe_schemas.system_defaults import CHECKS, THRESHOLDS

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs/system.md").read_text(encoding="utf-8")
SOURCES = [*(REPOSITORY / "agents/pipe_agents/system").glob("*.py")]


def test_every_option_is_in_its_page() -> None:
    table = TEXT.partition("| option |")[2].partition("\n\n")[0]
    said = {name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert said == set(SystemOptions.model_fields)


def test_every_threshold_is_in_its_page() -> None:
    assert [name for name in THRESHOLDS if f"`{name}`" not in TEXT] == []
    assert set(THRESHOLDS) == set(SystemThresholds.model_fields)
    assert SystemThresholds().model_dump() == dict(THRESHOLDS)


def test_every_finding_is_in_its_page_and_the_page_has_no_other() -> None:
    text = "\n".join(source.read_text(encoding="utf-8") for source in SOURCES)
    parts = "|".join((*CHECKS, "host"))
    made = set(re.findall(rf'"((?:{parts})\.[a-z_]+)"', text))
    made |= {f"pressure.{resource}" for resource in ("cpu", "memory", "io")}
    made |= {f"limits.{name}" for name in re.findall(r"""^    "([a-z_]+)": "[a-z' ]+ then",$""", text, re.MULTILINE)}
    made -= {"disk.space", "processes.open_files", "processes.hidden"}  # never anything but unavailable
    said = {
        name for row in re.findall(r"^\| (`[^|]+) \|", TEXT, re.MULTILINE) for name in re.findall(r"`(\w+\.\w+)`", row)
    }
    assert said == made


def test_the_checks_are_the_capabilities() -> None:
    assert tuple(name.removeprefix("system.") for name in CAPABILITIES) == CHECKS
    assert set(Check.__args__) == set(CHECKS)
    assert all(5 <= len(one.words) <= 20 for one in CAPABILITIES)
    assert all(word == word.lower() for one in CAPABILITIES for word in one.words)
