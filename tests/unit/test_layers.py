"""The layers of the code hold: imports go down only, never in a circle, and each heavy library has one home."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import networkx as nx
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = ("schemas", "runner", "agents", "providers")

# From the bottom to the top; ARCHITECTURE.md has the same table, and a test below compares the two.
LAYERS: dict[str, tuple[str, ...]] = {
    "words": (
        "types",
        "collecting",
        "text",
        "diagnostics",
        "errors",
        "halfcompiled",
        "codes",
        "forks",
        "prctl",
        "companions",
        "flags",
        "sync",
    ),
    "shapes": (
        "plan",
        "plandata",
        "subplans",
        "acted",
        "states",
        "run",
        "spent",
        "ports",
        "commands",
        "messages",
        "models",
    ),
    "reading": (
        "loader",
        "expressions",
        "declared",
        "plugins",
        "registry",
        "routing",
        "project",
        "compiler",
        "plancache",
    ),
    "running": (
        "capture",
        "retry",
        "limits",
        "secret_forms",
        "secret_needles",
        "secret_dumps",
        "secrets",
        "masking",
        "traces",
        "scope",
        "triggers",
        "stops",
        "deciding",
        "reruns",
        "fanout",
        "gone",
        "fans",
        "holds",
        "aside",
        "commits",
        "workers",
        "clearing",
        "halts",
        "artifacts",
        "workspaces",
        "resultcache",
        "scheduler",
        "nesting",
        "executors",
        "spending",
        "recordings",
        "lockfile",
        "tools",
        "calls",
    ),
    "telling": ("runlog", "stores", "bus", "telemetry", "console", "reports"),
    "composing": ("engine", "orchestrator"),
    "doors": ("__main__", "cli", "cases", "evals", "server", "fakes", "testing", "here"),
}
RANK = {module: rank for rank, modules in enumerate(LAYERS.values()) for module in modules}

# What a plugin may know of the runner.
PLUGIN_MAY_IMPORT = (
    "pipe_runner.ports",
    "pipe_runner.messages",
    "pipe_runner.models",
    "pipe_runner.types",
    "pipe_runner.errors",
    "pipe_runner.capture",
)

# The only places that may import a library, as prefixes of module names.
HOMES: dict[str, tuple[str, ...]] = {
    "yaml": ("pipe_runner.loader", "pipe_agents.infra.kubeconfig"),
    "networkx": ("pipe_runner.compiler",),
    "jinja2": ("pipe_runner.expressions", "pipe_runner.reports", "pipe_runner.server"),
    "rich": ("pipe_runner.console", "pipe_runner.cli"),
    "click": ("pipe_runner.cli",),
    "httpx2": ("pipe_agents", "pipe_providers", "pipe_runner.tools", "pipe_runner.testing"),
    "aiohttp": ("pipe_providers",),
    "mcp": ("pipe_runner.tools",),
    "genai_prices": ("pipe_runner.spending",),
    "boto3": ("pipe_agents", "pipe_providers", "pipe_runner.executors"),
    "opentelemetry": ("pipe_runner.telemetry",),
}

# The circles of files that are left, which imports within functions or for types close: why, the room, all its files.
LEFT: dict[str, tuple[str, str]] = {
    "ports and what is asked of models name each other's values": ("pipe_runner", "models ports"),
    "a sub-pipeline has a scheduler, which starts sub-pipelines": ("pipe_runner.nesting", "inner scheduler"),
    "a node may run a file: to compile the one is to compile the other": (
        "pipe_runner.compiler",
        "advice alike budgets build caching checks choosing doubts drafts fanout gives graph nodes outputs parts "
        "references repeated statuses subpipelines surroundings",
    ),
    "an expression holds filters and methods, which evaluate expressions": (
        "pipe_runner.expressions",
        "arithmetic filters filters_data filters_text formatting interpret methods",
    ),
    "shell text holds commands that hold shell text": (
        "pipe_runner.expressions",
        "interpreters shell_builtins shell_constants shell_containers shell_dollars shell_files shell_flows shell_git "
        "shell_interpreted shell_invoked shell_leading shell_lexer shell_marks shell_others shell_parallel "
        "shell_programs shell_shells shell_tables shell_tools",
    ),
}


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module: who imports it, at which line, and whether that happens when the importer is imported."""

    importer: str
    imported: str
    line: int
    at_import: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def modules() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in SOURCE_ROOTS:
        for path in sorted((REPOSITORY / root).rglob("*.py")):
            parts = list(path.relative_to(REPOSITORY / root).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            found[".".join(parts)] = path
    return found


MODULES = modules()


def _walk(node: ast.AST, at_import: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_import
            continue
        inside = at_import and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _walk(ast.Module([part], []), False)
            for part in child.orelse:
                yield from _walk(ast.Module([part], []), inside)
            continue
        yield from _walk(child, inside)


@cache
def imports() -> list[Import]:
    """Of all modules; read once, and not before a test wants it."""
    found = []
    for name, path in MODULES.items():
        for node, at_import in _walk(ast.parse(path.read_text(encoding="utf-8")), True):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            else:
                assert node.level == 0, f"{name}:{node.lineno} has a relative import"
                source = node.module or ""
                targets = [f"{source}.{a.name}" if f"{source}.{a.name}" in MODULES else source for a in node.names]
            found += [Import(name, target, node.lineno, at_import) for target in targets]
    return found


def layer_of(module: str) -> int | None:
    """The rank of a module of the runner; None for the bare package and for everything else."""
    parts = module.split(".")
    if parts[0] != "pipe_runner" or len(parts) == 1:
        return None
    return RANK[parts[1]]


def test_every_module_of_the_runner_has_a_layer() -> None:
    without = [m for m in MODULES if m.startswith("pipe_runner.") and m.split(".")[1] not in RANK]
    assert not without, f"give these a layer, here and in ARCHITECTURE.md: {without}"


def test_imports_go_down_only() -> None:
    up = []
    for found in imports():
        mine, theirs = layer_of(found.importer), layer_of(found.imported)
        if mine is not None and theirs is not None and theirs > mine:
            up.append(str(found))
    assert not up, "\n".join(up)


def test_schemas_stand_below_everything() -> None:
    wrong = [
        str(i)
        for i in imports()
        if i.importer.split(".")[0] == "pipe_schemas"
        and i.imported.split(".")[0] in {"pipe_runner", "pipe_agents", "pipe_providers"}
    ]
    assert not wrong, "\n".join(wrong)


def test_the_runner_names_no_plugin() -> None:
    wrong = [
        str(i)
        for i in imports()
        if i.importer.split(".")[0] == "pipe_runner" and i.imported.split(".")[0] in {"pipe_agents", "pipe_providers"}
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ["pipe_agents", "pipe_providers"])
def test_plugins_know_the_ports_and_nothing_else_of_the_runner(package: str) -> None:
    wrong = []
    for found in imports():
        if found.importer.split(".")[0] != package:
            continue
        top = found.imported.split(".")[0]
        other = {"pipe_agents", "pipe_providers"} - {package}
        if top in other or (top == "pipe_runner" and found.imported not in PLUGIN_MAY_IMPORT):
            wrong.append(str(found))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", sorted(HOMES))
def test_each_heavy_library_has_one_home(library: str) -> None:
    wrong = [
        str(i)
        for i in imports()
        if i.imported.split(".")[0] == library
        and not any(i.importer == home or i.importer.startswith(home + ".") for home in HOMES[library])
    ]
    assert not wrong, "\n".join(wrong)


def test_no_circle_of_imports() -> None:
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for found in imports():
        if found.at_import and found.imported in MODULES and found.imported != found.importer:
            graph[found.importer].add(found.imported)
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for following in sorted(graph[module]):
                visit(following, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def circles() -> list[frozenset[str]]:
    """Modules that need each other, whenever they import: at once, within a function, for types."""
    graph = nx.DiGraph((i.importer, i.imported) for i in imports() if i.imported in MODULES)
    return [frozenset(found) for found in nx.strongly_connected_components(graph) if len(found) > 1]


def left() -> list[frozenset[str]]:
    return [frozenset(f"{room}.{name}" for name in names.split()) for room, names in LEFT.values()]


def test_files_need_each_other_in_no_circle_but_those_that_are_left() -> None:
    new = [found for found in circles() if not any(found <= known for known in left())]
    ways = dict.fromkeys(str(i) for found in new for i in imports() if {i.importer, i.imported} <= found)
    assert not new, "move what both need into a file below both:\n" + "\n".join(ways)


def test_a_circle_that_is_gone_or_smaller_is_so_in_the_list_of_those_that_are_left() -> None:
    found = circles()
    changed = {why: sorted(known) for why, known in zip(LEFT, left(), strict=True) if known not in found}
    assert not changed, f"no such circle any more, or not of all these: {changed}"


def test_architecture_shows_the_same_layers() -> None:
    rows: dict[str, tuple[str, ...]] = {}
    for line in (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) >= 2 and cells[0] in LAYERS:
            rows[cells[0]] = tuple(word.strip("`/") for word in cells[1].split() if word.startswith("`"))
    assert rows == LAYERS


def _loaded_by(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_the_door_imports_nothing_heavy() -> None:
    heavy = {
        "yaml", "pydantic", "networkx", "jinja2", "rich", "httpx2", "boto3", "opentelemetry", "anyio", "asyncio",
        "importlib.metadata",
    }  # fmt: skip
    loaded = _loaded_by("import pipe_runner.cli")
    assert not heavy & loaded, sorted(heavy & loaded)


COMPANIONS = ("pipe_runner.executors.warden", "pipe_runner.runlog.syncer")


def test_companions_need_nothing_but_python_and_the_runner() -> None:
    """Where each package is installed from its own folder, they are told that of the runner alone."""
    wrong, seen, pending = [], set(COMPANIONS), list(COMPANIONS)
    while pending:
        importer = pending.pop()
        own = importer.startswith("pipe_runner.executors.") or importer in COMPANIONS
        for found in (i for i in imports() if i.importer == importer and (i.at_import or own)):
            top = found.imported.split(".")[0]
            if top != "pipe_runner" and top not in sys.stdlib_module_names:
                wrong.append(str(found))
            if found.imported in MODULES and found.imported not in seen:
                seen.add(found.imported)
                pending.append(found.imported)
    assert not wrong, "\n".join(wrong)
    assert "pipe_runner.text" in seen


# Imports each module in a process of its own, which is forked from one that has imported nothing of ours.
IMPORT_EACH = """
import importlib, os, sys, tempfile
for module in sys.argv[1:]:
    with tempfile.TemporaryFile() as printed:
        child = os.fork()
        if not child:
            os.dup2(printed.fileno(), 1)
            os.dup2(printed.fileno(), 2)
            importlib.import_module(module)
            sys.stdout.flush()
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        printed.seek(0)
        text = printed.read().decode()
        if status or text:
            print(module, status, text)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_module_can_be_imported_first_and_says_nothing() -> None:
    names = sorted(m for m in MODULES if not m.endswith("__main__"))
    done = subprocess.run([sys.executable, "-c", IMPORT_EACH, *names], capture_output=True, text=True, check=True)
    assert done.stdout == ""
