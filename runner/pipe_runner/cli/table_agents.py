"""The commands about agents, model services and tools, and the one that chooses agents for a task."""

from __future__ import annotations

from typing import Final

from pipe_runner.cli.words import Argument, Command, Flag

_TABLE_OUTPUT = Flag("--output", "What stdout gets (default: text).", "FORMAT", choices=("text", "json"))

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
        _TABLE_OUTPUT,
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
        _TABLE_OUTPUT,
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
    (_TABLE_OUTPUT,),
    "Functions that are installed, and MCP servers of pipe.yml; connects nowhere. With SERVER it is started or "
    "asked, and its tools are shown with the digests that pin them.",
    ("pipe tools", "pipe tools time", "pipe tools time --output json    # with descriptions and schemas"),
)


ASK: Final = Command("ask", "Let the orchestrator perform a task.")
