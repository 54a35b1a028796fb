"""The click application, built from the definitions in `table`: help, completion, and every usage error."""

from __future__ import annotations

import os
import shlex
import textwrap
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from pipe_runner.cli import others, table
from pipe_runner.cli.dispatch import call
from pipe_runner.cli.words import Argument, Command, Flag, Given
from pipe_runner.diagnostics import did_you_mean
from pipe_runner.errors import UsageError
from pipe_runner.text import printable
from pipe_runner.types import YAML_ENDINGS

_NAME: Final = "pipe"
_ABOUT: Final = """Runs pipelines of commands, Python, HTTP and agents from a YAML file.

\b
  pipe init                        write a first pipeline
  pipe check hello.yml             find its faults without running it
  pipe run hello.yml               run it
  pipe resume latest               go on where a run stopped
"""

_CODES: Final = """\b
Exit codes
  0  success                                74             the log or the state can't be written or read
  1  the run failed, or check found errors  75             waiting for a person
  2  wrong usage, or an invalid pipeline    129, 130, 143  SIGHUP, SIGINT, SIGTERM
  3  a bug of ours: a report to paste       4              eval: the samples can't tell
"""

_SETTINGS: Final[dict[str, Any]] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def main(words: Sequence[str]) -> int:
    """Parse and perform; gives the exit code. Usage errors are raised as UsageError, with what was probably meant."""
    app = _application()
    try:
        result = _performed(app, list(words))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.UsageError as error:
        raise _explained(error, words) from None
    except click.ClickException as error:
        raise UsageError(error.format_message()) from None
    return result if isinstance(result, int) else 0


def _performed(app: click.Group, words: list[str]) -> Any:
    """What `app.main` does, which would take a reader who has gone away for a failure."""
    if f"_{_NAME.upper()}_COMPLETE" in os.environ:  # a shell that asks how a word goes on
        return app.main(words, prog_name=_NAME, standalone_mode=False)
    with app.make_context(_NAME, words) as context:
        return app.invoke(context)


def _application() -> click.Group:
    group = _Group(
        _NAME,
        help=_ABOUT,
        epilog=_CODES + "\n\b\nNot in this version: " + ", ".join(_missing()),
        context_settings=_SETTINGS,
        params=[click.Option(["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_version)],
    )
    for command in table.COMMANDS:
        group.add_command(command_of(command))
    return group


def _version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from pipe_runner import __version__

        click.echo(f"pipe {__version__}")
        context.exit()


def _missing() -> list[str]:
    return sorted(c.name for c in table.COMMANDS if not c.target)


def command_of(command: Command) -> click.Command:
    """The click command of a definition."""
    params: list[click.Parameter] = [_argument(a) for a in command.arguments]
    params += [_option(f) for f in command.flags]
    if not command.target:
        params = [click.Argument(["words"], nargs=-1, type=click.UNPROCESSED)]
    text = command.summary
    if command.details:
        text += "\n\n" + command.details
    epilog = ""
    if command.examples:
        epilog = "\b\nExamples\n" + textwrap.indent("\n".join(command.examples), "  ")
    settings = dict(_SETTINGS)
    if not command.target:
        settings |= {"ignore_unknown_options": True}
    return _Command(
        command.name,
        params=params,
        callback=lambda **values: call(command, Given(values)),
        help=text,
        short_help=command.summary,
        epilog=epilog,
        context_settings=settings,
        hidden=not command.target,
    )


class _Place(click.ParamType[str]):
    """A path: a shell that completes it is told to offer its files, or its folders only."""

    name = "text"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self._kind)]


class _Run(click.ParamType[str]):
    """A run: a shell is offered `latest` and the ids of those that are kept, the newest first."""

    name = "text"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from pipe_runner.cli.settings import state_dir
        from pipe_runner.runlog.rundir import RUN_ID

        try:
            kept = os.listdir(os.path.join(state_dir(Given(ctx.params), None), "runs"))
        except (OSError, UsageError):
            kept = []
        known = ["latest", *sorted(filter(RUN_ID.match, kept), reverse=True)]
        return [CompletionItem(run) for run in known if run.startswith(incomplete)]


_TYPES: Final = {"FILE": _Place("file"), "PATH": _Place("file"), "DIR": _Place("dir"), "RUN": _Run()}


def _argument(argument: Argument) -> click.Argument:
    shown = argument.metavar + ("..." if argument.many else "")
    return click.Argument(
        [argument.key],
        metavar=shown if argument.required else f"[{shown}]",
        required=argument.required,
        nargs=-1 if argument.many else 1,
        type=_TYPES.get(argument.metavar),
    )


def _option(flag: Flag) -> click.Option:
    if not flag.metavar:
        return click.Option([*flag.names, flag.key], is_flag=True, default=False, help=flag.help)
    kind = click.Choice(flag.choices) if flag.choices else _TYPES.get(flag.metavar)
    return click.Option(
        [*flag.names, flag.key],
        metavar=f"[{'|'.join(flag.choices)}]" if flag.choices else flag.metavar,
        help=flag.help,
        type=kind,
        multiple=flag.many,
        default=() if flag.many else None,
    )


class _Command(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            error.ctx = error.ctx or ctx  # click's parser doesn't say whose option lacks its value
            raise


def _explained(error: click.UsageError, words: Sequence[str]) -> UsageError:
    """The error in our words: which command, what is wrong, what was probably meant."""
    context = error.ctx
    path = context.command_path if context is not None else "pipe"
    params = context.command.params if context is not None else []
    message, hint = f"`{path}`: {error.format_message().rstrip('.')}", f"`{path} --help` shows how it is used"
    hint = others.of_argument(path, message) or hint
    if isinstance(error, click.NoSuchOption):
        known = {name.lstrip("-"): name for p in params for name in (*p.opts, "--help") if name.startswith("-")}
        near = did_you_mean(error.option_name.lstrip("-"), known)  # the dashes are alike in all
        message = f"`{path}` has no option {printable(error.option_name)}"
        hint = f"did you mean {known[near]}?" if near else hint
        hint = others.of_option(path, error.option_name, known) or hint
        options = takewhile(lambda word: word != "--", words)
        begun = error.option_name if error.option_name.startswith("--") else "-"  # of `-qx.yml` `-x` is unknown
        file = next((word for word in options if word.startswith(begun) and os.path.lexists(word)), None)
        if file is not None:
            hint = f"for the file of that name write {shlex.quote('./' + file)}"
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        message = f"`{path}` needs {error.param.metavar or error.param.human_readable_name}"
    elif isinstance(error, click.BadParameter) and error.param is not None:
        name = max(error.param.opts, key=len) if error.param.param_type_name == "option" else error.param.metavar
        message = f"`{path}`: {name}: {printable(error.message.rstrip('.'))}"
    return UsageError(message, hint=hint)


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(table.BY_NAME)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            near = did_you_mean(name, table.BY_NAME)
            hint = f"did you mean `pipe {near}`?" if near else "`pipe --help` lists the commands"
            hint = others.COMMANDS.get(name, hint)
            if name in ("help", "version"):
                known = name == "help" and len(args) > 1 and args[1] in table.BY_NAME
                hint = f"write `pipe {args[1]} --help`" if known else f"write `pipe --{name}`"
            if name.endswith(YAML_ENDINGS):
                hint = f"did you mean `pipe run {printable(name)}`?"
            raise UsageError(f"pipe has no command {printable(name)}", hint=hint)
        return super().resolve_command(ctx, args)
