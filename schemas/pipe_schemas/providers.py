"""`providers` of pipe.yml: model services by name. What every one may say, and what each of our types takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from pipe_schemas.fields import Closed, Count, Duration, Scalar, Text, by_shape


class SecretSource(Closed):
    """Where a secret is: never its value."""

    from_: Literal["env", "file"] = Field(alias="from", description="An environment variable, or a file.")
    key: Text = Field(description="The variable's name, or the file's path: relative ones start at the project's root.")


def _source(value: Any) -> Any:
    if isinstance(value, str):
        why = "a secret never stands in pipe.yml: write `{from: env, key: NAME}` or `{from: file, key: PATH}`"
        raise PydanticCustomError("secret_value", "{why}", {"why": why})
    return value


Secret: TypeAlias = Annotated[SecretSource, BeforeValidator(_source)]

_URL = r"^https?://[^\s@?#]+$"


def _url(value: Any) -> Any:
    import re

    if isinstance(value, str) and not re.match(_URL, value):
        why = "an address is `https://host/path`, without user, password, query and fragment"
        raise PydanticCustomError("address", "{why}", {"why": why})
    return value


Url: TypeAlias = Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": _URL})]

Header: TypeAlias = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[SecretSource, Tag("<map>")],
    by_shape("text, or where a secret is, as `{from: env, key: NAME}`", text=str, map=dict),
]
_SECRET_HEADERS = ("authorization", "proxy-authorization", "api-key", "x-api-key", "cookie")


def _headers(value: Any) -> Any:
    import re

    for name, said in value.items() if isinstance(value, dict) else ():
        if isinstance(name, str) and not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            raise PydanticCustomError("header", "{why}", {"why": f"{name[:60]!r} is no name of a header"})
        if isinstance(said, str) and (not said.isprintable() or not said.isascii()):
            raise PydanticCustomError("header", "{why}", {"why": f"the header {name} holds what no header can carry"})
        if isinstance(said, str) and str(name).lower() in _SECRET_HEADERS:
            why = f"the header {name} is a secret, which never stands in pipe.yml: write `{{from: env, key: NAME}}`"
            raise PydanticCustomError("secret_value", "{why}", {"why": why})
    return value


Headers: TypeAlias = Annotated[dict[str, Header], BeforeValidator(_headers)]

_TIMEOUT = "The longest time of one call; a node's own `timeout` may be shorter. 10 minutes by default."
_HEADERS = "Headers of every request; a secret one is `{from: env, key: NAME}`."
_INSECURE = "Let a key go to another machine without TLS. Loopback needs no leave."
_ADDRESS = "The service's address, up to and with its version: `http://localhost:8000/v1`."


Proxy: TypeAlias = Annotated[
    Annotated[bool, Tag("<flag>")] | Annotated[Url, Tag("<text>")],
    by_shape("true, false, or the address of a proxy", flag=bool, text=str),
]
_PROXY = "`true`: that of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, unless NO_PROXY names the host; or a proxy's address."


class ServiceLimits(Closed):
    """What the service allows; shared by all nodes."""

    concurrency: Annotated[int, Field(ge=1, le=10000)] | None = Field(default=None, description="Calls in flight.")
    rpm: Count | None = Field(default=None, description="Requests in a minute.")
    tpm: Count | None = Field(default=None, description="Tokens in a minute, read and written.")


Dollars: TypeAlias = Annotated[float, Field(ge=0, le=1_000_000)]


class Price(Closed):
    """What a model costs, in US dollars for a million tokens."""

    model_config = ConfigDict(strict=False)

    input: Dollars = Field(description="Of what it reads.")
    output: Dollars = Field(description="Of what it writes.")
    cached: Dollars | None = Field(default=None, description="Of what it reads from the service's cache.")
    cache_written: Dollars | None = Field(default=None, description="Of what it writes to the service's cache.")


class ProviderSpec(BaseModel):
    """A model service. Its other keys are options of its type: `pipe providers NAME` shows them."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    type: Text | None = Field(
        default=None, description="`openai`, `bedrock`, `ollama`, or a plugin's; the name itself by default."
    )
    model: Text | None = Field(default=None, description="The model that is asked where a node names none.")
    limits: ServiceLimits | None = Field(default=None, description="What the service allows.")
    prices: dict[str, Price] | None = Field(default=None, description="Prices by model, over those that are known.")


class OpenAiOptions(Closed):
    """What a provider of type `openai` takes."""

    base_url: Url | None = Field(default=None, description=f"{_ADDRESS} OPENAI_BASE_URL by default, or OpenAI's own.")
    api_key: Secret | None = Field(default=None, description="The key: `{from: env, key: NAME}`.")
    organization: Text | None = Field(default=None, description="OPENAI_ORG_ID by default.")
    project: Text | None = Field(default=None, description="OPENAI_PROJECT_ID by default.")
    headers: Headers | None = Field(default=None, description=_HEADERS)
    query: dict[str, str] | None = Field(default=None, description="Of every address: `{api-version: 2024-10-21}`.")
    timeout: Duration | None = Field(default=None, description=_TIMEOUT)
    insecure: bool = Field(default=False, description=_INSECURE)
    proxy: Proxy | None = Field(default=None, description=_PROXY)
    max_tokens_key: Literal["max_tokens", "max_completion_tokens"] | None = Field(
        default=None,
        description="How the service calls the bound of an answer: `max_completion_tokens` at OpenAI and Azure, "
        "else `max_tokens`.",
    )
    output_schema: Literal["json_schema", "json_object", "prompt"] | None = Field(
        default=None,
        description="How the service is told of an output schema: `prompt` at Anthropic, else `json_schema`. What "
        "older servers don't know is put into the prompt.",
    )
    extra_body: dict[str, Any] | None = Field(
        default=None, description="Further fields of every request: `{reasoning_effort: low}`."
    )
    return_reasoning: bool = Field(
        default=True, description="Give a model back what it thought, with what its tools gave; some servers refuse it."
    )


class OllamaOptions(Closed):
    """What a provider of type `ollama` takes."""

    base_url: Url | None = Field(
        default=None, description="The server's address; OLLAMA_HOST by default, or http://127.0.0.1:11434."
    )
    headers: Headers | None = Field(default=None, description=_HEADERS)
    timeout: Duration | None = Field(default=None, description=_TIMEOUT)
    insecure: bool = Field(default=False, description=_INSECURE)
    proxy: Proxy | None = Field(default=None, description=_PROXY)
    keep_alive: Duration | None = Field(default=None, description="How long the server keeps the model in memory.")
    think: Literal[True, False, "low", "medium", "high", "max"] | None = Field(
        default=None, description="Let a model that can think do so before it answers, or how much."
    )
    options: dict[str, Scalar | list[Scalar]] | None = Field(
        default=None, description="Of the model, as Ollama calls them: `{num_ctx: 8192, top_k: 20}`."
    )
    truncate: bool = Field(
        default=False,
        description="Let Ollama leave out the beginning of a question that is longer than the model's context.",
    )


class BedrockOptions(Closed):
    """What a provider of type `bedrock` takes; keys come from where AWS's tools look for them."""

    region: Text | None = Field(default=None, description="AWS_REGION, AWS_DEFAULT_REGION or the profile's by default.")
    profile: Text | None = Field(default=None, description="A profile of ~/.aws; AWS_PROFILE by default.")
    endpoint_url: Url | None = Field(
        default=None, description="Another address than AWS's; AWS_ENDPOINT_URL_BEDROCK_RUNTIME by default."
    )
    timeout: Duration | None = Field(default=None, description=_TIMEOUT)
    insecure: bool = Field(default=False, description=_INSECURE)
    threads: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Calls at the same time; 100 by default."
    )
    guardrail: dict[Literal["id", "version"], str] | None = Field(
        default=None, description="A guardrail for every call: `{id: ID, version: '1'}`."
    )
    output_schema: Literal["tool", "auto", "native"] = Field(
        default="tool",
        description="How an output schema is told: as a tool that the model must call, or (`auto`) may call, which "
        "every model with tools can, or by the service's own `outputConfig`.",
    )
    extra_body: dict[str, Any] | None = Field(
        default=None, description="Further fields of the model, as `additionalModelRequestFields` takes them."
    )


OPTIONS: dict[str, type[BaseModel]] = {"openai": OpenAiOptions, "ollama": OllamaOptions, "bedrock": BedrockOptions}
"""By the name of the type; what plugins bring is checked by the runner, and no schema knows it."""
