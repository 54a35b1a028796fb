"""What the shell agent takes: the options that `run:` and `argv:` are compiled to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ShellOptions(BaseModel):
    """A command: shell text with values that travel in the environment, or a program with its arguments."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="options of agent shell")

    script: str | None = Field(
        default=None,
        description="Text for the shell. Values stand in it as references to variables, `${PIPE_V1}`.",
    )
    argv: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="A program and its arguments; no shell stands between."
    )
    shell: Literal["sh", "bash", "python"] | Annotated[list[str], Field(min_length=1)] = Field(
        default="sh",
        description="`sh`: /bin/sh -e. `bash`: with -e and -o pipefail. `python`: the python3 of the PATH. A list: a "
        "program with its arguments, to which the name of a file with the text is added, or put in the place of "
        "`{0}`; after `-c`, and `-e` of what is no shell, the text itself.",
    )
    variables: dict[Name, str] = Field(
        default_factory=dict, description="Text of the values to which the script refers, by variable."
    )
    integers: list[Name] = Field(
        default_factory=list, description="Variables that stand in arithmetic: each must look like an integer."
    )
    raw: list[Name] = Field(
        default_factory=list, description="Variables pasted into the text where NUL, name, NUL stands (`| unsafe_raw`)."
    )
    stdin: str | None = Field(default=None, description="Text for its standard input; none by default.")
    cwd: str | None = Field(default=None, description="Working directory, from the project's root; can't leave it.")
    output: Literal["text", "json", "lines", "file"] = Field(
        default="text",
        description="How its stdout becomes the output; `file`: what it wrote to $PIPE_OUTPUT.",
    )

    @model_validator(mode="after")
    def _one_command(self) -> ShellOptions:
        if (self.script is None) == (self.argv is None):
            raise ValueError("give either `script` or `argv`")
        return self
