"""`agent: http`: one HTTP request, to public addresses and loopback, and what came back as the output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Context, Outcome
from pipe_runner.types import ErrorKind, JsonObject

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.http_client import Client

_OUTPUT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status", "headers", "body"],
    "additionalProperties": False,
    "properties": {
        "status": {"type": "integer", "description": "The status of the last answer."},
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Header fields by their names in lower case; repeated ones joined by `, `.",
        },
        "body": {"description": "The body: a JSON value, text, or `{base64, bytes}`."},
    },
}


class HttpAgent:
    """Sends requests over connections that are shared within the run."""

    name = "http"
    version = "1"

    def __init__(self) -> None:
        self._client: Client | None = None
        self._policy: Mapping[str, Any] = {}

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Sends an HTTP request; gives status, headers and body.",
            secret_options=("url", "headers.*", "query.*", "json", "json.*", "body", "body.*"),
            goes_outside=True,
        )

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.http import HttpOptions

        return HttpOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        return _OUTPUT

    def refusal(self, options: Mapping[str, Any], policy: Mapping[str, Any]) -> str | None:
        """Why no request with these options, without templates, is ever sent; None where that isn't known."""
        from urllib.parse import urlsplit

        from pipe_agents.http_policy import HttpRules, in_url, literal

        try:
            host = urlsplit(options["url"]).hostname or ""
            address, rules = literal(host), HttpRules.parse(policy)
        except (NodeFault, ValueError):  # told elsewhere
            return None
        why = None if address is None or rules.proxy else rules.refusal(host, address)
        return None if why is None else f"{in_url(host)} is {why}, which is not reached"

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        from pipe_agents.http_client import exchange

        if context.secrets:
            from pipe_agents.http_hosts import guarded

            context = guarded(attempt.options, context)
        client = await self._connected(context.policy)

        async def once() -> Outcome:
            try:
                return await exchange(client, attempt, context)
            except NodeFault as fault:
                tail = context.masker.mask_text(fault.tail) if fault.tail else fault.tail
                raise NodeFault(fault.kind, context.masker.mask_text(fault.message), tail=tail) from None
            except UnicodeEncodeError:
                raise NodeFault(ErrorKind.REFUSED, "the request holds text that is not Unicode") from None

        if context.outside is None:
            return await once()
        from pipe_agents.http_recorded import through

        return await through(context.outside, attempt, once)

    async def close(self) -> None:
        """Close the connections; at the end of the run."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _connected(self, policy: Mapping[str, Any]) -> Client:
        if self._client is None or self._policy != policy:
            from pipe_agents.http_client import Client
            from pipe_agents.http_policy import HttpRules

            rules = HttpRules.parse(policy)
            await self.close()
            self._client, self._policy = Client(rules), policy
        return self._client
