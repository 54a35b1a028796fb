"""Bash expands the word behind `>&` a second time: no value may stand there (S3)."""

from __future__ import annotations

import pytest

from pipe_runner.expressions import compile_shell


@pytest.mark.parametrize("text", ["echo a >&{{ inputs.x }}", "cat <&{{ inputs.x }}", 'echo a 2>&"{{ inputs.x }}"'])
def test_s3_no_value_stands_where_a_descriptor_is_duplicated(text: str) -> None:
    assert [fault.code for fault in compile_shell(text)[1]] == ["E422"]


def test_s3_a_value_is_no_target_of_make_since_it_could_be_an_assignment() -> None:
    assert [fault.code for fault in compile_shell("make {{ inputs.x }}")[1]] == ["E420"]
    assert [fault.code for fault in compile_shell("make {{ inputs.x | trust }}")[1]] == ["W401"]
    assert compile_shell("make -j{{ inputs.n }} all")[1] == []


def test_a_value_that_could_be_an_option_of_tar_is_told() -> None:
    assert [fault.code for fault in compile_shell("tar cf x.tar {{ inputs.x }}")[1]] == ["W406"]
    assert compile_shell("tar cf x.tar -- {{ inputs.x }}")[1] == []


@pytest.mark.parametrize("text", ["echo a > {{ inputs.x }} 2>&1", "echo {{ inputs.x }} >&2"])
def test_the_usual_redirections_stay(text: str) -> None:
    assert compile_shell(text)[1] == []
