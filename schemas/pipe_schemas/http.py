"""The `with:` of `agent: http`, and what `policy.http` in pipe.yml may say."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipe_schemas.hosts import allowed_place, proxy_url

Scalar: TypeAlias = str | bool | int | float | None
ExpectedStatus: TypeAlias = (
    Annotated[int, Field(ge=100, le=599, strict=True)] | Annotated[str, Field(pattern=r"^([1-5]xx|[1-5][0-9][0-9])$")]
)


class HttpOptions(BaseModel):
    """One HTTP request, and what counts as a good answer to it."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent http")

    method: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z][A-Za-z-]{0,31}$", description="The method; GET by default. Not CONNECT, and not TRACE."
        ),
    ] = "GET"
    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=65536,
            description="An absolute http or https URL.",
            examples=["https://api.example.com/v1/items"],
            json_schema_extra={"x-place": "url"},
        ),
    ]
    headers: dict[str, Scalar] = Field(
        default_factory=dict,
        description="Header fields. Host, Content-Length and those of the connection are set by the runner.",
    )
    query: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters added to the URL's query, encoded; a list repeats its name, null leaves it out.",
    )
    json_: Any = Field(
        default=None, alias="json", description="A value sent as JSON, with `Content-Type: application/json`."
    )
    body: Any = Field(default=None, description="Text sent as it is; any other value is sent as compact JSON text.")
    expect: list[ExpectedStatus] | ExpectedStatus = Field(
        default="2xx",
        description="Statuses that count as success: numbers, or classes as `2xx`.",
        examples=[[200, "2xx"]],
    )
    follow_redirects: bool = Field(
        default=True, description="Follow up to 10 redirects, each checked like a first URL."
    )
    max_bytes: Annotated[int, Field(ge=1, le=2**30, strict=True)] = Field(
        default=16 * 2**20, description="How large the decoded body may be, in bytes; never above `limits.output`."
    )

    @model_validator(mode="after")
    def _one_body(self) -> HttpOptions:
        if {"json_", "body"} <= self.model_fields_set:
            raise ValueError("json and body can't both be given: one request has one body")
        if self.method.upper() in ("CONNECT", "TRACE"):
            raise ValueError(f"method {self.method} is not available")
        return self


def _allowed(entry: str) -> str:
    allowed_place(entry)
    return entry


class HttpPolicy(BaseModel):
    """`policy.http` of pipe.yml: what the http agent may reach beyond public addresses and loopback."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    allow: list[Annotated[str, AfterValidator(_allowed)]] = Field(
        default_factory=list,
        description="Networks (`10.0.0.0/8`), addresses, host names (`build.internal`) or domains (`*.internal`) "
        "that may be reached although their addresses are private.",
    )
    proxy: Annotated[bool, Field(strict=True)] | Annotated[str, AfterValidator(proxy_url)] = Field(
        default=False,
        description="false: no proxy, whatever the environment says. true: the environment's HTTP_PROXY, HTTPS_PROXY "
        "and NO_PROXY. A URL: that proxy.",
    )
