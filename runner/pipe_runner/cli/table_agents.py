"""The commands about agents, model services and tools, and the one that chooses agents for a task."""

from __future__ import annotations

from typing import Final

from pipe_runner.cli.words import RECORD, REPLAY, STATE_DIR, TABLE_OUTPUT, Argument, Command, Flag

AGENTS: Final = Command(
    "agents",
    "List the agents that nodes can name, or describe one.",
    "pipe_runner.cli.agents:agents",
    (Argument("NAME", required=False),),
    (
        Flag(
            "--capability",
            "Only those that declare it: `network.dns`, `dns`, `network`. Repeatable.",
            "NAME",
            many=True,
        ),
        TABLE_OUTPUT,
    ),
    "",
    (
        "pipe agents",
        "pipe agents http",
        "pipe agents --capability network",
        "pipe agents http --output json    # with the schema of its options",
    ),
)

PROVIDERS: Final = Command(
    "providers",
    "List the model services that nodes can name, or show what one is set up with.",
    "pipe_runner.cli.providers:providers",
    (Argument("NAME", required=False),),
    (
        Flag("--check", "Really ask: NAME, or every one that lacks nothing."),
        TABLE_OUTPUT,
    ),
    "Those of pipe.yml, and `bedrock`, `openai` and `ollama`, which are set up from their usual environment "
    "variables. Each setting is shown with where it comes from; secrets are not shown. Connects nowhere without "
    "--check. Exit code 1: one that was asked failed.",
    ("pipe providers", "pipe providers openai --check", "pipe providers --output json"),
)

TOOLS: Final = Command(
    "tools",
    "List what models can be given, or what an MCP server offers.",
    "pipe_runner.cli.tools:tools",
    (Argument("SERVER", required=False),),
    (TABLE_OUTPUT,),
    "Functions that are installed, and MCP servers of pipe.yml; connects nowhere. With SERVER it is started or "
    "asked, and its tools are shown with the digests that pin them.",
    ("pipe tools", "pipe tools time", "pipe tools time --output json    # with descriptions and schemas"),
)


ASK: Final = Command(
    "ask",
    "Have a task in plain words looked into by the agents that fit it.",
    "pipe_runner.cli.asking:ask",
    (Argument("TASK"),),
    (
        Flag("--agents", "Exactly these, separated by commas, whatever the task says.", "NAMES"),
        Flag("--provider", "Have a model of this provider choose; words choose where it can't.", "NAME"),
        Flag("--model", "The model that chooses (default: the provider's own).", "NAME"),
        Flag("--save", "Also keep the pipeline as this file; an existing one is left as it is.", "FILE"),
        Flag("--yes", "Run it without asking.", short="-y"),
        Flag("--dry-run", "Print the pipeline and run nothing."),
        RECORD,
        REPLAY,
        TABLE_OUTPUT,
        Flag("--quiet", "Say nothing on stderr but errors.", short="-q"),
        STATE_DIR,
    ),
    "Shows the plan as a pipeline file, then runs it: on a terminal after a question, elsewhere at once, since only "
    "agents that measure are ever chosen. The findings go to stdout, the worst first. The file is kept in .pipe/asked, "
    "so that `pipe resume` goes on with it.",
    (
        'pipe ask "can we reach db.internal on 5432?"',
        'pipe ask "why is the shop slow?" --dry-run > slow.yml',
        'pipe ask "why is example.internal slow?" --agents network_diagnostics,log_analysis -y',
    ),
)
