"""`pipe check`, `pipe graph` and `pipe schema`: what can be said of files without running anything."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pipe_runner.cases import SUFFIXES as TESTS
from pipe_runner.cli.boundary import colours, say, write_out
from pipe_runner.cli.files import write_whole
from pipe_runner.cli.words import Given
from pipe_runner.collecting import uncollected
from pipe_runner.console.words import safe
from pipe_runner.errors import InvalidPipeline, UsageError
from pipe_runner.evals import SUFFIXES as EVALS
from pipe_runner.types import YAML_ENDINGS

if TYPE_CHECKING:
    from pipe_runner.diagnostics import Diagnostic, Note
    from pipe_runner.registry import Registry
    from pipe_runner.reports.diagnostics import Format

_PROJECT = "pipe.yml"
_LOCK = "pipe.lock"
_PIPELINE = re.compile(rb"""^(?:(["']?)nodes\1\s*:|version:\s*1\s*(?:\#.*)?$|\{.*["']?nodes["']?\s*:)""", re.MULTILINE)
"""What makes YAML in a directory ours to judge: `nodes` or `version: 1` at its top; others have versions, too."""
_CASES = re.compile(rb"""^(?:(["']?)cases\1\s*:|version:\s*1\s*(?:\#.*)?$|\{.*["']?cases["']?\s*:)""", re.MULTILINE)
"""The same for *.test.yml: docker-compose.test.yml is somebody else's."""
_KEY = re.compile(rb"""^(["']?)([\w.-]+)\1\s*:""", re.MULTILINE)
_NO_MAP = re.compile(rb"""^(["']?)nodes\1\s*:(?:[ \t]+[^\s{&*\#]|\s*(?:\#.*\n\s*)*-\s)""", re.MULTILINE)
_TELLING = frozenset({"nodes", "include", "on_failure", "finally", "jobs", "stages", "steps", "tasks"})
"""Keys that say what is done, of ours and of other systems: whoever writes them under `version: 1` means a pipeline."""
_MEANS_OURS = re.compile(r"nod|x-|(?=.*e)(?=.*o)(?=.*d)(?=.*s)n[odes]{4}$").match
"""Keys that nobody else has: `nods`, `ndoes`, `x-base`."""
_MOST_NOTES = 20
_FROM_TOP = frozenset({"github", "gitlab", "sarif"})
"""Formats that are read by services, which know files by their paths in the repository."""
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "venv"})


def check(given: Given) -> int:
    """`pipe check PATH…`: every fault to stdout, a summary to stderr; 1 where there are errors."""
    from pipe_runner.registry import Registry
    from pipe_runner.reports.diagnostics import render, summary

    paths = given.many("path")
    files = pipeline_files(paths)
    registry = Registry.installed()
    found = together(_each(files, paths, registry))
    form = cast("Format", given.text("format") or "text")
    if form in _FROM_TOP:
        found = _from_top(found)
    write_out(render(found, form, colour=form == "text" and colours(sys.stdout)))
    if not given.on("quiet"):
        say(summary(found, files=len(files)))
    return 1 if any(one.is_error for one in found) else 0


def _from_top(found: Sequence[Diagnostic]) -> list[Diagnostic]:
    """With paths from the top of the repository that the working directory is in, by which services know files."""
    from pipe_runner.project import repository_of

    here = os.getcwd()
    top = repository_of(here)
    if top is None or top == here:
        return list(found)

    def known(path: str) -> str:
        whole = os.path.normpath(os.path.join(here, path))
        return os.path.relpath(whole, top) if whole.startswith(top.rstrip(os.sep) + os.sep) else path

    return [
        one._replace(path=known(one.path), notes=tuple(note._replace(path=known(note.path)) for note in one.notes))
        for one in found
    ]


def _each(files: Sequence[str], named: Sequence[str], registry: Registry) -> list[Checked]:
    """Check one file after the other. What is made for the last one lives until the process ends: a collection would
    walk through it in vain, which takes a fifth of the time of a large file."""
    import gc

    checked = [checked_file(file, registry, named=file in named) for file in files[:-1]]
    with uncollected():
        checked += [checked_file(file, registry, named=file in named) for file in files[-1:]]
        gc.freeze()
    return checked


class Checked(NamedTuple):
    """What a check of one file found."""

    named: bool
    """The user named it, and not only a directory that it lies in."""
    real: str
    diagnostics: Sequence[Diagnostic]
    includes: frozenset[str] = frozenset()
    """The files that it is made of beside its own, links resolved."""


def together(checked: Sequence[Checked]) -> list[Diagnostic]:
    """What is wrong with all files. One that another one includes is checked there, with the inputs that it has there,
    and by itself only where the user names it; a fault that several places lead to is told once, with these places.
    """
    inside: set[str] = set()
    for one in checked:
        if not any(one.real in other.includes for other in checked):
            inside |= one.includes
    told: dict[Diagnostic, dict[Note, None]] = {}
    for one in checked:
        if one.named or one.real not in inside:
            for fault in one.diagnostics:
                told.setdefault(fault._replace(notes=()), {}).update(dict.fromkeys(fault.notes))
    return [fault._replace(notes=tuple(notes)[:_MOST_NOTES]) for fault, notes in told.items()]


def checked_file(file: str, registry: Registry, *, named: bool) -> Checked:
    """Check one file. One that can't be opened is a fault; raises UsageError where the user named it."""
    try:
        return _checked(file, registry, named=named)
    except UsageError as error:
        if named:
            raise
        from pipe_runner.diagnostics import Diagnostic

        fault = Diagnostic(os.path.relpath(file), 1, 1, "E602", error.message, error.hint)
        return Checked(named, os.path.abspath(file), [fault])


def _checked(file: str, registry: Registry, *, named: bool) -> Checked:
    """The same for a file that can be opened; pipe.yml by its own rules."""
    from pathlib import Path

    from pipe_runner.compiler import compile_file
    from pipe_runner.compiler.project import load_project
    from pipe_runner.diagnostics import in_order
    from pipe_runner.project import find_root

    path = os.path.abspath(file)
    if path.endswith(TESTS):
        from pipe_runner.cases.reading import Reader

        return Checked(named, path, Reader(registry).read(file, only_faults=True).diagnostics)
    if path.endswith(EVALS):
        from pipe_runner.evals.reading import read_evaluation

        return Checked(named, path, read_evaluation(file, registry).diagnostics)
    if os.path.basename(path) == _PROJECT:
        return Checked(named, path, load_project(Path(os.path.dirname(path)), registry, deep=True)[1])
    if os.path.basename(path) == _LOCK:
        from pipe_runner.lockfile.files import read_lock

        return Checked(named, path, read_lock(os.path.dirname(path)).faults)
    found = compile_file(file, root=find_root(Path(path)), registry=registry, only_faults=True)
    told = found.diagnostics
    if found.plan is not None:
        from pipe_runner.cli.unpriced import tell_unpriced

        told = in_order([*told, *tell_unpriced(found.plan, found.document, registry)])
    return Checked(named, os.path.realpath(path), told, frozenset(real for _, real, _ in found.files))


def pipeline_files(paths: tuple[str, ...] | Any) -> list[str]:
    """The files that the paths name, each once; of a directory those that look like pipelines, in order."""
    files: dict[str, str] = {}
    for path in paths:
        if os.path.isdir(path):
            within = list(files_below(path))
            if not within:
                raise UsageError(
                    f"there is no pipeline file in {path}", hint="of a directory, *.yml and *.yaml with `nodes:` count"
                )
            for file in within:
                files.setdefault(os.path.abspath(file), file)
        elif not os.path.lexists(path):
            raise UsageError(f"there is no file {path}", hint=near(path))
        else:
            files[os.path.abspath(path)] = path
    return list(files.values())


def near(path: str) -> str | None:
    """What was probably meant by the name of a file that isn't there."""
    from pipe_runner.diagnostics import did_you_mean

    try:
        names = os.listdir(os.path.dirname(path) or ".")
    except OSError:
        return None
    wanted = os.path.basename(path)
    found = did_you_mean(wanted, [name for name in names if name.endswith(YAML_ENDINGS)])
    if found and found[0].lower() != wanted[0].lower() and abs(len(found) - len(wanted)) > 1:
        return None  # `other.yml` for `nothere`: the letters are there, but nobody slips like that
    return f"did you mean {os.path.join(os.path.dirname(path), found)}?" if found else None


def files_below(folder: str) -> Iterator[str]:
    """Every file below that is ours to judge, links to folders not followed, hidden folders left out. A folder below
    that can't be read is told on stderr; raises UsageError where `folder` itself can't be."""

    def unread(error: OSError) -> None:
        told = f"{os.path.normpath(error.filename)} can't be read: {error.strerror}"
        if error.filename == folder:
            raise UsageError(told)
        say(f"warning: {safe(told)}; what is in it is left out")

    for home, folders, names in os.walk(folder, onerror=unread):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and n not in _SKIPPED_FOLDERS)
        for name in sorted(names):
            file = os.path.join(home, name)
            if (name.endswith(YAML_ENDINGS) or name == _LOCK) and _is_ours(file):
                yield file


def _is_ours(file: str) -> bool:
    """A project's file, or one that looks like a pipeline or like tests of one."""
    if os.path.basename(file) in (_PROJECT, _LOCK):
        return True
    if not os.path.isfile(file):
        return False
    try:
        with open(file, "rb") as opened:
            text = opened.read(1 << 20)
    except OSError:
        return True  # a file that can't be read is told as a fault
    if file.endswith((*TESTS, *EVALS)):
        return _CASES.search(text) is not None
    return _PIPELINE.search(text) is not None and not _is_anothers(text)


def _is_anothers(text: bytes) -> bool:
    """Whether YAML with `nodes` or `version: 1` at its top is for another program, as a buildspec or kind's."""
    from pipe_schemas.pipeline import PipelineSpec

    keys = {found[2].decode() for found in _KEY.finditer(text)}
    if "version" not in keys:
        return "apiVersion" in keys or _NO_MAP.search(text) is not None
    if any(key in _TELLING or _MEANS_OURS(key.lower()) for key in keys):
        return False
    return not keys <= {field.alias or name for name, field in PipelineSpec.model_fields.items()}


def graph(given: Given) -> int:
    """`pipe graph FILE`."""
    from pipe_runner.compiler import compile_file
    from pipe_runner.registry import Registry
    from pipe_runner.reports.graph import render
    from pipe_runner.text import ci_safe

    file, out = given.must("file"), given.text("out")
    if out == "":
        raise UsageError("--out is empty", hint="`-o FILE`, or `-o -` for stdout")
    compilation = compile_file(file, registry=Registry.installed())
    if compilation.plan is None:
        raise InvalidPipeline(compilation.diagnostics)
    text = render(compilation.plan, given.text("format") or "text")
    if out is None or out == "-":
        sys.stdout.write(ci_safe(text))
        return 0
    write_whole(out, [text.encode("utf-8", "backslashreplace")])
    return 0


def schema(given: Given) -> int:
    """`pipe schema [NAME]`: one JSON Schema; that of pipeline files where none is named."""
    from pipe_runner.diagnostics import did_you_mean
    from pipe_schemas.generate import names, text

    name = given.text("name") or "pipeline"
    known = names()
    if name not in known:
        near = did_you_mean(name, known)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(known)}"
        raise UsageError(f"there is no schema {name}", hint=hint)
    sys.stdout.write(text(name))
    return 0
