"""`pipe ask "TASK"`: chooses agents, shows the pipeline that they make, runs it, and tells what they found."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.cli.asked import AskTelling
from pipe_runner.cli.boundary import colours, say
from pipe_runner.cli.drafted import as_run, kept
from pipe_runner.cli.files import write_new
from pipe_runner.cli.settings import here, run_settings, state_dir
from pipe_runner.cli.words import Given
from pipe_runner.console.words import safe
from pipe_runner.errors import InvalidPipeline, UsageError
from pipe_runner.orchestrator import Orchestrator

if TYPE_CHECKING:
    from pipe_runner.routing import Choice, Routing

LONGEST: Final = 4000
"""Characters of a task."""
MOST: Final = 4


def ask(given: Given) -> int:
    """Choose, draft, show, ask, run, tell."""
    task = given.must("task").strip()
    if not task:
        raise UsageError("the task is empty", hint='say what is to be found out: pipe ask "why is the disk full?"')
    if len(task) > LONGEST:
        raise UsageError(f"the task has {len(task)} characters; {LONGEST} are the most")
    if given.text("model") is not None and given.text("provider") is None:
        raise UsageError("--model says nothing without --provider", hint="name the provider whose model it is")
    if given.text("agents") is not None and given.text("provider") is not None:
        raise UsageError("--agents and --provider contradict each other: both choose", hint="give one of them")
    orchestrator = Orchestrator()
    root = here()
    state = state_dir(given, root)
    routing, code = _routed(orchestrator, task, given, root, state)
    if code:
        return code
    chosen = routing.chosen(len(routing.ranked) if routing.by == "name" else MOST)
    if not chosen:
        hint = "say more of what is to be measured, or name agents with --agents"
        raise UsageError(routing.refusal(), hint="correct it in the task" if routing.faults else hint)
    routing = routing.noted(chosen)
    text = orchestrator.drafted(routing, chosen)
    _check(orchestrator, text, chosen, root)
    saved = given.text("save")
    if saved is not None:
        write_new(saved, text)
    if given.on("dry_run"):
        _note(routing, quiet=given.on("quiet"))
        return _shown(text, routing, chosen, saved, as_json=given.text("output") == "json")
    _note(routing, quiet=given.on("quiet"))
    _tell(text, quiet=given.on("quiet"))
    if not _agreed(given):
        say("nothing was run" + (f"; the pipeline is in {safe(saved)}" if saved is not None else ""))
        return 0
    file = saved if saved is not None else kept(text, state)
    return _run(file, text, routing, chosen, given, root, state)


def _routed(orchestrator: Orchestrator, task: str, given: Given, root: str, state: str) -> tuple[Routing, int]:
    named = given.text("agents")
    if named is not None:
        names = [name.strip() for name in named.split(",") if name.strip()]
        if not names:
            raise UsageError("--agents names nobody")
        if len(set(names)) > 16:
            raise UsageError("--agents names more than 16")
        return orchestrator.named(task, names), 0
    routing = orchestrator.route(task)
    if given.text("provider") is None:
        return routing, 0
    from pipe_runner.cli.choosing import by_model

    return by_model(orchestrator, routing, given, root, state, MOST)


def _check(orchestrator: Orchestrator, text: str, chosen: Sequence[Choice], root: str) -> None:
    """Raises where the pipeline has faults: where the task lacks what an agent needs."""
    from pathlib import Path

    from pipe_runner.routing.options import lacking

    for card in orchestrator.cards([one.agent for one in chosen]):
        options = next(one.options for one in chosen if one.agent == card.name)
        missing = lacking(card, options)
        if missing:
            named = ", ".join(missing)
            hint = f"say it in the task; `pipe agents {card.name}` shows what {named} may be"
            raise UsageError(f"the agent {card.name} fits, and the task doesn't say its {named}", hint=hint)
    compilation = orchestrator.validate(text, root=Path(root))
    if compilation.plan is None:
        raise InvalidPipeline(compilation.diagnostics)


def _shown(text: str, routing: Routing, chosen: Sequence[Choice], saved: str | None, *, as_json: bool) -> int:
    if as_json:
        from pipe_runner.text import json_text

        sys.stdout.write(json_text(described(text, routing, chosen, saved)))
    else:
        sys.stdout.write("".join(f"{safe(line)}\n" for line in text.splitlines()))
    return 0


def described(text: str, routing: Routing, chosen: Sequence[Choice], file: str | None) -> dict[str, Any]:
    """What was chosen, and the pipeline, as data."""
    names = [one.agent for one in chosen]
    return {**routing.to_json(), "chosen": names, "pipeline": text, "file": file}


def _note(routing: Routing, *, quiet: bool) -> None:
    """What was left out, and why, on stderr."""
    for note in () if quiet else routing.notes:
        say(safe(f"note: {note}"))


def _tell(text: str, *, quiet: bool) -> None:
    """The plan, on stderr."""
    if quiet:
        return
    dim = ("\x1b[2m", "\x1b[0m") if colours(sys.stderr) else ("", "")
    for line in text.splitlines():
        say(f"{dim[0]}│{dim[1]} {safe(line)}")


def _agreed(given: Given) -> bool:
    """Whether it is to be run: on a terminal somebody is asked; elsewhere nobody is there, and it only measures."""
    if given.on("yes") or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write("Run it? [Y/n] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    return answer != "" and answer.strip().lower() in ("", "y", "yes")


def _run(file: str, text: str, routing: Routing, chosen: Sequence[Choice], given: Given, root: str, state: str) -> int:
    from pipe_runner.cli.plans import plan_for
    from pipe_runner.cli.running import perform_new

    words = as_run(given, file)
    planned = plan_for(file, words, state=state, root=root)
    planned = planned._replace(shown=os.path.relpath(file))
    telling = AskTelling(words, described(text, routing, chosen, file))
    settings = run_settings(words, state, planned.plan.settings)._replace(trace=telling.trace, task=routing.task)
    settings = settings._replace(adds=given.text("provider") is not None)  # the model's choice is in the recording
    return perform_new(telling, planned, settings, {})
