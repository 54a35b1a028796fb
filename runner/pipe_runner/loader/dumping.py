"""Writes plain data as YAML that reads back as the same data, here and wherever YAML 1.1 or 1.2 is read."""

from __future__ import annotations

import re
from typing import Any, Final

from pipe_runner.types import IDENTIFIER

_MEANT_OTHERWISE: Final = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]+")
_BIDI: Final = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def dumped(data: Any) -> str:
    """The data as a block of YAML. Texts that are no plain names are quoted. Raises ValueError for what is no JSON."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, value: str) -> Any:
        plain = IDENTIFIER.match(value) and value.lower() not in _MEANT_OTHERWISE
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    Dumper.add_representer(str, text)
    try:
        written: str = yaml.dump(
            sound(data), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=2**31, default_flow_style=False
        )
    except yaml.YAMLError as error:
        raise ValueError(f"it can't be written as YAML: {error}") from None
    return written


def comment(text: str, indent: str = "", width: int = 110) -> list[str]:
    """Lines of a comment, which no text can leave."""
    import textwrap

    one = _BIDI.sub("", _BREAKS.sub(" ", text)).strip()
    lines = textwrap.wrap(one, width, break_long_words=True, break_on_hyphens=False) or [""]
    return [f"{indent}# {line}".rstrip() for line in lines]


def sound(value: Any) -> Any:
    """The value with half characters replaced, which no file can hold; numbers that are no JSON are refused."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if isinstance(value, dict):
        return {sound(str(key)): sound(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [sound(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        raise ValueError("it can't be written as YAML: a number that is none")
    return value
