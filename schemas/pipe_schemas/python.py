"""The `with:` of `agent: python`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

CALL_PATTERN = r"^[^:\x00]+:[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$"


class PythonOptions(BaseModel):
    """Which function to call, and with what."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent python")

    call: Annotated[
        str,
        Field(
            min_length=3,
            max_length=4096,
            pattern=CALL_PATTERN,
            description="The function: `package.module:function`, or a file of the project, `tools/clean.py:function`.",
            examples=["package.module:function", "tools/clean.py:main"],
        ),
    ]
    args: list[Any] = Field(default_factory=list, description="Positional arguments, as JSON values.")
    kwargs: dict[str, Any] = Field(default_factory=dict, description="Arguments by name, as JSON values.")
