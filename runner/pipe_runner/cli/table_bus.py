"""The commands for messages, as data."""

from __future__ import annotations

from typing import Final

from pipe_runner.cli.words import Argument, Command, Flag

BUS: Final = (
    Command(
        "emit",
        "Publish a message to the nodes of the run, from a command of one.",
        "pipe_runner.cli.emitting:emit",
        (Argument("TOPIC"), Argument("VALUE", required=False)),
        (Flag("--json", "The message, as JSON; `-` reads it from stdin.", "JSON"),),
        "VALUE is the message, as text; `-` reads it from stdin, and without one the message is null. Returns when the "
        "message is in the run's log, for good. Waits while a subscriber is too far behind. Outside of a node there is "
        "nobody to publish to: exit code 2.",
        ("pipe emit scan.port 443", "pipe emit scan.done --json '{\"open\": 3}'", "df | pipe emit disk -"),
    ),
    Command(
        "messages",
        "Show the messages of a run, or read them one by one in a command of a node.",
        "pipe_runner.cli.emitting:messages",
        (Argument("PATTERN", required=False),),
        (
            Flag(
                "--run", "The run: an id, the start of one, or `latest` (default: the node's own, else latest).", "RUN"
            ),
            Flag("--follow", "Go on with those that come, until nobody is left who could publish.", short="-f"),
            Flag("--next", "In a node: wait for the next one that it has not taken so far; exit code 1: none comes."),
            Flag("--since", "Only those after this number.", "N"),
            Flag("--limit", "Show the last N (default: 1000).", "N"),
            Flag(
                "--output",
                "text (default); value: the message alone (default of --next); json: a line each.",
                "FORMAT",
                choices=("text", "value", "json"),
            ),
            Flag("--state-dir", "Where runs are kept (default: .pipe in the project's root). [PIPE_STATE_DIR]", "DIR"),
        ),
        "PATTERN is a topic in which `*` stands for one word, and `#` at the end for any number of them (default: "
        "all). From outside of a node it reads the run's log.",
        (
            "pipe messages --run latest 'scan.#'",
            'while port=$(pipe messages scan.port --next); do check "$port"; done    # in a node',
            "pipe messages -f --output json | jq .message",
        ),
    ),
)
