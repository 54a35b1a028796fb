"""How the python agent finds functions: in files of the project, and in modules."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from python_calling import Write, fault, output

from pipe_agents.python import PythonAgent
from pipe_agents.sources import PREFIX
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Outcome
from pipe_runner.types import ErrorKind

# ---------------------------------------------------------------- finding


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        ("tools/g.py:f", ErrorKind.NOT_FOUND, "did you mean tools/f.py?"),
        ("nowhere/g.py:f", ErrorKind.NOT_FOUND, "no file nowhere/g.py"),
        ("tools/f:f", ErrorKind.NOT_FOUND, "no file tools/f"),
        ("tools:f", ErrorKind.NOT_FOUND, "no module tools"),
        ("tools/f.py:reed", ErrorKind.NOT_FOUND, "did you mean read?"),
        ("tools/f.py:number", ErrorKind.NOT_FOUND, "not a function"),
        ("tools/f.py:read.deep", ErrorKind.NOT_FOUND, "no function read.deep"),
        ("tools/f.py", ErrorKind.NOT_FOUND, "names no function"),
        ("tools/f.py:", ErrorKind.NOT_FOUND, "names no function"),
        (":f", ErrorKind.NOT_FOUND, "names no function"),
        ("tools/f.py:f()", ErrorKind.NOT_FOUND, "names no function"),
        ("jsn:dumps", ErrorKind.NOT_FOUND, "did you mean json?"),
        ("json.encodr:f", ErrorKind.NOT_FOUND, "did you mean json.encoder?"),
        ("json.dump.s:f", ErrorKind.NOT_FOUND, "no module json.dump"),
        (".json:f", ErrorKind.NOT_FOUND, "no module's name"),
        ("json..x:f", ErrorKind.NOT_FOUND, "no module's name"),
        ("../f.py:f", ErrorKind.REFUSED, "outside"),
        ("/etc/passwd:f", ErrorKind.REFUSED, "outside"),
        ("tools/\x00.py:f", ErrorKind.NOT_FOUND, "NUL"),
        ("tools/folder.py:f", ErrorKind.NOT_FOUND, "not a regular file"),
        ("out.py:f", ErrorKind.REFUSED, "outside"),
        ("away/x.py:f", ErrorKind.REFUSED, "outside"),
        ("pipe.py:f", ErrorKind.NOT_FOUND, "not a regular file"),
        ("dangling.py:f", ErrorKind.NOT_FOUND, "no file"),
        (".:f", ErrorKind.NOT_FOUND, "no module's name"),
        ("./:f", ErrorKind.REFUSED, ""),
    ],
)
def test_s9_s11_what_cannot_be_called_is_said_in_a_sentence(
    bench: Any, write: Write, tmp_path: Path, call: str, kind: ErrorKind, says: str
) -> None:
    import os

    write("number = 1\ndef read(): return 1")
    (tmp_path / "tools/folder.py").mkdir()
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "x.py").write_text("def f(): return 1")
    (tmp_path / "out.py").symlink_to(outside / "x.py")
    (tmp_path / "away").symlink_to(outside)
    (tmp_path / "dangling.py").symlink_to(tmp_path / "gone.py")
    os.mkfifo(tmp_path / "pipe.py")
    error = fault(bench, call)
    assert error.kind is kind, error.message
    assert says in error.message
    assert "\n" not in error.message


@pytest.mark.parametrize("path", ["tools/my-tool.py", "tools/a.b.py", "tools/script", "f.py", "tools/x/__init__.py"])
def test_a_file_may_have_any_name(bench: Any, write: Write, path: str) -> None:
    write("def f(): return __file__", path)
    assert output(bench, f"{path if '/' in path else './' + path}:f").endswith(path)


@pytest.mark.parametrize("line", ["from ..lib import g", "from .. import g", "from ..lib.g import f"])
def test_s11_an_import_from_above_a_files_folder_is_told_as_python_tells_it(
    bench: Any, write: Write, line: str
) -> None:
    write("def f(): return 1", "lib/g.py")
    write(f"{line}\ndef f(): return 1")
    assert fault(bench, "tools/f.py:f").message == "ImportError: attempted relative import beyond top-level package"


def test_files_with_like_names_are_told_apart(bench: Any, write: Write) -> None:
    paths = ["tools/f.py", "tools/f", "tools/a.b.py", "tools/a_b.py", "tools/g.py", "tools/g/__init__.py"]
    for path in paths:
        write(f"def f(): return {path!r}", path)

    async def each() -> list[Any]:
        agent = PythonAgent()
        outcomes = [await bench.perform(agent, {"call": f"{path}:f"}) for path in paths]
        await agent.close()
        return [outcome.output for outcome in outcomes]

    assert asyncio.run(each()) == paths


def test_links_within_the_root_are_followed(bench: Any, write: Write, tmp_path: Path) -> None:
    write("def f(): return 'linked'")
    (tmp_path / "link.py").symlink_to("tools/f.py")
    assert output(bench, "link.py:f") == "linked"


def test_a_root_that_is_a_link_is_the_folder_behind_it(bench: Any, write: Write, tmp_path: Path) -> None:
    write("def f(): return 1", "real/f.py")
    (tmp_path / "link").symlink_to("real")
    bench.root = str(tmp_path / "link")
    assert output(bench, "f.py:f") == 1


def test_nothing_is_left_behind_by_a_file(bench: Any, write: Write, tmp_path: Path) -> None:
    write("from . import other\ndef f(): return other.g()")
    write("def g(): return 'beside'", "tools/other.py")
    path, modules, finders = list(sys.path), set(sys.modules), list(sys.meta_path)
    assert output(bench, "tools/f.py:f") == "beside"
    assert sys.path == path
    assert sys.meta_path == finders
    assert not [name for name in set(sys.modules) - modules if "tools" in name or name.startswith(PREFIX)]
    assert not list(tmp_path.rglob("__pycache__"))


def test_bytecode_beside_a_file_is_not_read(bench: Any, write: Write, tmp_path: Path) -> None:
    import importlib.util
    import py_compile

    write("def f(): return 'old'")
    source = tmp_path / "tools/f.py"
    cached = py_compile.compile(str(source), importlib.util.cache_from_source(str(source)))
    assert cached
    time_of_source = source.stat()
    source.write_text("def f(): return 'new'")
    import os

    os.utime(source, ns=(time_of_source.st_atime_ns, time_of_source.st_mtime_ns))
    assert output(bench, "tools/f.py:f") == "new"


def test_neighbours_are_imported_relatively_also_from_packages_and_later(bench: Any, write: Write) -> None:
    write("from .helpers.text import up\ndef f(x):\n    from . import late\n    return up(x) + late.suffix")
    write("", "tools/helpers/__init__.py")
    write("def up(x): return x.upper()", "tools/helpers/text.py")
    write("suffix = '!'", "tools/late.py")
    assert output(bench, "tools/f.py:f", "a") == "A!"


def test_importing_a_neighbour_by_its_bare_name_is_explained(bench: Any, write: Write) -> None:
    write("import other")
    write("", "tools/other.py")
    error = fault(bench, "tools/f.py:f")
    assert error.kind is ErrorKind.NOT_FOUND
    assert "`from . import other`" in error.message


def test_importing_by_the_name_of_a_folder_of_the_project_is_explained(bench: Any, write: Write) -> None:
    write("from tools.other import f")
    write("", "tools/other.py")
    error = fault(bench, "tools/f.py:f")
    assert error.kind is ErrorKind.NOT_FOUND
    assert "the project's root is not searched" in error.message
    assert "`from . import name`" in error.message


def test_a_file_that_is_called_as_a_module_is_told_by_its_path(bench: Any, write: Write) -> None:
    write("def f(): return 1")
    assert fault(bench, "tools.f:f").message.endswith("; did you mean tools/f.py:f?")


def test_s9_a_neighbour_outside_of_the_root_is_not_imported(bench: Any, write: Write, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-x.py"
    outside.write_text("value = 1")
    write("from . import evil\ndef f(): return evil.value")
    (tmp_path / "tools/evil.py").symlink_to(outside)
    error = fault(bench, "tools/f.py:f")
    assert "outside of the project's root" in error.message


def test_the_working_directory_is_not_searched(
    bench: Any, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("def f(): return 1", "in_the_working_directory.py")
    monkeypatch.chdir(tmp_path)
    error = fault(bench, "in_the_working_directory:f")
    assert error.kind is ErrorKind.NOT_FOUND
    assert "tools/file.py:function" in error.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import surely_not_installed_xyz", "No module named 'surely_not_installed_xyz'"),
        ("from os import nothing_here", "cannot import name 'nothing_here'"),
        ("from . import absent", "cannot import name 'absent' from 'tools'"),
        ("from .absent import x", "No module named 'tools.absent'"),
        ("class Own(Exception): pass\nraise Own('x')", "Own: x"),
        ("def f(:", "SyntaxError: invalid syntax (f.py, line 1)"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("import sys; sys.exit('bye')", "SystemExit(bye)"),
        ("\x00", "null bytes"),
        ("# coding: nonsense\n", "nonsense"),
    ],
)
def test_a_file_that_cannot_be_loaded_fails_the_node(bench: Any, write: Write, text: str, says: str) -> None:
    write(text)
    error = fault(bench, "tools/f.py:f")
    assert error.kind is ErrorKind.EXCEPTION
    assert says in error.message
    assert "sources.py" not in (error.tail or "")
    assert "frozen importlib" not in (error.tail or "")
    assert PREFIX not in error.message + (error.tail or "")


def test_a_file_that_could_not_be_loaded_is_tried_again(bench: Any, write: Write) -> None:
    async def twice() -> Outcome:
        agent = PythonAgent()
        write("raise ValueError")
        with pytest.raises(NodeFault):
            await bench.perform(agent, {"call": "tools/f.py:f"})
        write("def f(): return 'mended'")
        outcome: Outcome = await bench.perform(agent, {"call": "tools/f.py:f"})
        await agent.close()
        return outcome

    assert asyncio.run(twice()).output == "mended"
