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
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL")
_IGNORE: Final = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


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
        profile = given.take("profile", "AWS_DEFAULT_PROFILE", "AWS_PROFILE")  # in boto3's order
        if region := (given.take("region", "AWS_REGION", "AWS_DEFAULT_REGION") or "").strip():
            given.put("region", region, given.sources["region"])
        path = given.take("config_file", "AWS_CONFIG_FILE", default=_home(environ, "config"))
        keys = given.take("credentials_file", "AWS_SHARED_CREDENTIALS_FILE", default=_home(environ, "credentials"))
        if not region:
            found = _region_of(path, keys, profile)
            if found is not None:
                given.put("region", found, path if _is_file(path) else keys)
            else:
                given.lacks(f"there is no region; set AWS_REGION, or `region` under `providers.{name}` in pipe.yml")
        given.take("endpoint_url", *(() if environ.get(_IGNORE, "").lower() == "true" else _ENDPOINTS))
        url = given.url("endpoint_url")
        given.secret("bearer_token", "AWS_BEARER_TOKEN_BEDROCK")  # AWS's tools take it first, whatever profile there is
        if options.get("profile") is None:
            if (key := given.take("access_key", "AWS_ACCESS_KEY_ID")) is not None:
                given.put("access_key", key.strip(), given.sources["access_key"])
            given.secret("secret_key", "AWS_SECRET_ACCESS_KEY")
            given.secret("session_token", "AWS_SESSION_TOKEN")
        given.proxy_passwords()
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


def _is_file(path: str) -> bool:
    return os.path.isfile(os.path.expanduser(os.path.expandvars(path)))


def _region_of(config: str, keys: str, profile: str | None) -> str | None:
    """The region that a profile sets in AWS's own files, as botocore reads them."""
    if not (_is_file(config) or _is_file(keys)):
        return None  # most machines have none, and botocore takes a while to be imported
    from botocore.exceptions import BotoCoreError

    from pipe_providers.aws_client import profile_of

    try:
        found = profile_of(config, keys, profile).get("region")
    except (BotoCoreError, OSError, ValueError):
        return None  # told when keys are asked for
    return found.strip() or None if isinstance(found, str) else None
