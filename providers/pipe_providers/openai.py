"""`openai`: every server that speaks OpenAI's chat completions, at any address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_providers.given import PIPE_YML, Given, is_loopback

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_runner.models import Provider, ProviderSettings

ADDRESS: Final = "https://api.openai.com/v1"
DEFAULT_TIMEOUT: Final = "10m"
_PATH: Final = "/chat/completions"


class OpenAiType:
    """Makes providers of this kind; nothing heavy is imported before one is opened."""

    summary = "OpenAI and every server that speaks its chat completions (vLLM, llama.cpp, Azure, gateways)."

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.providers import OpenAiOptions

        return OpenAiOptions

    def settings(
        self, name: str, options: Mapping[str, Any], model: str, environ: Mapping[str, str]
    ) -> ProviderSettings:
        given = Given(name, options, environ)
        given.take("base_url", "OPENAI_BASE_URL", default=ADDRESS)
        url = given.url()
        if url is not None and url.endswith(_PATH):
            given.lacks(f"`base_url` ({given.sources['base_url']}) ends before `{_PATH}`, which is put behind it")
        of_project = given.sources["base_url"] == PIPE_YML and url is not None and not is_loopback(url)
        # The environment's key goes where the environment, or nobody, says: not to an address that a file brings.
        key = given.secret("api_key") if of_project else given.secret("api_key", "OPENAI_API_KEY")
        given.take("organization", "OPENAI_ORG_ID")
        given.take("project", "OPENAI_PROJECT_ID")
        headers = given.headers()
        for option in (
            *("query", "timeout", "insecure", "max_tokens_key", "output_schema", "extra_body", "return_reasoning"),
        ):
            given.take(option, default=DEFAULT_TIMEOUT if option == "timeout" else None)
        if url is not None:
            given.proxy(url)
            given.over_tls_only(url, given.sends_key)
            if key is None and not headers and not is_loopback(url) and url.startswith("https://"):
                written = f"`api_key: {{from: env, key: NAME}}` under `providers.{name}`"
                if of_project:
                    given.lacks(f"there is no key for the address that pipe.yml gives; set {written}")
                else:
                    given.lacks(f"there is no key; set OPENAI_API_KEY, or {written} in pipe.yml")
        return given.done(model)

    def open(self, settings: ProviderSettings) -> Provider:
        from pipe_providers.chat import OpenAiProvider

        return OpenAiProvider(settings)
