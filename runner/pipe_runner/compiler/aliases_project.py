"""The same for `pipe.yml`: keys of other systems, and those that stand in pipeline files."""

from __future__ import annotations

from typing import Final

from pipe_runner.compiler import aliases

MCP_SERVER: Final = {
    "args": "write the arguments into `command:`, after the program",
    "type": "leave it out: `command` or `url` says what it is",
    "transport": "leave it out: `command` or `url` says what it is",
    "tools": "nodes list the tools that their models may use",
}
_IN_FILES: Final = "it stands in each pipeline file: `{}`"
PROJECT: Final = {
    "nodes": "nodes stand in a pipeline file",
    **{
        key: _IN_FILES.format(f"{key}:") for key in ("env", "inputs", "secrets", "include", "budget", "outputs", "name")
    },
    **dict.fromkeys(
        ("environments", "profiles", "targets", "stages"),
        "an environment is an input of a pipeline: `-i stage=prod`, or `--inputs prod.yml`",
    ),
}
PROJECT_DEFAULTS: Final = {
    **{key: _IN_FILES.format(f"defaults: {{{key}: …}}") for key in ("retry", "shell", "cwd")},
    "env": _IN_FILES.format("env:"),
    "max_parallel": "write `concurrency:`",
}
LIMITS: Final = {"timeout": "write `max_time:`", "max_parallel": "write `concurrency:`"}
_COMMAND: Final = "a preset of a command is `agent: shell`, with this under `with:`"
PRESET: Final = {**aliases.NODE, **dict.fromkeys(("run", "argv", "shell", "cwd", "output", "stdin"), _COMMAND)}
OPENAI_LIKE: Final = frozenset(
    [
        "azure",
        "azure-openai",
        "azure_openai",
        "deepseek",
        "groq",
        "litellm",
        "lmstudio",
        "mistral",
        "openrouter",
        "vllm",
    ]
)
"""Services that answer as OpenAI does."""
