"""What several events of the run log have in them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ErrorInfo(BaseModel):
    """Why a node failed."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    kind: str = Field(description="What went wrong, in one word: `exit`, `timeout`, …")
    message: str = Field(description="What went wrong, in a sentence.")
    exit_code: int | None = Field(default=None, description="Of kind `exit`: the exit code.")
    tail: str | None = Field(default=None, description="The last 4 KiB of stderr.")


class OutputRef(BaseModel):
    """Stands for an output above 64 KiB, which lives in the run's `blobs` folder under its sha256."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the blob, and its file's name.")
    bytes: int = Field(ge=0, description="Size of the blob.")
    type: Literal["text", "json"] = Field(description="`text`: the blob is the text itself. `json`: it is JSON.")
    excerpt: str = Field(description="The beginning of it, for people.")


class Truncation(BaseModel):
    """What was cut off an output at its limit."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    bytes: int = Field(ge=0, description="Size of the whole.")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Digest of the whole.")


class Decided(BaseModel):
    """Who decided, and why: `pipe settle`, `approve` and `reject` write it."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    by: str = Field(description="Who.")
    reason: str | None = Field(default=None, description="Why, in their words.")
