"""Reading a file is harmless: it runs nothing, opens nothing outside, ends soon, and never gives a traceback."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe_runner.compiler import Compilation, compile_file, compile_text
from pipe_runner.errors import UsageError
from pipe_runner.loader import load
from pipe_runner.registry import Registry

Compile = Callable[[str], Compilation]
DATA = Path(__file__).parents[3] / "data"

HOSTILE = """
version: 1
secrets: {S: {from: env, key: HOME}, F: {from: file, key: /etc/hostname}}
inputs: {x: {default: "$(touch ran)"}}
nodes:
  a: {run: "touch ran; cat /etc/passwd", cwd: ., secrets: [S, F]}
  b: {agent: python, with: {call: "evil.py:main"}}
  c: {agent: python, with: {call: "evil:main"}}
  d: {agent: http, with: {url: "http://127.0.0.1:1/"}}
  e: {run: "echo {{ inputs.x }}"}
"""

AUDIT = """
import sys
from pathlib import Path
seen = []
def hook(event, args):
    if event == "open" and isinstance(args[0], str):
        seen.append(args[0])
    elif event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect"):
        print("BAD", event, args)
from pipe_runner.compiler import compile_file
from pipe_runner.registry import Registry
registry = Registry.installed()
compile_file(Path(sys.argv[2]), registry=registry)  # everything is imported once, before anybody listens
sys.addaudithook(hook)
compilation = compile_file(Path(sys.argv[1]), registry=registry)
print("CODES", [d.code for d in compilation.diagnostics])
for path in seen:
    print("OPEN", path)
"""


def test_s1_check_runs_nothing_connects_nowhere_and_opens_nothing_outside(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "pipe.yml").write_text("policy: {http: {allow: [10.0.0.0/8]}}\n")
    (project / "evil.py").write_text("open('ran', 'w')\n")
    (project / "p.yml").write_text(HOSTILE)
    warm = DATA / "ok" / "everything.yml"
    done = subprocess.run(
        [sys.executable, "-B", "-c", AUDIT, str(project / "p.yml"), str(warm)],
        capture_output=True,
        text=True,
        cwd=project,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert not [line for line in lines if line.startswith("BAD")]
    assert "CODES []" in lines
    opened = {line.removeprefix("OPEN ") for line in lines if line.startswith("OPEN")}
    outside = {path for path in opened if not os.path.abspath(os.path.join(project, path)).startswith(str(project))}
    assert {path for path in outside if not path.endswith((".py", ".pyc"))} == set(), "our own modules may be imported"
    assert not {path for path in opened if "evil" in path}
    assert not (project / "ran").exists()


@pytest.mark.parametrize("where", ["../outside.yml", "/etc/hostname"])
def test_s9_a_pipeline_file_that_is_a_link_out_of_the_project_is_not_read(
    tmp_path: Path, registry: Registry, where: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside.yml").write_text("version: 1\nnodes: {a: {run: echo secret}}\n")
    (project / "p.yml").symlink_to(where)
    compilation = compile_file(project / "p.yml", registry=registry)
    assert [d.code for d in compilation.diagnostics] == ["E602"]
    assert compilation.document.text == ""


def test_s9_a_link_within_the_project_is_read(tmp_path: Path, registry: Registry) -> None:
    (tmp_path / "pipe.yml").touch()
    (tmp_path / "real.yml").write_text("version: 1\nnodes: {a: {run: echo}}\n")
    (tmp_path / "p.yml").symlink_to("real.yml")
    assert compile_file(tmp_path / "p.yml", registry=registry).plan is not None


@pytest.mark.parametrize("path", ["..", "/", "/etc", "a/../..", "link", "link/deeper"])
def test_s9_a_working_directory_stays_in_the_project(tmp_path: Path, registry: Registry, path: str) -> None:
    (tmp_path / "link").symlink_to("/usr")
    text = f"version: 1\nnodes: {{a: {{run: echo, cwd: {path}}}}}\n"
    compilation = compile_text(text, root=tmp_path, registry=registry)
    assert [d.code for d in compilation.diagnostics] == ["E601"]


@pytest.mark.parametrize("path", [".", "a/b", "a/../b", "./x"])
def test_a_working_directory_within_the_project_is_taken(tmp_path: Path, registry: Registry, path: str) -> None:
    text = f"version: 1\nnodes: {{a: {{run: echo, cwd: {path}}}}}\n"
    assert compile_text(text, root=tmp_path, registry=registry).diagnostics == []


def test_s11_what_is_no_file_is_a_usage_error(tmp_path: Path, registry: Registry) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "nothing.yml"):
        with pytest.raises(UsageError):
            compile_file(path, registry=registry)


_WORDS = (
    "run argv agent pipeline with needs when a b nodes finally on_failure env secrets TOKEN retry x-a "
    "from key type items properties default enum required http python shell version inputs outputs "
    "concurrency budget defaults [key] <run> <map> str $ $map $text 5m true 0 é - __class__"
)
WORDS = _WORDS.split()
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2.5, 10**30, 1e300, [], {}, "", "{{", "{{ nodes.a.output }}", "{{ inputs.x }}",
    "{{ secrets.TOKEN }}", "{% raw %}{{x}}{% endraw %}", "nodes.a.output > 0", "m:f", "\x00", "\ud800", "a" * 300,
]  # fmt: skip
SEEDS = [load(path)[0].data for path in sorted(DATA.glob("*/*.yml"))]


def mutated(value: Any, draw: random.Random) -> Any:
    """The value with something changed somewhere."""
    if isinstance(value, dict) and value:
        value = dict(value)
        key = draw.choice(list(value))
        act = draw.random()
        if act < 0.55:
            value[key] = mutated(value[key], draw)
        elif act < 0.65:
            value[draw.choice(WORDS)] = value.pop(key)
        elif act < 0.75:
            del value[key]
        else:
            value[draw.choice(WORDS)] = draw.choice([*VALUES, *WORDS, value[key]])
        return value
    if isinstance(value, list) and value:
        value = list(value)
        index = draw.randrange(len(value))
        value[index] = mutated(value[index], draw)
        return value
    return draw.choice([*VALUES, *WORDS, {draw.choice(WORDS): draw.choice(VALUES)}, [draw.choice(VALUES)]])


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10**9))
def test_s11_any_data_gives_a_plan_or_faults_with_places(seed: int) -> None:
    draw = random.Random(seed)
    data = draw.choice([seed_ for seed_ in SEEDS if isinstance(seed_, dict)])
    for _ in range(draw.randint(1, 6)):
        data = mutated(data, draw)
    text = json.dumps(data)
    compilation = compile_text(text, root=Path("/nowhere"), registry=REGISTRY)
    errors = [d for d in compilation.diagnostics if d.is_error]
    assert (compilation.plan is None) == bool(errors)
    for fault in compilation.diagnostics:
        assert fault.line >= 1
        assert fault.column >= 1
        assert "nput should" not in fault.message, "that is pydantic's word"
        assert fault.message.isprintable()


REGISTRY = Registry.installed()


def lines(head: str, line: Callable[[int], str], size: int = 2**20) -> str:
    """Text of about that size."""
    found, length, number = [head], len(head), 0
    while length < size - 400:
        one = line(number)
        found.append(one)
        length += len(one)
        number += 1
    return "".join(found)


HEAD = "version: 1\nnodes:\n"
LARGE: dict[str, Callable[[], str]] = {
    "unknown needs": lambda: lines(HEAD, lambda i: f"  node_{i}: {{run: x, needs: [nodq_{i}, zz{i}]}}\n"),
    "unknown needs of many nodes": lambda: lines(HEAD, lambda i: f"  n{i}: {{run: a, needs: x{i}}}\n"),
    "unknown keys": lambda: lines(HEAD + "  a:\n    run: x\n", lambda i: f"    key_{i}: 1\n"),
    "wrong nodes": lambda: lines(HEAD, lambda i: f"  n{i}: {{run: 1}}\n"),
    "wrong ids": lambda: lines(HEAD, lambda i: f"  n-{i}: {{run: x}}\n"),
    "wrong options": lambda: lines(HEAD, lambda i: f"  n{i}: {{agent: http, with: {{a{i}: 1}}}}\n"),
    "one ring": lambda: HEAD + "".join(f"  n{i}: {{run: x, needs: [n{(i + 1) % 20000}]}}\n" for i in range(20000)),
    "many pairs": lambda: HEAD + "".join(f"  n{i}: {{run: x, needs: [n{i ^ 1}]}}\n" for i in range(20000)),
    "everything needs everything": lambda: (
        HEAD
        + "".join(
            f"  n{i}: {{run: x, needs: [{','.join(f'n{j}' for j in range(400) if j != i)}]}}\n" for i in range(400)
        )
    ),
    "long names": lambda: lines(HEAD, lambda i: f"  {'a' * 150}{i}: {{run: x, needs: [{'a' * 150}z{i}]}}\n"),
    "unknown inputs": lambda: lines(
        HEAD + "  a:\n    run: x\n    env:\n", lambda i: f'      A{i}: "{{{{ inputs.x{i} }}}}"\n'
    ),
    "one long enum": lambda: (
        lines("version: 1\nnodes: {a: {run: x}}\ninputs:\n  a:\n    default: zz\n    enum: [y", lambda i: f", x{i}")
        + "]\n"
    ),
    "a huge pattern": lambda: 'version: 1\nnodes: {a: {run: x}}\ninputs: {a: {pattern: "((a{100}){100}){100}"}}\n',
}


@pytest.mark.parametrize("kind", LARGE)
@pytest.mark.few(2)
def test_r2_any_file_of_a_mebibyte_is_judged_within_the_bound(
    kind: str, tmp_path: Path, registry: Registry, in_time: Any
) -> None:
    """2 s of CPU are promised; the machine that tests may be slower than the one that was promised for."""
    text = LARGE[kind]()
    begin = time.process_time()
    compilation = compile_text(text, root=tmp_path, registry=registry)
    assert in_time(time.process_time() - begin, 6)
    assert compilation.plan is None
    assert len(compilation.diagnostics) <= 1001


def test_a_plan_of_thousands_of_nodes_keeps_its_places(tmp_path: Path, registry: Registry) -> None:
    text = HEAD + "".join(f"  n{i}:\n    run: echo {i}\n    needs: [{f'n{i - 1}' if i else ''}]\n" for i in range(3000))
    plan = compile_text(text, root=tmp_path, registry=registry).plan
    assert plan is not None
    assert (plan.nodes[2999].line, plan.nodes[2999].column) == (3 + 3 * 2999, 3)
    assert plan.nodes[0].priority == 3000


FAST = """
import sys
from pipe_runner.compiler import check_inputs, parse_input
from pipe_runner.project import find_root
heavy = {"pydantic", "yaml", "networkx", "jinja2", "importlib.metadata", "pydantic_core"} & set(sys.modules)
assert not heavy, heavy
"""


def test_inputs_are_checked_without_the_libraries_of_compiling() -> None:
    done = subprocess.run([sys.executable, "-c", FAST], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_networkx_is_imported_only_for_cycles() -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom pipe_runner.compiler import compile_text\n"
        "from pipe_runner.registry import Registry\n"
        "text = 'version: 1\\nnodes: {a: {run: x}, b: {run: x, needs: [a]}}\\n'\n"
        "assert compile_text(text, root=Path('/nowhere'), registry=Registry.installed()).plan\n"
        "assert 'networkx' not in sys.modules and 'jinja2' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
