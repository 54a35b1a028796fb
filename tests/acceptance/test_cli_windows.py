"""What Windows is promised: `check`, `graph`, `test` and `schema`, in an interpreter without what Windows lacks.

Which names these are is taken from the declarations of the standard library by which mypy checks programs for Windows.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mypy
import pytest

from pipe_runner.cli import table

PIPE = str(Path(sys.executable).with_name("pipe"))
STUBS = Path(mypy.__file__).parent / "typeshed" / "stdlib"
LIKE_WINDOWS = Path(__file__).parents[1] / "data" / "windows"
CHANGED = ("os", "signal", "select", "socket", "time", "errno")
OPENING = ("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_SYNC", "O_DSYNC")
"""Declared for all systems, and not there on Windows."""


def declared(stub: Path, platform: str) -> set[str]:
    """The names that a module has on a system."""
    system = {"sys": SimpleNamespace(platform=platform, version_info=sys.version_info)}

    def names(body: list[ast.stmt]) -> Iterator[str]:
        for node in body:
            match node:
                case ast.If():
                    test = compile(ast.Expression(node.test), str(stub), "eval")
                    yield from names(node.body if eval(test, system) else node.orelse)  # noqa: S307
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    yield name
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                    yield name
                case ast.ImportFrom(module=source) if source in ("_socket", "_curses"):
                    yield from (alias.asname or alias.name for alias in node.names)

    return set(names(ast.parse(stub.read_text(encoding="utf-8")).body))


@cache
def absent() -> dict[str, list[str]]:
    """What Windows lacks: names by module, and whole modules under `*`."""
    found: dict[str, list[str]] = {"*": []}
    for stub in sorted(STUBS.glob("*.pyi")):
        here, there = (declared(stub, system) for system in ("linux", "win32"))
        if any(name[0] != "_" for name in here) and all(name[0] == "_" for name in there):
            found["*"].append(stub.stem)
    for module in CHANGED:
        package = STUBS / module / "__init__.pyi"
        stub = package if package.exists() else STUBS / f"{module}.pyi"
        found[module] = sorted(declared(stub, "linux") - declared(stub, "win32"))
    found["os"] += OPENING
    return found


@pytest.fixture
def windows(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`windows("check", "f.yml")` in a folder of its own."""
    kept = ("PATH", "TMPDIR", "VIRTUAL_ENV")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env |= {"ABSENT": json.dumps(absent()), "PYTHONPATH": str(LIKE_WINDOWS), "PYTHONWARNDEFAULTENCODING": "1"}

    def pipe(*words: str, program: tuple[str, ...] = (PIPE,), **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *words],
            cwd=tmp_path,
            env={**env, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )

    return pipe


def write(folder: Path, name: str, text: str) -> None:
    """A file as editors on Windows write it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.lstrip("\n").replace("\n", "\r\n").encode())


GOOD = """
version: 1
concurrency: {group: release}
secrets: {TOKEN: {from: env}}
nodes:
  version: {run: git describe, cwd: tools}
  clean: {agent: python, with: {call: "tools/clean.py:clean", args: ["{{ nodes.version.output }}"]}}
  large: {agent: python, with: {call: "tools/clean.py:large"}}
  later: {agent: python, with: {call: "tools/clean.py:later"}}
  publish:
    run: |
      publish "{{ nodes.clean.output }}" 'über {{ nodes.large.output }}'
    secrets: [TOKEN]
    output: json
    retry: {max_attempts: 3, delay: 1h}
  files:
    run: build "{{ nodes.clean.output }}" > dist/out
    output: file
    artifacts: [{name: dist, path: dist}]
    cache: {files: ["tools/*.py"]}
  each:
    for_each: {items: [1, 2], key: "{{ item }}"}
    agent: python
    with: {call: "tools/clean.py:clean", args: ["a{{ item }}"]}
outputs:
  clean: "{{ nodes.clean.output }}"
  large: "{{ nodes.large.output | length }}"
"""
CODE = """
import asyncio
import sys
from . import words

def clean(text):
    print("cleaning", text)
    return text.strip() + words.END

def large():
    return "ü" * 120_000

async def later():
    await asyncio.sleep(0.01)
    return [True]
"""
TESTS = """
version: 1
defaults:
  mock:
    version: {output: " v1 "}
    files: {output: {a: b}}
cases:
  it is published:
    mock:
      publish: [{error: {kind: exit, exit_code: 75}}, {output: {url: u}}]
    expect:
      outputs: {clean: v1!, large: 120000}
      nodes:
        version: {cwd: tools, argv: [/bin/sh, -e, -c, git describe]}
        later: {output: [true]}
        publish:
          attempts: 2
          waits: [3600]
          command: {matches: '^publish "v1!" '}
          env: {TOKEN: {not: null}}
        files: {command: build "v1!" > dist/out}
        "each[2]": {output: a2!}
  nothing runs:
    run: none
    mock: {"*": {output: x}}
    expect: {status: succeeded}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write(tmp_path, "pipe.yml", "defaults: {grace: 1s}\n")
    write(tmp_path, "release.yml", GOOD)
    write(tmp_path, "release.test.yml", TESTS)
    write(tmp_path, "tools/clean.py", CODE)
    write(tmp_path, "tools/words.py", "END = '!'\n")
    return tmp_path


def test_the_interpreter_lacks_what_windows_lacks(windows: Any) -> None:
    code = (
        "import os, signal, select, socket, sys, time\n"
        "lacking = [n for n in ('fork', 'setsid', 'killpg', 'pidfd_open', 'fdatasync', 'getuid', 'geteuid', 'pread',\n"
        "  'posix_spawn', 'register_at_fork', 'sched_getaffinity', 'sysconf', 'O_CLOEXEC', 'O_NOFOLLOW')\n"
        "  if hasattr(os, n)]\n"
        "lacking += [n for n in ('SIGKILL', 'SIGHUP', 'pthread_sigmask') if hasattr(signal, n)]\n"
        "lacking += [n for n in ('poll', 'epoll') if hasattr(select, n)]\n"
        "lacking += [n for n in ('CLOCK_MONOTONIC', 'clock_gettime') if hasattr(time, n)]\n"
        "for module in ('fcntl', 'termios', 'tty', 'pwd', 'grp', 'resource'):\n"
        "    try: __import__(module)\n"
        "    except ImportError: continue\n"
        "    lacking.append(module)\n"
        "print(lacking, sys.platform, hasattr(socket, 'AF_UNIX'), os.getpid() > 0, hasattr(signal, 'SIGTERM'))"
    )
    done = windows("-c", code, program=(sys.executable,))
    assert done.stdout.split("\n")[0].strip() == "[] win32 False True True", done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["check", "release.yml"], ["check", "."], ["check", ".", "--format", "sarif"], ["graph", "release.yml"],
        ["graph", "release.yml", "--format", "svg", "-o", "new/../drawn.svg"], ["test"], ["test", "release.yml"],
        ["test", "--output", "json"], ["test", "--junit", "junit.xml", "--min-coverage", "10"], ["schema"],
        ["schema", "test"], ["--version"], ["--help"], ["run", "--help"],
    ],
)  # fmt: skip
@pytest.mark.few(1)
def test_what_windows_is_promised_works_without_what_it_lacks(windows: Any, project: Path, words: list[str]) -> None:
    (project / "new").mkdir()
    done = windows(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "\r" not in done.stdout
    again = windows(*words)  # over what the first one wrote
    assert again.returncode == 0, again.stderr


def test_the_cases_of_a_pipeline_run_on_windows_functions_and_all(windows: Any, project: Path) -> None:
    done = windows("test", "--output", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert [case["name"] for case in results["cases"]] == ["it is published", "nothing runs"]
    assert not (project / ".pipe").exists()


def test_a_request_is_sent_on_windows(windows: Any, project: Path, httpserver: Any) -> None:
    httpserver.expect_request("/").respond_with_json({"ok": True})
    url = httpserver.url_for("/")
    write(project, "ask.yml", f"version: 1\nnodes:\n  ask: {{agent: http, with: {{url: '{url}'}}}}\n")
    tests = "version: 1\ncases:\n  it: {expect: {nodes: {ask: {output: {body: {ok: true}}}}}}\n"
    write(project, "ask.test.yml", tests)
    done = windows("test", "ask.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.few(1)
@pytest.mark.parametrize("expects", ["succeeded", "failed"])
def test_a_command_that_is_not_mocked_fails_its_case_on_windows_whatever_is_expected(
    windows: Any, project: Path, expects: str
) -> None:
    tests = f"version: 1\ncases:\n  it: {{expect: {{status: {expects}}}}}\n"
    write(project, "real.yml", "version: 1\nnodes:\n  one: {run: echo 1}\n")
    write(project, "real.test.yml", tests)
    done = windows("test", "real.yml")
    assert done.returncode == 1
    assert "one can't be run here: it starts a command, and none can be started on Windows" in done.stdout
    assert "in WSL or in CI on Linux" in done.stdout


def test_places_are_told_on_windows_as_everywhere(windows: Any, project: Path) -> None:
    write(project, "bad.yml", 'version: 1\nnodes:\n  a: {run: "echo {{ nodes.b.output }}"}\n')
    done = windows("check", "bad.yml")
    assert done.returncode == 1
    assert done.stdout.startswith("bad.yml:3:")
    github = windows("check", "bad.yml", "--format", "github").stdout
    assert github.startswith("::error file=bad.yml,line=3,")


def test_text_is_utf_8_on_windows_where_it_goes_to_a_file_and_never_fails_elsewhere(
    windows: Any, project: Path
) -> None:
    write(project, "words.yml", 'version: 1\nnodes:\n  a: {run: "echo {{ nodes.日本.output }}"}\n')
    assert "日本" in windows("check", "words.yml").stdout
    asked = windows("check", "words.yml", PYTHONIOENCODING="cp1252").stdout
    assert "\\u65e5" in asked
    schema = windows("schema").stdout
    assert json.loads(schema)


def test_all_else_says_in_one_line_why_not_and_what_instead(windows: Any, project: Path) -> None:
    lines = [
        [command.name, *("x" for argument in command.arguments if argument.required)]
        for command in table.COMMANDS
        if command.target and not command.everywhere
    ]
    code = "import json, sys; from pipe_runner.cli import main; print([main(line) for line in json.loads(sys.argv[1])])"
    done = windows("-c", code, json.dumps(lines), program=(sys.executable,))
    assert done.stdout.strip() == str([2] * len(lines))
    told = done.stderr.splitlines()
    for line, words in zip(told, lines, strict=True):
        assert line.startswith(f"error: `pipe {words[0]}` does not work on Windows")
        assert "WSL" in line and "CI on Linux" in line
