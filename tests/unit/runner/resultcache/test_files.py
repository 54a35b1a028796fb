"""Files count by content, stay in the root, and are only read where they are regular (S9)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.resultcache import files
from pipe_runner.resultcache.files import Known, NotRead, digests


@pytest.fixture
def root(tmp_path: Path) -> Path:
    top = tmp_path / "root"
    for path in ("a.c", "src/b.c", "src/b.h", "src/deep/er/c.c", ".hidden/d.c", "src/.e.c", "[x].c"):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(path)
    return top


def matched(root: Path, *globs: str) -> list[str]:
    return list(digests(str(root), globs, str(root / ".pipe")))


@pytest.mark.parametrize(
    ("glob", "found"),
    [
        ("a.c", ["a.c"]),
        ("./a.c", ["a.c"]),
        ("*.c", ["[x].c", "a.c"]),
        ("**/*.c", ["[x].c", "a.c", "src/b.c", "src/deep/er/c.c"]),
        ("src/**", ["src/b.c", "src/b.h", "src/deep/er/c.c"]),
        ("src", ["src/b.c", "src/b.h", "src/deep/er/c.c"]),
        ("src/**/c.c", ["src/deep/er/c.c"]),
        ("src/?.[ch]", ["src/b.c", "src/b.h"]),
        ("src/.*", ["src/.e.c"]),
        (".hidden/*.c", [".hidden/d.c"]),
        ("[[]x].c", ["[x].c"]),
        ("none/*.c", []),
        ("a.c/b", []),
    ],
)
def test_a_glob_matches_what_a_shell_would(root: Path, glob: str, found: list[str]) -> None:
    assert matched(root, glob) == found


def test_content_counts_and_times_don_t(root: Path) -> None:
    before = digests(str(root), ["src/**"], "")
    os.utime(root / "src/b.c", (1, 1))
    assert digests(str(root), ["src/**"], "") == before
    (root / "src/b.c").write_text("other")
    after = digests(str(root), ["src/**"], "")
    assert {name for name in before if before[name] != after[name]} == {"src/b.c"}


def test_a_file_is_read_again_only_when_it_is_another(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known: Known = {}
    monkeypatch.setattr(files, "_SETTLED", -1.0)
    before = digests(str(root), ["src/**"], "", known=known)
    read: list[int] = []
    hashed = files._hash
    monkeypatch.setattr(files, "_hash", lambda *given: read.append(1) or hashed(*given))
    assert digests(str(root), ["src/**"], "", known=known) == before
    assert not read
    (root / "src/b.c").write_text("X")  # as long as before
    assert digests(str(root), ["src/**"], "", known=known) != before
    assert len(read) == 1
    (root / "src/b.c").unlink()
    (root / "src/b.c").symlink_to("/etc/passwd")
    assert digests(str(root), ["src/b.c"], "", known=known)["src/b.c"].startswith("link ")


def test_what_has_just_been_written_is_read_again(root: Path) -> None:
    known: Known = {}
    (root / "src/b.c").write_text("1")
    digests(str(root), ["src/b.c"], "", known=known)
    assert not known, "the next change may bear the same time"


def test_s9_a_link_is_followed_within_the_root_and_never_out_of_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.c").write_text("1")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x.c").write_text("1")
    (root / "out.c").symlink_to(tmp_path / "outside.c")
    (root / "in.c").symlink_to("src/b.c")
    (root / "outdir").symlink_to(tmp_path / "out")
    (root / "indir").symlink_to("src")
    (root / "loop").symlink_to(".")
    (root / "broken").symlink_to("nowhere")
    before = digests(str(root), ["*.c", "outdir/*", "indir/*.c", "outdir/x.c"], "")
    assert sorted(before) == ["[x].c", "a.c", "in.c", "indir/b.c", "out.c"]
    (tmp_path / "outside.c").write_text("2")
    (root / "src/b.c").write_text("2")
    after = digests(str(root), ["*.c", "indir/*.c"], "")
    assert {name for name in before if before[name] != after[name]} == {"in.c", "indir/b.c"}
    assert "loop" in matched(root, "**"), "a link that a walk meets counts as a link"
    assert matched(root, "broken") == ["broken"]
    assert matched(root, "indir") == ["indir/b.c", "indir/b.h", "indir/deep/er/c.c"]


def test_s9_what_is_exchanged_for_a_link_meanwhile_is_not_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/b.c").write_text("secret")
    resolve, calls = files._inside, []

    def exchange(top: str, path: str) -> str | None:
        real = resolve(top, path)
        calls.append(path)
        if calls.count("src") == 2:  # once to find what is in it, once to read that
            (root / "src").rename(root / "moved")
            (root / "src").symlink_to(tmp_path / "secret")
        return real

    monkeypatch.setattr(files, "_inside", exchange)
    with pytest.raises(NotRead, match=r"src/b\.c can't be read"):
        digests(str(root), ["src/b.c"], "")
    assert (root / "moved").exists()


def test_nothing_but_regular_files_is_read_and_nothing_is_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.c")
    assert "regular" in digests(str(root), ["pipe.c"], "")["pipe.c"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_can_t_be_read_is_said(root: Path) -> None:
    (root / "a.c").chmod(0)
    with pytest.raises(NotRead, match=r"a\.c can't be read: Permission denied"):
        digests(str(root), ["a.c"], "")


def test_reading_ends_when_the_run_is_stopped(root: Path) -> None:
    with pytest.raises(NotRead, match="stopped"):
        digests(str(root), ["**"], "", lambda: True)


def test_the_state_directory_is_left_out(root: Path) -> None:
    (root / "state").mkdir()
    (root / "state/log").write_text("1")
    assert "state/log" not in digests(str(root), ["**"], str(root / "state"))
