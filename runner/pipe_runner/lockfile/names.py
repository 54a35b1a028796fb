"""Names of models that are only aliases: the service says what stands behind them, and may say otherwise tomorrow."""

from __future__ import annotations

import re
from typing import Final

_LATEST: Final = re.compile(r"(?:^|[-:/@])latest\Z", re.IGNORECASE)
_OPENAI_FAMILY: Final = re.compile(
    r"(?:openai/)?(?:gpt-|chatgpt-|o\d|codex-|computer-use|text-embedding-|davinci|babbage)", re.I
)
_OPENAI_FIXED: Final = re.compile(r"^ft:|-\d{4}-\d{2}-\d{2}\Z|-(?:0[1-9]|1[0-2])[0-3]\d(?:-preview)?\Z|^gpt-oss", re.I)
_REGIONS: Final = re.compile(r"(?:us|us-gov|eu|apac|au|jp|ca|sa|me|af|global)\.[a-z0-9-]+\.", re.IGNORECASE)
_PROFILE: Final = re.compile(r"arn:[a-z-]+:bedrock:[^:]*:\d*:(?:application-)?inference-profile/")
_ROUTER: Final = re.compile(r"arn:[a-z-]+:bedrock:[^:]*:\d*:(?:default-)?prompt-router/")


def is_alias(type_name: str | None, model: str) -> bool:
    """Whether a model's name is known to be an alias at a service of that type; False where nobody knows.

    `openai`: names of its families without a date. `ollama`: no tag, or `latest`. `bedrock`: inference profiles and
    routers. Everywhere: `latest`.
    """
    if _LATEST.search(model):
        return True
    if type_name == "openai":
        return bool(_OPENAI_FAMILY.match(model)) and not _OPENAI_FIXED.search(model)
    if type_name == "ollama":
        return ":" not in model.rsplit("/", 1)[-1] and "@sha256" not in model
    if type_name == "bedrock":
        return bool(_REGIONS.match(model) or _PROFILE.match(model) or _ROUTER.match(model))
    return False
