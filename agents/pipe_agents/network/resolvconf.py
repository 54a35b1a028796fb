"""What /etc/resolv.conf says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pipe_agents.network.targets import Resolver, resolver_of
from pipe_agents.network.texts import bounded
from pipe_runner.errors import NodeFault

PATH: Final = "/etc/resolv.conf"
USED: Final = 3
"""Name servers that the C library asks; more of them are never asked."""


@dataclass(frozen=True)
class ResolvConf:
    """Its lines, by what they are."""

    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    options: tuple[str, ...]

    def measured(self) -> dict[str, Any]:
        return {
            "nameservers": list(self.nameservers[:20]),
            "search": list(self.search[:20]),
            "options": list(self.options[:20]),
        }

    @property
    def resolvers(self) -> tuple[Resolver, ...]:
        """Those that are asked."""
        found = []
        for text in self.nameservers[:USED]:
            try:
                found.append(resolver_of(f"[{text}]" if ":" in text else text, "system"))
            except NodeFault:
                continue
        return tuple(dict.fromkeys(found))

    @property
    def ndots(self) -> int:
        """Dots from which on a name is first asked for as it is."""
        for option in self.options:
            name, _, value = option.partition(":")
            if name == "ndots" and value.isdecimal() and value.isascii():
                return min(int(value[:4]), 15)
        return 1

    def names(self, name: str) -> list[str]:
        """What the C library (glibc) asks for, in its order: the name with each domain of `search`, and as it is; this
        first where it has as many dots as `ndots`."""
        searched = [f"{name}.{domain}" for domain in self.search[:6]]
        return [name, *searched] if name.count(".") >= self.ndots else [*searched, name]


def read(path: str = PATH) -> ResolvConf | None:
    """None where there is no such file, or it can't be read."""
    try:
        with open(path, encoding="utf-8", errors="backslashreplace") as file:
            text = file.read(65536)
    except OSError:
        return None
    return parse(text)


def parse(text: str) -> ResolvConf:
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = [bounded(word, 300) for word in line.split("#", 1)[0].split(";", 1)[0].split()]
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = [word.rstrip(".").lower() for word in words[1:] if word != "."]
        elif words[0] == "options":
            options += words[1:]
    return ResolvConf(tuple(servers), tuple(search), tuple(options))
