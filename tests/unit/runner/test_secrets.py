"""Where secrets come from, and what is said when they can't be had."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.errors import UsageError
from pipe_runner.plan import SecretSource
from pipe_runner.secrets import LARGEST_FILE, resolve, unmasked


def env(name: str, key: str | None = None) -> SecretSource:
    return SecretSource(name, "env", key or name)


def file(name: str, key: str | Path) -> SecretSource:
    return SecretSource(name, "file", str(key))


def refusal(source: SecretSource, root: Path) -> str:
    with pytest.raises(UsageError) as refused:
        resolve([source], {}, str(root))
    return refused.value.message


def test_a_secret_comes_from_the_environment_under_its_own_or_another_name(tmp_path: Path) -> None:
    values, warnings = resolve([env("A"), env("B", "OTHER")], {"A": "value-a", "OTHER": "value-b"}, str(tmp_path))
    assert values == {"A": "value-a", "B": "value-b"}
    assert warnings == []


def test_a_secret_from_a_file_loses_one_final_newline_and_nothing_else(tmp_path: Path) -> None:
    for text, value in (
        (b" a b c \n", " a b c "),
        (b"abcdef\n\n", "abcdef\n"),
        (b"abcdef\r\n", "abcdef"),
        (b"abcdef\r", "abcdef\r"),
    ):
        (tmp_path / "key").write_bytes(text)
        assert resolve([file("K", "key")], {}, str(tmp_path))[0] == {"K": value}


def test_bytes_that_are_no_utf8_reach_the_environment_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"p\xe4ssword")
    assert os.fsencode(resolve([file("K", "key")], {}, str(tmp_path))[0]["K"]) == b"p\xe4ssword"


def test_all_that_is_missing_is_said_at_once_and_no_value_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        resolve([env("A"), env("B"), file("C", "nowhere"), env("D")], {"B": "", "D": "hunter22"}, str(tmp_path))
    message = refused.value.message
    for words in ("A: the environment variable A is not set", "B is empty", "nowhere can't be read: No such file"):
        assert words in message
    assert "hunter22" not in message
    assert refused.value.exit_code == 2


def test_a_short_secret_is_a_warning(tmp_path: Path) -> None:
    values, warnings = resolve([env("PIN")], {"PIN": "12345"}, str(tmp_path))
    assert values == {"PIN": "12345"}
    assert warnings == ["secret PIN is shorter than 6 characters and is not masked in outputs"]


def test_secrets_of_services_that_are_too_short_are_told_once_for_each_service() -> None:
    secrets = {"provider mine 0": "12345", "provider mine 1": "x", "provider b 0": "123456", "MCP server c 0": "1"}
    assert unmasked(secrets) == [
        f"a secret of {name} is shorter than 6 characters and is not masked in outputs"
        for name in ("provider mine", "MCP server c")
    ]


def test_s9_a_relative_path_stays_in_the_project_links_resolved(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    outside = tmp_path / "key"
    outside.write_text("hunter22")
    (root / "link").symlink_to(outside)
    assert "lies outside the project" in refusal(file("K", "../key"), root)
    assert "lies outside the project" in refusal(file("K", "link"), root)
    assert resolve([file("K", outside)], {}, str(root))[0] == {"K": "hunter22"}


def test_an_absolute_path_may_be_a_link_as_mounted_secrets_are(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("hunter22\n")
    (tmp_path / "mounted").symlink_to("data")
    assert resolve([file("K", tmp_path / "mounted")], {}, "/")[0] == {"K": "hunter22"}


def test_only_regular_files_of_some_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "large").write_bytes(b"x" * (LARGEST_FILE + 1))
    (tmp_path / "most").write_bytes(b"x" * LARGEST_FILE)
    (tmp_path / "zero").write_bytes(b"abc\0def")
    (tmp_path / "empty").write_bytes(b"\n")
    assert "no regular file" in refusal(file("K", "fifo"), tmp_path)
    assert "Is a directory" in refusal(file("K", "."), tmp_path)
    assert "larger than 64 KiB" in refusal(file("K", "large"), tmp_path)
    assert "zero bytes" in refusal(file("K", "zero"), tmp_path)
    assert "is empty" in refusal(file("K", "empty"), tmp_path)
    assert len(resolve([file("K", "most")], {}, str(tmp_path))[0]["K"]) == LARGEST_FILE


def test_stores_of_later_versions_are_named(tmp_path: Path) -> None:
    assert "`from: aws-ssm` is not available in this version" in refusal(SecretSource("K", "aws-ssm", "k"), tmp_path)
