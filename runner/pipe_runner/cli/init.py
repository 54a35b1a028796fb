"""`pipe init [DIR]`: a first pipeline and a pipe.yml, to begin with."""

from __future__ import annotations

import os
import sys
from typing import Final

from pipe_runner.cli.boundary import say
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.errors import StorageError, UsageError

HELLO: Final = """\
# Check it:  pipe check hello.yml
# Run it:    pipe run hello.yml -i who=you
version: 1
name: hello
description: Greets somebody, and counts what lies in this folder.

inputs:
  who: {type: string, default: world, description: Whom to greet}

nodes:
  greet:
    run: echo "Hello, {{ inputs.who }}!"

  entries:
    run: ls -A
    output: lines # text is the default; json and file are the others

  report: # reads the outputs of the other two, so it runs after them
    run: printf '%s There are %d entries here.\\n' {{ nodes.greet.output }} {{ nodes.entries.output | length }}

outputs:
  report: "{{ nodes.report.output }}"
"""

PROJECT: Final = """\
# The project's own settings; its folder is the project's root. Everything in here is optional.
version: 1

# defaults:                # where no flag and no PIPE_… variable says otherwise
#   concurrency: 8
#   grace: 10s
#   durability: full       # `os` is quicker, and survives the process but not a power cut

# limits:                  # bounds for every pipeline of the project
#   output: 16MiB
#   max_time: 2h
"""


def init(given: Given) -> int:
    """Write the files that aren't there yet, and say what comes next."""
    folder = given.text("dir") or "."
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise UsageError(f"{folder} is not a directory")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from None
    from pipe_runner.project import PROJECT_FILE, repository_of, root_of

    wrote = False
    for name, text in (("hello.yml", HELLO), (PROJECT_FILE, PROJECT)):
        path = os.path.normpath(os.path.join(folder, name))
        wrote = _write_new(path, text)
        say(f"{'wrote' if wrote else 'kept '} {safe(path)}{'' if wrote else ' (it is there already)'}")
    around = os.path.join(root_of(os.path.dirname(os.path.realpath(folder))), PROJECT_FILE)
    if wrote and os.path.isfile(around):
        say(f"this folder is now a project of its own, apart from that of {safe(around)}")
    if repository_of(os.path.realpath(folder)) is not None:
        say("git ignores .pipe/, where runs and their logs go: it says so itself")
    else:
        say("runs and their logs go to .pipe/")
    here = os.path.realpath(folder) == os.path.realpath(".")
    sys.stdout.write("next: " + ("" if here else f"cd {_quoted(folder)} && ") + "pipe run hello.yml\n")
    return 0


def _quoted(path: str) -> str:
    from shlex import quote

    return safe(quote(path if path[:1] != "-" else f"./{path}"))


def _write_new(path: str, text: str) -> bool:
    """True when the file was written; one that is there already stays as it is, whatever it is."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
    return True
