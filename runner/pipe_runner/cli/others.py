"""What other programs call our commands and options, and what to write instead; each value is a hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_COMMANDS: Final = {
    "run": "start exec execute apply build up do submit",
    "check": "validate lint verify compile parse",
    "plan": "diff preview dry-run dryrun",
    "runs": "list ls history ps",
    "show": "status describe get inspect info",
    "logs": "log tail",
    "resume": "retry rerun continue restart",
    "cancel": "stop kill abort terminate",
    "graph": "dag viz visualize draw",
    "init": "new create",
    "runs prune": "clean gc prune",
    "approve": "accept confirm",
    "reject": "deny decline",
}
COMMANDS: Final[Mapping[str, str]] = {
    theirs: f"that is `pipe {ours}` here" for ours, names in _COMMANDS.items() for theirs in names.split()
}
_INPUT: Final = "an input is given as `-i NAME=VALUE`; variables of commands stand under `env:` in the file"
_ONLY: Final = "write `--only NODE`: the node, and what it needs"
_SLOTS: Final = "write `--concurrency N`"
_CACHE: Final = (
    "`pipe cache prune --all` removes the results that are kept; `--cache-domain NAME` takes those of NAME alone"
)
_IN_FILE: Final = "that stands in the file: "
_OF_RUN: Final = {
    **dict.fromkeys(("--env", "-e", "--var", "--vars", "--set", "--param", "--params", "--arg", "-D", "-p"), _INPUT),
    **dict.fromkeys(("--environment", "--stage", "--profile"), "it is an input like any other: `-i stage=prod`"),
    **dict.fromkeys(("--var-file", "--vars-file", "--params-file"), "write `--inputs FILE`"),
    **dict.fromkeys(("--select", "-s", "--target", "-t", "--task", "--node", "--job", "--step"), _ONLY),
    **dict.fromkeys(("--exclude", "--skip"), "nodes are chosen, not left out: `--only NODE`"),
    **dict.fromkeys(
        ("-j", "--jobs", "--parallel", "--max-parallel", "--parallelism", "--threads", "--workers"), _SLOTS
    ),
    **dict.fromkeys(("--no-cache", "--force", "--full-refresh"), _CACHE),
    **dict.fromkeys(("-f", "--file"), "the file stands without an option: `pipe run FILE`"),
    **dict.fromkeys(("--dry", "-n", "--just-print", "--check", "--noop"), "write `--dry-run`"),
    **dict.fromkeys(("--debug", "--trace", "--log-level"), "write `-v`; `pipe logs RUN` has all that was printed"),
    **dict.fromkeys(
        ("--yes", "--auto-approve"), "a person approves, by `pipe approve RUN NODE`; then `pipe resume RUN`"
    ),
    **dict.fromkeys(("-k", "--keep-going", "--continue-on-error"), f"{_IN_FILE}`continue_on_error: true` in a node"),
    **dict.fromkeys(("-x", "--fail-fast"), f"{_IN_FILE}`fail_fast: true`"),
    "--timeout": f"{_IN_FILE}`budget: {{max_time: 30m}}`",
    **dict.fromkeys(("--retry", "--retries"), f"{_IN_FILE}`retry: 3` in a node, or under `defaults:`"),
}
_FORM: Final = ("--json", "-o", "--format", "--output")


def of_option(command: str, option: str, known: Mapping[str, object]) -> str | None:
    """The hint for an option that a command of ours (`pipe run`) has not; `known` has those that it has, without their
    dashes."""
    ours = next((name for name in ("output", "format") if name in known), None)
    if option in _FORM and ours is not None:
        return f"write `--{ours} json`"
    return _OF_RUN.get(option) if command == "pipe run" else None


def of_argument(command: str, words: str) -> str | None:
    """The hint for one word too many."""
    if command == "pipe run" and "unexpected extra argument" in words:
        return "an input is given as `-i NAME=VALUE`, a node to run as `--only NODE`"
    return None
