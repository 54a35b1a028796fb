"""Files that another file names are found from its folder, and opened inside the project's root only (S9)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipe_runner.loader.neighbours import Neighbour, Neighbours, Refused, note_of, told_from


@pytest.fixture
def root(tmp_path: Path) -> Path:
    home = tmp_path / "project"
    (home / "parts").mkdir(parents=True)
    (home / "main.yml").write_text("version: 1\n")
    (home / "parts" / "net.yml").write_text("version: 1\nnodes: {a: {run: x}}\n")
    return home


def reading(root: Path, limit: int = 10_000, most: int = 100) -> Neighbours:
    return Neighbours(os.path.realpath(root), limit, most)


def found(given: Neighbour | Refused) -> Neighbour:
    assert isinstance(given, Neighbour), given
    return given


def refused(given: Neighbour | Refused) -> Refused:
    assert isinstance(given, Refused), given
    return given


def test_a_name_counts_from_the_folder_of_the_file_that_names_it(root: Path) -> None:
    files = reading(root)
    part = found(files.read("parts/net.yml", str(root / "main.yml"), "sub/main.yml"))
    assert part.document.data == {"version": 1, "nodes": {"a": {"run": "x"}}}
    assert part.shown == "sub/parts/net.yml"
    assert found(files.read("../main.yml", part.path, part.shown)).shown == "sub/main.yml"


def test_a_file_is_read_once_whatever_it_is_called(root: Path) -> None:
    (root / "also").symlink_to("parts")
    files = reading(root, most=1)
    one = found(files.read("parts/net.yml", str(root / "main.yml"), "main.yml"))
    other = found(files.read("also/net.yml", str(root / "main.yml"), "main.yml"))
    assert other.document is one.document
    assert other.real == one.real
    assert other.path.endswith("also/net.yml")
    assert [state[:2] for state in files.states()] == [(one.path, one.real)]


@pytest.mark.parametrize("name", ["../secret.yml", "link.yml", "folder/secret.yml", "/etc/hostname", "parts/../../x"])
def test_s9_a_name_that_leaves_the_root_is_refused_and_nothing_is_opened(root: Path, name: str) -> None:
    (root.parent / "secret.yml").write_text("a: 1\n")
    (root / "link.yml").symlink_to("../secret.yml")
    (root / "folder").symlink_to("..")
    fault = refused(reading(root).read(name, str(root / "main.yml"), "main.yml"))
    assert fault.code == "E601"
    assert "leaves the project's root" in fault.message


def test_what_is_no_regular_file_is_refused_without_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe.fifo")
    (root / "loop.yml").symlink_to("loop.yml")
    files = reading(root)
    said = {
        name: refused(files.read(name, str(root / "main.yml"), "main.yml"))
        for name in ("pipe.fifo", "parts", "parts/nit.yml", "loop.yml", "a\0b", "{{ inputs.file }}", "x" * 300)
    }
    assert [fault.code for fault in said.values()] == ["E602", "E602", "E602", "E602", "E601", "E213", "E602"]
    assert said["parts"].message == "parts is a directory, not a file"
    assert said["parts/nit.yml"].message == "there is no file parts/nit.yml"
    assert said["parts/nit.yml"].hint == "did you mean `parts/net.yml`?"
    assert not any(str(root.parent) in fault.message for fault in said.values())


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("parts/s", "parts/s.yml"),
        ("parts/nt", "parts/net.yml"),
        ("parts/t", None),
        ("parts/S", "parts/s.yml"),
        ("s", None),
    ],
)
def test_a_name_without_its_end_is_known_for_the_file_that_there_is(root: Path, name: str, meant: str | None) -> None:
    (root / "parts" / "s.yml").write_text("version: 1\n")
    hint = refused(reading(root).read(name, str(root / "main.yml"), "main.yml")).hint
    assert hint == (f"did you mean `{meant}`?" if meant else "a path counts from the file that names it")


@pytest.mark.parametrize("name", ["../pipe.yml", "also.yml"])
def test_the_projects_file_is_named_in_vain(root: Path, name: str) -> None:
    (root / "pipe.yml").write_text("limits: {}\n")
    (root / "parts" / "also.yml").symlink_to("../pipe.yml")
    (root / "parts" / "pipe.yml").write_text("version: 1\n")
    assert refused(reading(root).read(name, str(root / "parts" / "net.yml"), "net.yml")).code == "E209"
    assert found(reading(root).read("pipe.yml", str(root / "parts" / "net.yml"), "net.yml")).content == b"version: 1\n"


def test_number_and_size_together_are_bounded(root: Path) -> None:
    size = (root / "parts" / "net.yml").stat().st_size
    for name in ("b", "c"):
        (root / f"{name}.yml").write_text((root / "parts" / "net.yml").read_text())
    few = reading(root, most=2)
    assert [few.read(f"{name}.yml", str(root / "main.yml"), "main.yml").__class__ for name in "bc"] == [Neighbour] * 2
    assert refused(few.read("parts/net.yml", str(root / "main.yml"), "main.yml")).code == "E802"
    small = reading(root, limit=2 * size - 1)
    found(small.read("b.yml", str(root / "main.yml"), "main.yml"))
    fault = refused(small.read("c.yml", str(root / "main.yml"), "main.yml"))
    assert fault.code == "E118"
    assert "with this file the pipeline is larger" in fault.message
    assert refused(reading(root, limit=size - 1).read("b.yml", str(root / "main.yml"), "m")).code == "E118"


def test_a_fault_names_its_own_place_and_the_places_that_lead_to_it(root: Path) -> None:
    (root / "main.yml").write_text("version: 1\ninclude:\n  - file: parts/net.yml\n")
    (root / "parts" / "net.yml").write_text("a: 1\na: 2\n")
    files = reading(root)
    main = found(files.read("main.yml", str(root / "x.yml"), "x.yml"))
    part = found(files.read("parts/net.yml", main.path, main.shown))
    (fault,) = told_from(part.faults, (note_of(main.document, ("include", 0, "file"), "included"),))
    assert (fault.path, fault.line, fault.column) == ("parts/net.yml", 2, 1)
    assert [str(note) for note in fault.notes] == ["included at main.yml:3:11"]
