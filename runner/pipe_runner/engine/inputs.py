"""Inputs that hold a secret: its text would reach nodes as `***`, since the log has inputs with all secrets hidden."""

from __future__ import annotations

from collections.abc import Mapping

from pipe_runner.engine.place import Granted
from pipe_runner.errors import UsageError
from pipe_runner.ports import Masker
from pipe_runner.types import Json


def refuse_secrets(inputs: Mapping[str, Json], granted: Granted) -> None:
    """Raises UsageError that names each input that holds a secret, in any form that is masked, and the secret."""
    if not _holds(granted.masker, dict(inputs)):
        return
    from pipe_runner.masking import SecretMasker

    faults: list[str] = []
    own: dict[str, None] = {}
    for name, value in inputs.items():
        if not _holds(granted.masker, {name: value}):
            continue
        held = [
            secret for secret, text in granted.hidden.items() if _holds(SecretMasker({secret: text}), {name: value})
        ]
        own.update(dict.fromkeys(secret for secret in held if " " not in secret))
        faults.append(f"input `{name}` holds {_told(held)}")
    raise UsageError(
        "\n".join(faults),
        hint="inputs are kept in the log, which hides secrets, so that nodes would get `***`; " + _mend(list(own)),
    )


def _holds(masker: Masker, value: dict[str, Json]) -> bool:
    return masker.mask_json(value) is not value


def _told(held: list[str]) -> str:
    if not held:
        return "a secret"
    words = (f"a secret of {name.rpartition(' ')[0]}" if " " in name else f"the secret {name}" for name in held)
    return " and ".join(list(dict.fromkeys(words))[:5])


def _mend(own: list[str]) -> str:
    if not own:
        return "give it without the secret"
    return f"grant it to the nodes that need it (`secrets: [{', '.join(own[:5])}]`), which read it as ${own[0]}"
