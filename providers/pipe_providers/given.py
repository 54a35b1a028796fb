"""What a provider is set up with: of pipe.yml first, then of its usual environment variables; and what is missing."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pipe_runner.models import ProviderSettings
from pipe_schemas.credentials import credentials

PIPE_YML: Final = "pipe.yml"
_LARGEST: Final = 64 * 1024


class Hidden(str):
    """A secret: a text that doesn't show itself where values are printed for people who look for mistakes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Given:
    """Collects the settings of one provider and where each comes from; the first thing that is missing is kept."""

    def __init__(self, name: str, options: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self.name, self._options, self._environ = name, options, environ
        self.settings: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.secrets: list[str] = []
        self.sends_key = False
        """A secret goes to the service itself, and not only to a proxy."""
        self.missing: str | None = None

    def lacks(self, what: str) -> None:
        self.missing = self.missing or what

    def put(self, key: str, value: Any, source: str) -> None:
        self.settings[key], self.sources[key] = value, source

    def take(self, key: str, *variables: str, default: Any = None) -> Any:
        """A setting that is no secret: of pipe.yml, else of the first of these variables that is set."""
        if self._options.get(key) is not None:
            self.put(key, self._options[key], PIPE_YML)
        else:
            variable = next((name for name in variables if self._environ.get(name)), None)
            if variable is not None:
                self.put(key, self._environ[variable], variable)
            elif default is not None:
                self.put(key, default, "default")
        return self.settings.get(key)

    def secret(self, key: str, *variables: str) -> str | None:
        """A setting that is one."""
        said = self._options.get(key)
        if said is not None:
            value, source = self._resolved(key, said)
        else:
            variable = next((name for name in variables if self._environ.get(name)), None)
            if variable is None:
                return None
            value, source = self._environ[variable], variable
        if value is None:
            return None
        return self._kept(key, value, source)

    def _kept(self, key: str, value: str, source: str) -> str | None:
        value = value.strip()
        if not value.isprintable() or not value.isascii():
            self.lacks(f"`{key}` ({source}) holds characters that no HTTP header can carry")
            return None
        hidden = Hidden(value)
        self.put(key, hidden, source)
        self.secrets.append(hidden)
        self.sends_key = True
        return hidden

    def headers(self) -> dict[str, str]:
        """Headers of pipe.yml, each a text or a secret."""
        found: dict[str, str] = {}
        for name, said in (self._options.get("headers") or {}).items():
            if isinstance(said, str):
                found[name] = said
                continue
            value, source = self._resolved(f"headers.{name}", said)
            kept = None if value is None else self._kept(f"headers.{name}", value, source)
            if kept is not None:
                self.settings.pop(f"headers.{name}")
                found[name] = kept
        if found:
            self.put("headers", found, PIPE_YML)
        return found

    def _resolved(self, key: str, said: Any) -> tuple[str | None, str]:
        """The value of `{from: env|file, key}`; a value that stands in pipe.yml itself is never taken."""
        if not isinstance(said, Mapping):
            self.lacks(f"`{key}` stands in pipe.yml itself; write `{{from: env, key: NAME}}`")
            return None, PIPE_YML
        name = str(said.get("key", ""))
        if said.get("from") == "env":
            if not self._environ.get(name):
                self.lacks(f"the environment variable {name} is not set, of which pipe.yml takes `{key}`")
                return None, name
            return self._environ[name], name
        text, fault = _read(name)
        if fault is not None:
            self.lacks(f"the file {name}, of which pipe.yml takes `{key}`, {fault}")
        return text, name

    def url(self, key: str = "base_url") -> str | None:
        """The setting as an address that can be asked; what is wrong with it is noted as missing."""
        value = self.settings.get(key)
        if not isinstance(value, str):
            return None
        source = self.sources[key]
        try:
            parts = urlsplit(value.strip())
            port = parts.port
        except ValueError:
            self.lacks(f"`{key}` ({source}) is no address; write `https://host/path`")
            return None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            self.lacks(f"`{key}` ({source}) is no address of http or https; write `https://host/path`")
        elif parts.username is not None or parts.password is not None:
            self.settings[key] = f"{parts.scheme}://***@{host_of(value)}{parts.path}"
            instead = "give them by `headers` of pipe.yml" if key == "base_url" else "AWS takes none"
            self.lacks(f"`{key}` ({source}) holds a user name or a password; {instead}")
        elif parts.query or parts.fragment:
            self.settings[key] = f"{parts.scheme}://{parts.netloc}{parts.path}"
            instead = "`query` of pipe.yml takes one" if key == "base_url" else "AWS takes none"
            self.lacks(f"`{key}` ({source}) has a query or a fragment; {instead}")
        else:
            return value.strip().rstrip("/")
        return None

    def over_tls_only(self, url: str, secret: bool) -> None:
        """A secret goes over TLS, or to this machine; pipe.yml may say `insecure: true`."""
        if secret and url.startswith("http://") and not is_loopback(url) and not self._options.get("insecure"):
            self.lacks(
                f"a key would go to {host_of(url)} unencrypted; use https, or say `insecure: true` in pipe.yml"
                " where nobody can listen"
            )

    def proxy(self, url: str) -> None:
        """The proxy on the way to an address, where pipe.yml wants one. A password in a variable's is a secret."""
        said = self._options.get("proxy")
        if isinstance(said, str):
            self.put("proxy", said, PIPE_YML)
        if said is not True or is_loopback(url) or self._bypassed(url):
            return
        for name in (f"{urlsplit(url).scheme}_proxy", "all_proxy"):
            for variable in (name, name.upper()):
                value = self._environ.get(variable, "").strip()
                if not value or "proxy" in self.settings:
                    continue
                value = value if "://" in value else f"http://{value}"
                password = _password(value)
                if password is None:
                    self.lacks(f"{variable} holds no address of a proxy; write `http://host:port`")
                    return
                self._hide(password)
                self.put("proxy", Hidden(value) if password else value, variable)

    def proxy_passwords(self) -> None:
        """Keep the passwords of the usual proxies to be shown nowhere."""
        for scheme in ("https", "http", "all"):
            for variable in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
                value = self._environ.get(variable, "").strip()
                password = _password(value if "://" in value else f"http://{value}") if value else None
                self._hide(password or "")

    def _hide(self, password: str) -> None:
        """Keep the password of an address to be shown nowhere, as it is written and as it is sent."""
        for form in (password, unquote(password)):
            if form and form not in self.secrets:
                self.secrets.append(Hidden(form))

    def _bypassed(self, url: str) -> bool:
        """Whether NO_PROXY names the host, one above it, or it with the port."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        names = (self._environ.get("no_proxy") or self._environ.get("NO_PROXY") or "").split(",")
        known = {name.strip().lower().removeprefix("*").lstrip(".") for name in names if name.strip()}
        return any(not name or f".{host}".endswith(f".{name.removesuffix(f':{port}')}") for name in known)

    def done(self, model: str, **more: Any) -> ProviderSettings:
        written = {key: self.settings.get(key) for key in ("headers", "query", "proxy")}
        self.secrets += [Hidden(one) for one in credentials(written) if one not in self.secrets]
        return ProviderSettings(
            self.name, self.settings, model, tuple(self.secrets), dict(self.sources), self.missing, **more
        )


def host_of(url: str) -> str:
    """Host and port of an address."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _password(url: str) -> str | None:
    """The password of a proxy's address, empty where there is none; None where it is no such address."""
    try:
        parts = urlsplit(url)
        return None if parts.scheme not in ("http", "https") or not parts.hostname else parts.password or ""
    except ValueError:
        return None


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read(path: str) -> tuple[str | None, str | None]:
    """A secret's file, without its last newline; or why it can't be had."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None, "is no regular file"
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        return None, f"can't be read: {getattr(error, 'strerror', None) or 'its name is wrong'}"
    if len(data) > _LARGEST:
        return None, f"is larger than {_LARGEST // 1024} KiB"
    value = data.decode("utf-8", "replace").strip()
    return (value, None) if value else (None, "is empty")
