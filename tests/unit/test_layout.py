"""The layout of the repository and of what is built from it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = {
    "schemas": "pipe_schemas",
    "runner": "pipe_runner",
    "agents": "pipe_agents",
    "providers": "pipe_providers",
}
LINE_LIMIT = 400
# A file may be longer only with a reason, written here beside its name.
LONGER_WITH_REASON: dict[str, str] = {
    "tests/unit/agents/test_http.py": "what servers may answer, one short test each, over the same small servers",
    "tests/unit/agents/test_python.py": "what functions may do, one short test each, over the same few lines of set-up",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return zipfile.ZipFile(built)


def test_each_source_root_holds_exactly_its_package() -> None:
    for root, package in SOURCE_ROOTS.items():
        packages = {p.parent.name for p in (REPOSITORY / root).glob("*/__init__.py")}
        assert packages == {package}
        assert not (REPOSITORY / root / "__init__.py").exists(), f"{root}/ must not be importable"
        assert (REPOSITORY / root / package / "py.typed").is_file()


def test_packages_are_at_most_two_deep() -> None:
    for root, package in SOURCE_ROOTS.items():
        top = REPOSITORY / root / package
        deep = [str(p) for p in top.rglob("*.py") if len(p.relative_to(top).parts) > 2]
        assert not deep, deep


def test_the_wheel_installs_only_our_four_names(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    (info,) = [t for t in tops if t.endswith(".dist-info")]
    assert tops - {info} == set(SOURCE_ROOTS.values())


def test_the_wheel_carries_types_and_the_command(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {f"{package}/py.typed" for package in SOURCE_ROOTS.values()} <= names
    (entry_points,) = [n for n in names if n.endswith("entry_points.txt")]
    text = wheel.read(entry_points).decode()
    assert "pipe = pipe_runner.cli:main" in text
    assert "[pipe_runner.agents]" in text


def test_the_wheel_holds_everything_that_the_packages_hold(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for root in SOURCE_ROOTS:
        for path in (REPOSITORY / root).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.parent != REPOSITORY / root:
                assert path.relative_to(REPOSITORY / root).as_posix() in names


def test_entry_points_name_things_that_exist() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = [t for group in project["entry-points"].values() for t in group.values()] + [*project["scripts"].values()]
    for target in targets:
        module, name = target.split(":")
        code = f"import {module} as m; assert hasattr(m, {name!r})"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{target}: {done.stderr}"


def test_no_file_is_too_long() -> None:
    tooling = ("tests", "bench", "pipelines")
    long = {}
    for root in (*SOURCE_ROOTS, *tooling):
        for path in (REPOSITORY / root).rglob("*.py"):
            if "__pycache__" in path.parts or "out" in path.relative_to(REPOSITORY).parts:
                continue
            lines = len(path.read_text(encoding="utf-8").splitlines())
            name = path.relative_to(REPOSITORY).as_posix()
            if lines > LINE_LIMIT and name not in LONGER_WITH_REASON:
                long[name] = lines
    assert not long, f"split these (over {LINE_LIMIT} lines): {long}"
