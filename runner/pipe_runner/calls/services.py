"""The model services of a run by name: their settings, what of them is secret, and their clients, opened when used."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipe_runner.calls.around import AsTheTypeSays
from pipe_runner.calls.seams import MakePrices, Prices
from pipe_runner.errors import NodeFault, PipeError
from pipe_runner.halts import is_stop
from pipe_runner.models import ModelFault, Provider, ProviderSettings, ProviderType, Reason
from pipe_runner.plugins import apart
from pipe_runner.project import OF_EVERY_PROVIDER
from pipe_runner.types import ErrorKind

BUILT_IN: Final = ("bedrock", "openai", "ollama")
"""Names that exist without pipe.yml; each is the name of its type, too."""


class Service(NamedTuple):
    """A provider as pipe.yml names it."""

    type: ProviderType
    settings: ProviderSettings
    limits: Mapping[str, Any]
    prices: Prices


class Services:
    """Made once per run. `types` finds a provider type by its name; raises PipeError where there is none."""

    def __init__(
        self,
        written: Mapping[str, Any],
        types: Mapping[str, ProviderType],
        environ: Mapping[str, str],
        make_prices: MakePrices = AsTheTypeSays,
    ) -> None:
        self._written, self._types, self._environ, self._make_prices = written, types, environ, make_prices
        self._services: dict[str, Service] = {}
        self._open: dict[str, Provider] = {}
        self.first: set[str] = set()
        """Those that some node asks before any other."""
        self.conceal: Callable[[str], None] = lambda secret: None
        """Told each secret that a client gets later than its settings."""
        self.mask: Callable[[str], str] = lambda text: text
        """Hides what the run shows nowhere."""

    def get(self, name: str) -> Service:
        """The service of that name; raises NodeFault where there is none."""
        found = self._services.get(name)
        if found is None:
            found = self._services[name] = self._resolve(name)
        return found

    def written(self, name: str) -> Mapping[str, Any]:
        """What pipe.yml says of it."""
        return self._written.get(name) or {}

    def type_of(self, name: str) -> str:
        """The name of a provider's type."""
        return str((self._written.get(name) or {}).get("type", name))

    def _resolve(self, name: str) -> Service:
        said = self._written.get(name)
        if said is None and name not in self._types:
            known = ", ".join(dict.fromkeys((*self._written, *self._types)))
            raise NodeFault(ErrorKind.NOT_FOUND, f"there is no provider {name!r} in pipe.yml; there is {known}")
        said, type_name = said or {}, self.type_of(name)
        try:
            kind = self._types.get(type_name)
        except PipeError as error:
            raise NodeFault(ErrorKind.NOT_FOUND, f"provider {name!r}: {error.message}") from error
        if kind is None:
            raise NodeFault(ErrorKind.NOT_FOUND, f"provider {name!r}: there is no type {type_name!r}")
        options = {key: value for key, value in said.items() if key not in OF_EVERY_PROVIDER}
        try:
            with apart(type(kind).__module__):
                settings: Any = kind.settings(name, options, said.get("model", ""), self._environ)
        except (NodeFault, PipeError):
            raise
        except BaseException as error:  # of a plugin: its words may hold a key
            if isinstance(error, KeyboardInterrupt):
                raise
            why = f"provider {name!r} can't be set up: its type {type_name!r} raises {type(error).__name__}"
            raise NodeFault(ErrorKind.NOT_FOUND, why) from error
        if not isinstance(settings, ProviderSettings):
            why = f"provider {name!r} can't be set up: its type {type_name!r} gives no ProviderSettings"
            raise NodeFault(ErrorKind.NOT_FOUND, why)
        prices = self._make_prices(type_name, settings, said.get("prices") or {})
        return Service(kind, settings, said.get("limits") or {}, prices)

    def secrets(self, names: tuple[str, ...]) -> dict[str, str]:
        """What of these providers' settings is shown nowhere, under names for warnings."""
        found: dict[str, str] = {}
        for name in names:
            try:
                values = self.get(name).settings.secrets
            except NodeFault:
                continue  # told when a node asks it
            found.update({f"provider {name} {number}": value for number, value in enumerate(values)})
        return found

    def client(self, name: str) -> Provider:
        """The open client; raises ModelFault where it lacks a key or a package, so that the next choice is asked."""
        found = self._open.get(name)
        if found is None:
            service = self.get(name)
            if service.settings.missing:
                raise ModelFault(Reason.CREDENTIALS, f"provider {name}: {service.settings.missing}", sent=False)
            try:
                with apart(type(service.type).__module__):
                    found = service.type.open(service.settings._replace(conceal=self.conceal, mask=self.mask))
            except PipeError as error:
                hint = f" ({error.hint})" if error.hint else ""
                raise ModelFault(Reason.NOT_FOUND, f"provider {name}: {error.message}{hint}", sent=False) from error
            except BaseException as error:  # of a plugin, as above
                if isinstance(error, KeyboardInterrupt):
                    raise
                why = f"provider {name!r} can't be opened: {self.type_of(name)!r} raises {type(error).__name__}"
                raise ModelFault(Reason.NOT_FOUND, why, sent=False) from error
            self._open[name] = found
        return found

    def warm(self) -> None:
        """Open the clients that are asked first: what they import takes as long as an answer. Who can't be opened is
        told when a node asks it."""
        for name in sorted(self.first):
            with contextlib.suppress(NodeFault, PipeError):
                client = self.client(name)
                warm: Callable[[], None] | None = getattr(client, "warm", None)
                if warm is not None:
                    try:
                        with apart(type(client).__module__):
                            warm()
                    except BaseException as error:  # whatever files of somebody's say
                        if isinstance(error, KeyboardInterrupt):
                            raise

    async def close(self) -> None:
        """Close the clients. One of a plugin that can't be closed keeps no other open."""
        while self._open:
            _, client = self._open.popitem()
            try:
                with apart(type(client).__module__):
                    await client.close()
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt) or is_stop(error):
                    raise
