"""`agent: auto` tells options that choose nobody, or say nothing, as the command does."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipe_runner.compiler import compile_text
from pipe_runner.registry import Registry


def told(root: Path, node: str) -> list[tuple[str, str]]:
    text = f"version: 1\nnodes:\n  a: {{{node}}}\n"
    found = compile_text(text, path=str(root / "p.yml"), root=root, registry=Registry.installed())
    return [(fault.code, fault.message) for fault in found.diagnostics]


TASK = 'task: "is memory short?"'


@pytest.mark.parametrize("more", ["", ", by: model"])
def test_no_agents_are_not_everybody(tmp_path: Path, more: str) -> None:
    assert told(tmp_path, f"agent: auto, provider: openai, with: {{{TASK}, agents: []{more}}}")[-1] == (
        "E505",
        "`agents` is empty",
    )


@pytest.mark.parametrize("most", ["", ", most: 3", ", by: words"])
def test_a_model_or_a_provider_says_nothing_where_words_choose(tmp_path: Path, most: str) -> None:
    message = "`model` says nothing without `by: model`: words choose"
    assert told(tmp_path, f"agent: auto, with: {{{TASK}, model: m{most}}}") == [("E212", message)]
    message = "`provider` says nothing without `by: model`: words choose, and nobody is asked"
    assert told(tmp_path, f"agent: auto, provider: openai, with: {{{TASK}{most}}}") == [("E212", message)]


def test_a_provider_that_chooses_or_explains_is_fine(tmp_path: Path) -> None:
    assert told(tmp_path, f"agent: auto, provider: openai, with: {{{TASK}, by: model, model: m}}") == []
    assert told(tmp_path, f"agent: auto, provider: openai, with: {{{TASK}, options: {{explain: true}}}}") == []


def test_nobody_but_words_and_models_choose(tmp_path: Path) -> None:
    assert [code for code, _ in told(tmp_path, f"agent: auto, with: {{{TASK}, by: luck}}")] == ["E505"]
