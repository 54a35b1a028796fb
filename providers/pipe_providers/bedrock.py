"""`bedrock`: models of Amazon Bedrock, by its Converse API."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_providers.given import Given

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import Provider, ProviderSettings

DEFAULT_TIMEOUT: Final = "10m"
THREADS: Final = 100
_KEYS: Final = {
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "bearer_token": "AWS_BEARER_TOKEN_BEDROCK",
}


class BedrockType:
    """Makes providers of this kind; nothing heavy is imported before one is opened."""

    summary = "Amazon Bedrock: every model that its Converse API has."

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.providers import BedrockOptions

        return BedrockOptions

    def settings(
        self, name: str, options: Mapping[str, Any], model: str, environ: Mapping[str, str]
    ) -> ProviderSettings:
        given = Given(name, options, environ)
        profile = given.take("profile", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
        region = given.take("region", "AWS_REGION", "AWS_DEFAULT_REGION")
        path = given.take("config_file", "AWS_CONFIG_FILE", default=_home(environ, "config"))
        given.take("credentials_file", "AWS_SHARED_CREDENTIALS_FILE", default=_home(environ, "credentials"))
        if region is None:
            found = _region_of(path, profile or "default")
            if found is not None:
                given.put("region", found, path)
            else:
                given.lacks(f"there is no region; set AWS_REGION, or `region` under `providers.{name}` in pipe.yml")
        given.take("endpoint_url", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")
        url = given.url("endpoint_url")
        if options.get("profile") is None:
            for key, variable in _KEYS.items():
                if key == "access_key":
                    given.take(key, variable)
                else:
                    given.secret(key, variable)
        for option in ("timeout", "insecure", "threads", "guardrail", "output_schema", "extra_body"):
            given.take(option, default={"timeout": DEFAULT_TIMEOUT, "threads": THREADS}.get(option))
        if url is not None:
            given.over_tls_only(url, secret=True)
        return given.done(model)

    def open(self, settings: ProviderSettings) -> Provider:
        from pipe_providers.converse import BedrockProvider

        return BedrockProvider(settings)


def _home(environ: Mapping[str, str], name: str) -> str:
    return os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".aws", name)


def _region_of(path: str, profile: str) -> str | None:
    """The region that a profile sets in AWS's own file."""
    from configparser import ConfigParser, Error

    reader = ConfigParser(interpolation=None, strict=False)
    try:
        reader.read(path, encoding="utf-8")
    except (OSError, UnicodeError, Error):
        return None
    for section in (f"profile {profile}", profile):
        if reader.has_option(section, "region"):
            return reader.get(section, "region").strip() or None
    return None
