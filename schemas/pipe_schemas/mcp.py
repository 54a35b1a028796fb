"""`mcp_servers` of pipe.yml: servers of tools by name."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from pydantic import Field, Tag

from pipe_schemas.fields import Closed, Identifier, Text, by_shape
from pipe_schemas.providers import Headers, SecretSource, Url

SERVER_NAME: Final = r"^[A-Za-z0-9_.-]{1,100}$"
Digest: TypeAlias = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Value: TypeAlias = Annotated[
    Annotated[str | int | float, Tag("<text>")] | Annotated[SecretSource, Tag("<map>")],
    by_shape("text, a number, or where a secret is, as `{from: env, key: NAME}`", text=(str, int, float), map=dict),
]
_PINS: Final = "the digest of all tools, or a map of digests by the names of tools"
Pins: TypeAlias = Annotated[
    Annotated[Digest, Tag("<all>")] | Annotated[dict[Text, Digest], Tag("<map>")],
    by_shape(_PINS, all=str, map=dict),
]
"""As pipe.lock has them: a server may have had no tools."""
WrittenPins: TypeAlias = Annotated[
    Annotated[Digest, Tag("<all>")] | Annotated[dict[Text, Digest], Field(min_length=1), Tag("<map>")],
    by_shape(_PINS, all=str, map=dict),
]
"""As pipe.yml has them: where none is pinned, none could be used."""


class ServerSpec(Closed):
    """An MCP server: a program that is started, or an address."""

    command: Annotated[list[Text], Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Program and arguments; it speaks over stdin and stdout.",
        examples=[["uvx", "mcp-server-time"]],
    )
    env: dict[Identifier, Value] | None = Field(
        default=None, description="Its environment beside the short base list; a secret is `{from: env, key: NAME}`."
    )
    cwd: Text | None = Field(default=None, description="Its working directory, from the project's root, which it is.")
    url: Url | None = Field(default=None, description="The address of one that speaks streamable HTTP.")
    headers: Headers | None = Field(
        default=None, description="Headers of every request; a secret one is `{from: env, key: NAME}`."
    )
    digest: WrittenPins | None = Field(
        default=None,
        description="What its tools must be: the digest of them all, or of each that is used, by name.",
    )
