"""R2 of whole processes: `pipe check` judges any file of a mebibyte in 2 s of CPU and 256 MB."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SIZE = 2**20
MOST_CPU, MOST_MEMORY = 2.0, 256 * 2**20
FLOORS = 1.4
"""On machines that are slower than the one that was promised for: as much as PyYAML's C loader takes, this often."""
LOAD = "import sys, yaml; yaml.load(open(sys.argv[1]).read(), Loader=yaml.CSafeLoader)"

HEAD = "version: 1\nnodes:\n"
ONE = "version: 1\nnodes: {a: {run: x}}\n"


def filled(head: str, line: Callable[[int], str], tail: str = "") -> str:
    """Lines, or items, up to the size."""
    found, length, number = [head], len(head) + len(tail), 0
    while (length := length + len(one := line(number))) < SIZE:
        found.append(one)
        number += 1
    return "".join(found) + tail


def scripts(text: str) -> str:
    """A file of nodes whose shell texts have much to look at beside a value."""
    return filled(
        "version: 1\ninputs: {v: {type: string, default: a}}\nnodes:\n",
        lambda i: f"  n{i}: {{run: 'echo {{{{ inputs.v }}}} {i};{text}'}}\n",
    )


FILES: dict[str, Callable[[], str]] = {
    "nodes": lambda: filled(HEAD, lambda i: f"  n{i}: {{run: a}}\n"),
    "nodes in a line": lambda: filled("version: 1\nnodes: {", lambda i: f"n{i}: {{run: a}}, ", "z: {run: a}}\n"),
    "handlers": lambda: filled(ONE + "on_failure:\n", lambda i: f"  n{i}: {{run: a}}\n"),
    "programs": lambda: filled(HEAD, lambda i: f"  n{i}: {{argv: [a]}}\n"),
    "functions": lambda: filled(HEAD, lambda i: f"  n{i}: {{agent: python, with: {{call: 'm:f'}}}}\n"),
    "merged nodes": lambda: filled(
        "version: 1\nx-a: &a {run: a}\nnodes:\n", lambda i: f"  n{i}: {{<<: *a}}\n"
    ),
    "nodes with x- keys": lambda: filled(HEAD, lambda i: f"  n{i}: {{run: a, x-a: 1}}\n"),
    "x- keys": lambda: filled(ONE, lambda i: f"x-{i}: 1\n"),
    "conditions": lambda: filled(HEAD, lambda i: f"  n{i}: {{run: a, when: 'true'}}\n"),
    "chains of conditions": lambda: filled(
        "version: 1\ninputs: {v: {type: integer, default: 1}}\nnodes:\n",
        lambda i: f"  n{i}: {{run: a, when: {' and '.join(['inputs.v'] * 90)} > 0}}\n",
    ),
    "inputs": lambda: filled(ONE + "inputs: {", lambda i: f"i{i}: {{}}, ", "z: {}}\n"),
    "properties of an input": lambda: filled(
        ONE + "inputs: {a: {type: object, properties: {", lambda i: f"i{i}: {{}}, ", "z: {}}}}\n"
    ),
    "outputs": lambda: filled(ONE + "outputs: {", lambda i: f"o{i}: 1, ", "z: 1}\n"),
    "wrong variables": lambda: filled(ONE + "env:\n", lambda i: f"  n{i}: {{}}\n"),
    "wrong variables of a node": lambda: filled(
        HEAD + "  a:\n    run: x\n    env:\n", lambda i: f"      n{i}: {{}}\n"
    ),
    "variables, wrong at last": lambda: filled(
        ONE + "env: {", lambda i: f"n{i}: {{}}, " if i > 40_000 else f"n{i}: 1, ", "z: 1}\n"
    ),
    "variables of a node, wrong at last": lambda: filled(
        "version: 1\nnodes: {a: {run: x, env: {",
        lambda i: f"n{i}: {{}}, " if i > 40_000 else f"n{i}: 1, ",
        "z: 1}}}\n",
    ),
    "nodes of nothing": lambda: filled("version: 1\nnodes: {", lambda i: f"n{i}, ", "z: {run: a}}\n"),
    "nodes of text": lambda: filled(HEAD, lambda i: f"  n{i}: a\n"),
    "wrong ids": lambda: filled("version: 1\nnodes: {", lambda i: f"n-{i}, ", "z: {run: a}}\n"),
    "unknown needs": lambda: filled(HEAD, lambda i: f"  n{i}: {{run: a, needs: zz{i}}}\n"),
    "needs of numbers": lambda: filled("version: 1\nnodes: {a: {run: x, needs: [", lambda i: f"{i}, ", "z]}}\n"),
    "wrong names of secrets": lambda: filled("version: 1\nnodes: {a: {run: x, secrets: [", lambda _: "a-,", "z]}}\n"),
    "secrets from nowhere": lambda: filled(ONE + "secrets: {", lambda i: f"s{i}: {{}}, ", "z: {from: env}}\n"),
    "inputs of nothing": lambda: filled(ONE + "inputs: {", lambda i: f"i{i}, ", "z: {}}\n"),
    "included files": lambda: filled("version: 1\ninclude: [", lambda _: "{file: a},", "{file: a}]\n"),
    "included numbers": lambda: filled("version: 1\ninclude: [", lambda _: "1  ,", "1]\n"),
    "sub-pipelines": lambda: filled(HEAD, lambda i: f"  n{i}: {{pipeline: sub.yml}}\n"),
    "sub-pipelines that aren't there": lambda: filled(HEAD, lambda i: f"  n{i}: {{pipeline: s{i}.yml}}\n"),
    "a matrix": lambda: filled("version: 1\nnodes: {a: {run: x, matrix: {a: [", lambda i: f"{i},", "1]}}}\n"),
    "wrong axes": lambda: filled("version: 1\nnodes: {a: {run: x, matrix: {", lambda i: f"a{i}: 1,", "z: [1]}}}\n"),
    "arguments of a function": lambda: filled(
        "version: 1\nnodes: {a: {agent: python, with: {call: 'm:f', args: {",
        lambda i: f"k{i}: {{a: [1]}},",
        "z: 1}}}}\n",
    ),
    "wrong headers": lambda: filled(
        "version: 1\nnodes: {a: {agent: http, with: {url: 'http://x/', headers: {",
        lambda i: f"k{i}: {{}},",
        "z: 1}}}}\n",
    ),
    "unknown options": lambda: filled(
        "version: 1\nnodes: {a: {agent: http, with: {url: 'http://x/', ", lambda i: f"k{i}: 1,", "z: 1}}}\n"
    ),
    "unknown keys": lambda: filled(ONE, lambda i: f"k{i}: 1\n"),
    "aliased nodes": lambda: filled("version: 1\nx-a: &a {run: a}\nnodes: {", lambda i: f"n{i}: *a,", "z: *a}\n"),
    "aliased variables": lambda: filled(
        "version: 1\nx-a: &a {A: b}\nnodes: {", lambda i: f"n{i}: {{run: a, env: *a}},", "z: {run: a}}\n"
    ),
    "merged variables": lambda: filled(
        "version: 1\nx-a: &a {A: a}\nnodes: {", lambda i: f"n{i}: {{run: a, env: {{<<: *a}}}},", "z: {run: a}}\n"
    ),
    "lists of merge keys": lambda: filled(
        "version: 1\nx-a: &a {run: a}\nx-b: &b {timeout: 5s}\nnodes:\n", lambda i: f"  n{i}: {{<<: [*a, *b]}}\n"
    ),
    "words on lines": lambda: filled(HEAD + "  a:\n    argv:\n", lambda _: "    - a\n"),
    "numbers on lines": lambda: filled(HEAD + "  a:\n   argv:\n", lambda i: f"   - {i}\n"),
    "scripts within scripts": lambda: scripts("docker" + " sh -c a" * 740),
    "programs in variables": lambda: scripts("c=sh;" + '"$c" x;' * 800),
    "functions that call functions": lambda: scripts(
        "".join(f'f{i}() {{ shift; f{i + 1} "$@"; eval $3; }};' for i in range(150))
    ),
}  # fmt: skip
FAULTLESS = {
    "nodes", "nodes in a line", "handlers", "programs", "functions", "merged nodes", "nodes with x- keys", "x- keys",
    "conditions", "chains of conditions", "inputs", "properties of an input", "outputs", "aliased nodes",
    "aliased variables", "merged variables", "words on lines", "numbers on lines",
}  # fmt: skip


USED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""
"""Asked of a small process: one that is started by a large one is said to have had its memory."""


def used(command: list[str], folder: Path) -> tuple[int, float, int]:
    """Exit code, seconds of CPU and bytes of memory of a process."""
    asked = [sys.executable, "-S", "-c", USED, *command]
    code, cpu, memory = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    return int(code), float(cpu), int(memory)


def judged(file: str, folder: Path) -> int:
    """Check a file within the bounds of R2; gives the exit code."""
    assert (folder / file).stat().st_size <= SIZE
    for _ in range(3):  # others on the machine cost CPU time, too
        code, cpu, memory = used([sys.executable, "-m", "pipe_runner", "check", file], folder)
        assert memory < MOST_MEMORY
        if cpu < MOST_CPU:
            return code
        (folder / "floor.yaml").write_text(FILES["nodes"]())
        floor = used([sys.executable, "-c", LOAD, "floor.yaml"], folder)[1]
        if cpu < FLOORS * floor:
            return code
    raise AssertionError(f"{cpu:.2f} s of CPU, where PyYAML takes {floor:.2f} s")


QUICK = {
    "nodes", "programs", "merged nodes", "wrong variables", "nodes of nothing", "unknown needs", "wrong headers",
    "sub-pipelines", "aliased nodes", "chains of conditions",
}  # fmt: skip
"""Those of each sort that are judged each time; the others in the long campaigns."""


@pytest.mark.parametrize("kind", [pytest.param(k, marks=() if k in QUICK else pytest.mark.slow) for k in FILES])
@pytest.mark.few(2)
def test_r2_a_file_of_a_mebibyte_is_checked_within_2_seconds_and_256_mb(kind: str, tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").touch()
    (tmp_path / "sub.yml").write_text(ONE)
    (tmp_path / "large.yml").write_text(FILES[kind]())
    assert judged("large.yml", tmp_path) == (0 if kind in FAULTLESS else 1)


CASES: dict[str, Callable[[], str]] = {
    "cases": lambda: filled("version: 1\ncases: {", lambda i: f"c{i}: {{}}, ", "z: {}}\n"),
    "cases that are all alike": lambda: filled("version: 1\nx-a: &a {}\ncases: {", lambda i: f"c{i}: *a, ", "z: {}}\n"),
    "cases of nothing": lambda: filled("version: 1\ncases: {", lambda i: f"c{i}, ", "z: {}}\n"),
    "wrong stand-ins": lambda: filled("version: 1\ncases: {a: {mock: {a: [", lambda _: "1, ", "{}]}}}\n"),
    "cases with merge keys": lambda: filled(
        "version: 1\nx-a: &a {}\ncases: {", lambda i: f"c{i}: {{<<: *a}}, ", "z: {}}\n"
    ),
    "stand-ins for all cases": lambda: filled(
        "version: 1\ncases: {c: {}}\ndefaults: {mock: {", lambda i: f"m{i}: {{output: a}},", "a: {output: x}}}\n"
    ),
    "unknown nodes": lambda: filled("version: 1\ncases: {a: {mock: {", lambda i: f"m{i}: {{}},", "z: {}}}}\n"),
    "wrong expectations": lambda: filled(
        "version: 1\ncases: {a: {expect: {nodes: {", lambda i: f"m{i}: x,", "z: x}}}}\n"
    ),
}


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.few(1)
def test_r2_a_file_of_tests_is_checked_within_the_same_bounds(kind: str, tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").touch()
    (tmp_path / "large.yml").write_text(ONE)
    (tmp_path / "large.test.yml").write_text(CASES[kind]())
    assert judged("large.test.yml", tmp_path) == (0 if kind.startswith("cases") and "nothing" not in kind else 1)


PROJECTS: dict[str, Callable[[], str]] = {
    "presets": lambda: filled("agents: {", lambda i: f"p{i}: {{agent: shell, with: {{run: a}}}},", "}\n"),
    "presets of nothing": lambda: filled("agents: {", lambda i: f"p{i},", "}\n"),
    "empty presets": lambda: filled("agents: {", lambda i: f"p{i}: {{}},", "}\n"),
    "wrong variables": lambda: filled("agents: {a: {agent: shell, env: {", lambda i: f"p{i}: {{}},", "}}}\n"),
    "hosts": lambda: filled("policy: {http: {allow: [", lambda _: "a.b,", "]}}\n"),
}


@pytest.mark.parametrize("kind", PROJECTS)
@pytest.mark.few(1)
def test_r2_pipe_yml_is_checked_within_the_same_bounds(kind: str, tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text(PROJECTS[kind]())
    assert judged("pipe.yml", tmp_path) == (0 if kind in ("presets", "hosts") else 1)
