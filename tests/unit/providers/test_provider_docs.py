"""docs/providers.md has every option and variable of our providers, and what it shows is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipe_runner.compiler.project import load_project
from pipe_runner.registry import ProviderTypes
from pipe_schemas.providers import ProviderSpec

REPOSITORY = Path(__file__).resolve().parents[3]
TEXT = (REPOSITORY / "docs/providers.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return TEXT.partition(f"\n## `{name}`\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", sorted(ProviderTypes()))
def test_a_provider_s_part_has_its_options_in_order(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|", section(name), re.M)
    assert sorted(rows) == sorted(ProviderTypes()[name].options_model().model_fields)


@pytest.mark.parametrize("name", sorted(ProviderTypes()))
def test_a_provider_s_part_has_the_variables_that_it_reads(name: str) -> None:
    code = (REPOSITORY / f"providers/pipe_providers/{name}.py").read_text(encoding="utf-8")
    for variable in set(re.findall(r'"((?:OPENAI|OLLAMA|AWS)_[A-Z_]+)"', code)) - {"AWS_DEFAULT_PROFILE"}:
        assert f"`{variable}`" in section(name), variable


def test_the_common_keys_are_explained() -> None:
    for key in ProviderSpec.model_fields:
        assert f"\n| `{key}` |" in TEXT.partition("\n## What every")[0]


def test_the_page_s_pipe_yml_has_no_fault(tmp_path: Path) -> None:
    for text in re.findall(r"```yaml\n(.*?)```", TEXT, re.S):
        (tmp_path / "pipe.yml").write_text(text)
        project, faults = load_project(tmp_path)
        assert faults == []
        assert project.services["providers"]
