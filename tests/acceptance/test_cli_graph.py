"""`pipe graph` of a file whose texts want to be obeyed."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize("form", ["text", "mermaid", "dot", "svg"])
def test_s8_a_graph_holds_nothing_that_a_terminal_or_a_ci_obeys(pipe: Any, form: str) -> None:
    pipe.write(
        "g.yml", 'version: 1\nname: "::error::n\\e[31m\\u202e##[error]x"\nnodes: {a: {run: "echo ##[error]y"}}\n'
    )
    done = pipe("graph", "g.yml", "--format", form)
    assert done.returncode == 0
    assert not {"\x1b", "\u202e"} & set(done.stdout)
    assert "##[" not in done.stdout
    assert not any(line.lstrip().startswith("::") for line in done.stdout.splitlines())


def test_a_file_may_be_called_whatever_the_system_takes(pipe: Any) -> None:
    pipe.write("g.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    done = pipe("graph", "g.yml", "-o", "x" * 250 + ".svg")
    assert done.returncode == 0, done.stderr
    assert (pipe.folder / ("x" * 250 + ".svg")).exists()
    assert len(list(pipe.folder.iterdir())) == 2


def test_a_graph_needs_a_file_s_name(pipe: Any) -> None:
    pipe.write("g.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    done = pipe("graph", "g.yml", "-o", "")
    assert (done.returncode, "--out is empty" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", ["", "-", "folder", "no/such"])
@pytest.mark.few(2)
def test_show_refuses_what_can_not_be_a_file_as_run_does(pipe: Any, name: str) -> None:
    pipe.write("g.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    (pipe.folder / "folder").mkdir()
    assert pipe("run", "g.yml").returncode == 0
    told, before = pipe("show", "latest", "--junit", name), pipe("run", "g.yml", "--junit", name)
    assert (told.returncode, told.stdout) == (before.returncode, before.stdout) == (2, "")
    assert told.stderr == before.stderr


def test_a_graph_is_written_whole_or_not_at_all(pipe: Any) -> None:
    pipe.write("g.yml", "version: 1\nname: ü\nnodes: {a: {run: echo}}\n")
    drawn = pipe.folder / "drawn"
    elsewhere = pipe.write("elsewhere", "theirs\n")
    drawn.symlink_to(elsewhere)
    assert pipe("graph", "g.yml", "--format", "svg", "-o", "drawn").returncode == 0
    assert elsewhere.read_text() == "theirs\n"  # a link is replaced, as by `pipe report`
    assert not drawn.is_symlink()
    assert drawn.read_text(encoding="utf-8") == pipe("graph", "g.yml", "--format", "svg").stdout
    before = drawn.read_bytes()
    with drawn.open("rb") as held:
        assert pipe("graph", "g.yml", "--format", "dot", "-o", "drawn").returncode == 0
        assert held.read() == before  # who reads the old one reads it to its end
    assert sorted(path.name for path in pipe.folder.iterdir()) == ["drawn", "elsewhere", "g.yml"]


def test_a_graph_that_cannot_be_written_leaves_what_was_there(pipe: Any) -> None:
    pipe.write("g.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    done = pipe("graph", "g.yml", "-o", "no/such/folder/drawn")
    assert (done.returncode, done.stdout) == (74, "")
    assert "cannot write no/such/folder/drawn: No such file or directory" in done.stderr
    assert pipe("graph", "g.yml", "-o", "/dev/stdout").stdout == pipe("graph", "g.yml").stdout


def test_a_node_is_shown_by_its_description_or_the_first_line_that_says_something(pipe: Any) -> None:
    pipe.write(
        "g.yml",
        "version: 1\nnodes:\n"
        "  a: {run: x --all, description: Build it all}\n"
        '  b: {run: "#!/bin/sh\\nset -eu\\n\\n# The docs.\\nmake docs"}\n'
        "  c: {run: set -e}\n"
        f"  d: {{run: echo {'x' * 70}}}\n",
    )
    lines = [line.split(maxsplit=1) for line in pipe("graph", "g.yml").stdout.splitlines() if line.startswith("  ")]
    assert lines == [["a", "Build it all"], ["b", "The docs."], ["c", "set -e"], ["d", f"echo {'x' * 54}…"]]
