"""The key of a result: what its output depends on, part by part, each as a digest; pure."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

from pipe_runner.plan import NOTHING
from pipe_runner.ports import Attempt
from pipe_runner.types import Json
from pipe_schemas.encoding import canonical_json

FORMAT: Final = 2
_NAMES: Final = {"node": "the node", "agent": "the agent's version", "root": "the project's root", "key": "`key`"}
_LABELS: Final = {
    "script": "`run`",
    "variables": "a value in `run`",
    "integers": "`run`",
    "raw": "`run`",
    **{name: f"`{name}`" for name in ("argv", "shell", "cwd", "stdin", "output")},
}
"""What the options of commands are called in the file."""
_NAMED: Final = 5


class Parts(NamedTuple):
    """What a key is made of. Values are digests or versions, never the data itself."""

    domain: str
    root: str
    node: str
    """What the file says of the node, without what can't change its output."""
    agent: str
    """Name and version."""
    key: str
    """The text that the file gives under `key`."""
    inputs: Mapping[str, str]
    """Each option and each variable of the environment, rendered, and what stands around its tools."""
    files: Mapping[str, str]
    """By path from the root."""
    secrets: Mapping[str, str]
    """By name; keyed, so that a digest tells nothing to who doesn't have the project's own key."""
    artifacts: Mapping[str, str] = NOTHING
    """What the nodes that it needs have left and is put into its working directory, by path and node."""

    def digest(self) -> str:
        """The key itself."""
        return sha256(canonical_json([FORMAT, *self[:-1], dict(self.artifacts)]).encode("ascii")).hexdigest()


def make_parts(
    attempt: Attempt,
    *,
    domain: str,
    node: str,
    agent: str,
    key: str,
    files: Mapping[str, str],
    secrets: Mapping[str, str],
    salt: bytes,
    artifacts: Mapping[str, str] = NOTHING,
    around: Mapping[str, Json] = NOTHING,
) -> Parts:
    """The parts of an attempt's key. Its run, number, idempotency key and trace are of one run, and count for nothing.

    Options and variables may hold the markers of secrets: the markers count here, the values under `secrets`.
    """
    labels = _LABELS if attempt.agent == "shell" else {}
    inputs = {labels.get(name, f"option {name}"): "" for name in attempt.options}
    for name, value in attempt.options.items():
        label = labels.get(name, f"option {name}")
        inputs[label] = _digest([inputs[label], name, value])
    inputs.update((f"env {name}", _digest(value)) for name, value in attempt.env.items())
    inputs.update((name, _digest(value)) for name, value in around.items())
    keyed = {
        name: hmac.new(salt, secrets[name].encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        for name in attempt.secrets
    }
    return Parts(domain, _digest(attempt.root), node, agent, _digest(key), inputs, dict(files), keyed, dict(artifacts))


def differences(before: Parts, now: Parts) -> list[str]:
    """In words, what of a key is not as it was in an earlier one; empty where all is the same."""
    found = [text for name, text in _NAMES.items() if getattr(before, name) != getattr(now, name)]
    for kind in ("inputs", "files", "artifacts", "secrets"):
        old, new = getattr(before, kind), getattr(now, kind)
        word = "" if kind == "inputs" else f"{kind[:-1]} "
        found += [f"{word}{name}" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]]
        found += [f"{word}{name} (new)" for name in sorted(new.keys() - old.keys())]
        found += [f"{word}{name} (gone)" for name in sorted(old.keys() - new.keys())]
    return found


def told(changes: list[str]) -> str:
    """The differences as part of a sentence."""
    more = f" and {len(changes) - _NAMED} more" if len(changes) > _NAMED else ""
    return ", ".join(changes[:_NAMED]) + more


def parts_to_json(parts: Parts) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in parts._asdict().items()}


def parts_from_json(data: Mapping[str, Any]) -> Parts:
    """Raises TypeError or KeyError for what are no parts."""
    return Parts(**data)


def _digest(value: Any) -> str:
    return sha256(canonical_json(value).encode("ascii")).hexdigest()
