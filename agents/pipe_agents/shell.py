"""The agent behind `run:` and `argv:`: starts a command, and makes what it printed the output."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault, in_seconds
from pipe_runner.ports import AgentDescription, Attempt, Command, Context, NodeError, Outcome, ProcessEnd
from pipe_runner.types import BASE_ENVIRONMENT, DEFAULT_PATH, ErrorKind, Json, JsonObject, NodeStatus

if TYPE_CHECKING:
    from pydantic import BaseModel

LARGE: Final = 100 * 1024
"""Characters from which a script is not given as an argument: systems take 128 KiB, in bytes."""

_tuple: Any = tuple.__new__  # without the call that a class would make of it: two for each command
_SUCCEEDED: Final = NodeStatus.SUCCEEDED
_SHELLS: Final[Mapping[str, tuple[str, ...]]] = {
    "sh": ("/bin/sh", "-e", "-c"),
    "bash": ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"),
}
_EVALUATE: Final = ("-e", "-E", "-r", "--eval", "-Command", "-command")
"""Last words of a list after which text is expected; and `-c`, `-ec`, …"""
_POSIX_SHELLS: Final = ("sh", "bash", "dash", "ash", "ksh", "zsh", "busybox")
"""To these, `-e` means something else."""
_TERMINATED: Final = (129, 130, 137, 143)
"""Exit codes of a shell whose command was ended by HUP, INT, KILL or TERM."""


class ShellAgent:
    """Runs shell text and programs, each in a process group of its own."""

    name = "shell"
    version = "1"

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._base = base_environment(os.environ if environ is None else environ)

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Runs shell text or a program; gives what it prints, as text, lines or JSON, or what it wrote to "
            "$PIPE_OUTPUT.",
            capabilities=("shell", "command"),
            secret_options=("stdin",),
            runs_processes=True,
            keeps_time=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.shell import ShellOptions

        return ShellOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        kind = options.get("output", "text")
        if kind == "text":
            return {"type": "string"}
        if kind == "lines":
            return {"type": "array", "items": {"type": "string"}}
        return {"type": "object"} if kind == "file" else {}

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        options: Mapping[str, Any] = attempt.options
        kind = options.get("output", "text")
        output_path = f"{context.scratch}{os.sep}{_file_name(attempt)}.output"
        env = {**self._base, **attempt.env, **context.secrets}
        env["PIPE_RUN_ID"] = attempt.run
        env["PIPE_NODE"] = attempt.node
        env["PIPE_ATTEMPT"] = str(attempt.number)
        env["PIPE_IDEMPOTENCY_KEY"] = attempt.idempotency_key
        env["PIPE_OUTPUT"] = output_path
        if attempt.workspace:
            env["PIPE_ROOT"] = attempt.root
        if attempt.traceparent:
            env["TRACEPARENT"] = attempt.traceparent
        if context.bus is not None:
            env.update(context.bus.environment())
        script = options.get("script")
        files: list[str] = []
        try:
            variables = options.get("variables")
            if variables:
                from pipe_agents.shell_values import placed

                place = os.path.join(context.scratch, _file_name(attempt))
                text = placed(script or "", options, env, place, files)
                if script is not None:
                    script = text
                elif text:
                    raise NodeFault(ErrorKind.TEMPLATE, "a value is too large for the environment: give it by `stdin:`")
            if script is None:
                argv = tuple(options["argv"])
            else:
                argv = self._argv(script, options.get("shell", "sh"), env, attempt, context, files)
            cwd = options.get("cwd")
            stdin = options.get("stdin")
            folder = attempt.workspace or (attempt.root if cwd is None else _folder(attempt.root, cwd))
            given = None if stdin is None else _bytes(stdin)
            command: Command = _tuple(Command, (argv, env, folder, given))
            if kind == "file":
                files.append(output_path)
                _remove([output_path])
            end = await context.launcher.run(command, attempt, context.emit, context.masker)
            return _outcome(end, kind, output_path, command, attempt, context)
        finally:
            _remove(files)

    def _argv(
        self,
        script: str,
        shell: str | list[str],
        env: Mapping[str, str],
        attempt: Attempt,
        context: Context,
        files: list[str],
    ) -> tuple[str, ...]:
        if shell == "python":
            words: tuple[str, ...] = (_python(env), "-u", "-c")
        elif isinstance(shell, str):
            words = _SHELLS[shell]
        else:
            words = tuple(shell)
        as_text = isinstance(shell, str) or _takes_text(words)
        if as_text and (len(script) < LARGE // 4 or len(script.encode("utf-8", "surrogatepass")) < LARGE):
            if script[:1] in ("-", "+") and os.path.basename(words[0]) in _POSIX_SHELLS:
                script = f" {script}"  # else the shell takes it for options of its own
            return (*words, script)
        if as_text and not isinstance(shell, str):
            raise NodeFault(
                ErrorKind.TEMPLATE, f"the script is too large for an argument: put {{0}} where {words[0]} takes a file"
            )
        from pipe_agents.shell_values import kept

        path = kept(os.path.join(context.scratch, f"{_file_name(attempt)}.script"), script, files)
        if as_text:
            return (*words[:-1], path)
        if any("{0}" in word for word in words):
            return tuple(word.replace("{0}", path) for word in words)
        return (*words, path)


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The short list that every command gets; PATH always."""
    base = {name: environ[name] for name in BASE_ENVIRONMENT if name in environ}
    base.update((name, value) for name, value in environ.items() if name.startswith("LC_"))
    base.setdefault("PATH", DEFAULT_PATH)
    return base


def _outcome(
    end: ProcessEnd, kind: str, output_path: str, command: Command, attempt: Attempt, context: Context
) -> Outcome:
    error = _error(end, command, attempt)
    if error is None and kind == "text":
        outcome: Outcome = _tuple(Outcome, (_SUCCEEDED, _text(end), None, 0, None, end.truncated, None, ()))
        return outcome
    output: Json = None
    if end.not_found is None and end.unavailable is None:
        output, fault = _output(end, kind, output_path, attempt, context)
        error = error or fault
    status = NodeStatus.SUCCEEDED
    if error is not None:
        status = NodeStatus.CANCELLED if error.kind is ErrorKind.CANCELLED else NodeStatus.FAILED
    truncated = None if kind == "file" else end.truncated
    return Outcome(status, output, error, end.exit_code, truncated=truncated)


def _error(end: ProcessEnd, command: Command, attempt: Attempt) -> NodeError | None:
    """Why the attempt failed, if it did by the way in which its process ended."""
    if end.exit_code == 0 and not end.timed_out:
        return None
    tail = end.stderr_tail.decode("utf-8", "replace") or None
    if end.not_found is not None:
        from pipe_agents.shell_values import too_much

        why = too_much(command)
        return NodeError(ErrorKind.NOT_FOUND if why is None else ErrorKind.TEMPLATE, why or end.not_found)
    if end.unavailable is not None:
        return NodeError(ErrorKind.UNAVAILABLE, end.unavailable)
    if end.timed_out:
        return NodeError(ErrorKind.TIMEOUT, f"timed out after {in_seconds(attempt.timeout or 0)}", end.exit_code, tail)
    if end.lost:
        return NodeError(ErrorKind.LOST, "nobody knows how it ended: what watched over it died", tail=tail)
    if end.stopped and (end.exit_code is None or end.exit_code in _TERMINATED):
        return NodeError(ErrorKind.CANCELLED, "the run was stopped", end.exit_code, tail)
    if end.exit_code is not None:
        return NodeError(ErrorKind.EXIT, f"exited with {end.exit_code}", end.exit_code, tail)
    if end.signal is None:
        return NodeError(ErrorKind.LOST, "it could not be ended", tail=tail)
    return NodeError(ErrorKind.SIGNAL, f"ended by {_signal_name(end.signal)}", tail=tail)


def _output(
    end: ProcessEnd, kind: str, output_path: str, attempt: Attempt, context: Context
) -> tuple[Json, NodeError | None]:
    """The output and, where it is not what `output:` says, why; then the output is the text, or nothing."""
    if kind == "text":
        return _text(end), None
    from pipe_agents import shell_output

    try:
        if kind == "file":
            return shell_output.of_file(output_path, attempt.output_limit, context.masker), None
        if end.truncated is not None:
            raise NodeFault(
                ErrorKind.OUTPUT_TOO_LARGE,
                f"it printed {end.truncated['bytes']} bytes, and the limit is {attempt.output_limit}",
            )
        if kind == "lines":
            return shell_output.of_lines(_decoded(end)), None
        return shell_output.of_json(end.stdout, context.masker), None
    except NodeFault as fault:
        return None if kind == "file" else _text(end), NodeError(fault.kind, fault.message, end.exit_code)


def _text(end: ProcessEnd) -> str:
    return _decoded(end).rstrip("\n")


def _decoded(end: ProcessEnd) -> str:
    """Stdout as text; a character that the limit cut is left out."""
    if end.truncated is None:
        return end.stdout.decode("utf-8", "replace")
    from codecs import getincrementaldecoder

    return getincrementaldecoder("utf-8")("replace").decode(end.stdout)


def _folder(root: str, cwd: str) -> str:
    path = os.path.realpath(os.path.join(root, cwd))
    if path != root and not path.startswith(root.rstrip("/") + "/"):
        raise NodeFault(ErrorKind.REFUSED, f"the working directory {cwd} is outside the project's root {root}")
    if not os.path.isdir(path):
        what = "is not a directory" if os.path.exists(path) else "is not there"
        raise NodeFault(ErrorKind.NOT_FOUND, f"the working directory {cwd} {what}")
    return path


def _python(env: Mapping[str, str]) -> str:
    """The python3 of the command's PATH, else the one that runs us."""
    import sys
    from shutil import which

    return which("python3", path=env.get("PATH", DEFAULT_PATH)) or sys.executable


def _takes_text(words: tuple[str, ...]) -> bool:
    """Whether a program with these arguments takes the program text next, and not the name of a file."""
    last = words[-1]
    if any("{0}" in word for word in words):
        return False
    if last.startswith("-") and last[1:].isalpha() and last.endswith("c"):
        return True
    return last in _EVALUATE and os.path.basename(words[0]) not in _POSIX_SHELLS


def _signal_name(number: int) -> str:
    from signal import Signals

    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"


def _bytes(stdin: str) -> bytes:
    """As arguments and variables are given; raises NodeFault for what has no bytes."""
    try:
        return stdin.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        half = f"U+{ord(stdin[error.start]):04X}"
        raise NodeFault(
            ErrorKind.TEMPLATE, f"stdin holds half a character (the surrogate {half}), which no program can be given"
        ) from None


def _file_name(attempt: Attempt) -> str:
    """A name for files of the attempt; differs for every node and attempt of the run."""
    node = attempt.node
    if not (node.isidentifier() and node.isascii() and len(node) <= 100):
        from hashlib import sha256

        node = f"-{sha256(node.encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"
    return f"{node}.{attempt.number}"


def _remove(paths: list[str]) -> None:
    for path in paths:
        try:
            os.unlink(path)
        except OSError:  # it was never made, or the run's end removes it
            pass
