"""Only regular files are read, nothing is waited for, and an encoding is explained."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from pipe_runner.errors import UsageError
from pipe_runner.loader import load, load_text


def test_a_file_is_shown_under_the_name_that_was_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("a: {{ x }}\n")
    document, faults = load(file, shown_as="here/a.yml")
    assert document.path == faults[0].path == "here/a.yml"
    document, faults = load(file)
    assert document.path == faults[0].path == str(file)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no file .*nothing\.yml") as raised:
        load(tmp_path / "nothing.yml")
    assert raised.value.exit_code == 2


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a directory"):
        load(tmp_path)
    with pytest.raises(UsageError):
        load(tmp_path / "nothing.yml" / "below")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX")
def test_s11_a_named_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(UsageError, match="is a named pipe, not a file"):
        load(tmp_path / "pipe.yml")


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="devices are of POSIX")
def test_s11_devices_are_refused() -> None:
    for name in ("/dev/zero", "/dev/null"):
        with pytest.raises(UsageError, match="is a device, not a file"):
            load(name)


def test_s11_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        with pytest.raises(UsageError):
            load("s")


def test_s11_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(UsageError):
        load("a\0b.yml")
    with pytest.raises(UsageError):
        load("x" * 5000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("a: 1")
    file.chmod(0)
    with pytest.raises(UsageError, match="permission denied"):
        load(file)


def test_r2_a_file_beyond_the_limit_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("a: 12345\n")
    document, faults = load(file, max_bytes=8)
    assert [fault.code for fault in faults] == ["E118"]
    assert document.data is None
    assert load(file, max_bytes=9)[1] == []


def test_s9_a_link_leads_out_of_no_root(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.yml").write_text("a: 1\n")
    (root / "inside.yml").write_text("a: 2\n")
    (root / "out.yml").symlink_to(tmp_path / "outside.yml")
    (root / "in.yml").symlink_to("inside.yml")
    (tmp_path / "rooted").symlink_to(root)
    assert load(root / "in.yml", root=root)[0].data == {"a": 2}
    assert load(tmp_path / "rooted" / "in.yml", root=tmp_path / "rooted")[0].data == {"a": 2}
    for name in ("out.yml", "../outside.yml"):
        with pytest.raises(UsageError, match="leads out of the project"):
            load(root / name, root=root)
    assert load(root / "out.yml")[0].data == {"a": 1}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(encoding: str) -> None:
    document, faults = load_text("version: 1\nname: x\n".encode(encoding))
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("E103", 1, 1)]
    assert "UTF-16" in faults[0].message or "UTF-32" in faults[0].message
    assert document.data is None


def test_bytes_that_are_not_utf8_are_shown_and_read_over() -> None:
    document, faults = load_text(b"a: 1\nb: caf\xe9\nc: .inf\n")
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("E103", 2, 7), ("E115", 3, 4)]
    assert document.data == {"a": 1, "b": "caf\ufffd", "c": None}


def test_text_of_every_plane_is_read() -> None:
    text = "a: é日本語😀\U0010fffd\xa0\u200d\n"
    document, faults = load_text(text.encode())
    assert (document.data, faults) == ({"a": "é日本語😀\U0010fffd\xa0\u200d"}, [])


@pytest.mark.parametrize(
    "char", ["\x00", "\x01", "\x07", "\x1b", "\x7f", "\x80", "\x85", "\x9f", "\u2028", "\u2029", "\ufffe"]
)
def test_characters_that_yaml_forbids_or_readers_disagree_on_are_told(char: str) -> None:
    _, faults = load_text(f"a: 1\nb: x{char}y\n")
    assert [(fault.code, fault.line, fault.column) for fault in faults] == [("E104", 2, 5)]


def test_a_comment_can_hide_nothing_behind_a_line_separator() -> None:
    for char in "\u2028\u2029\x85":
        _, faults = load_text(f"a: 1 # harmless{char}b: evil\n")
        assert [fault.code for fault in faults] == ["E104"]
    _, faults = load_text("a: 1\n\ufeff# b: 2\n")
    assert [fault.code for fault in faults] == ["E104"]


def test_text_with_half_a_character_is_explained() -> None:
    _, faults = load_text("a: \ud800\n")
    assert [fault.code for fault in faults] == ["E104"]
