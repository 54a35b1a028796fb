"""Finds the socket of Docker or Podman, and asks it."""

from __future__ import annotations

import os
import re
import ssl
import stat
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipe_agents.infra.api import Answer, Api
from pipe_agents.infra.common import Look, Unreached, mapping, shown
from pipe_agents.trust import trusting

NEWEST: Final = (1, 47)
"""Of the versions of the API that are known here; a newer engine is asked in this one."""
_VERSION: Final = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\Z")
_SOCKETS: Final = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock")


class Engine(NamedTuple):
    """A container engine that answers."""

    api: Api
    kind: str
    version: str | None
    spoken: str
    where: str

    async def get(self, path: str, params: Mapping[str, str] | None = None, *, timeout: float | None = None) -> Any:
        """The value of a good answer; raises Unreached."""
        answer = await self.api.get(f"/v{self.spoken}{path}", params, timeout=timeout)
        if answer.status == 200 and answer.value is not None:
            return answer.value
        raise unusable(answer, self.where, f"GET {path.partition('?')[0]}")

    async def post(self, path: str, params: Mapping[str, str] | None = None, *, timeout: float | None = None) -> Answer:
        return await self.api.send("POST", f"/v{self.spoken}{path}", params, timeout=timeout)


def unusable(answer: Answer, where: str, what: str) -> Unreached:
    said = f": {answer.said}" if answer.said else ""
    if answer.status in (401, 403):
        return Unreached(f"{where} refuses {what} (status {answer.status}){said}", "permission to ask the engine")
    if answer.status == 200:
        return Unreached(f"{where} answered {what} with what is no JSON{said}", "the socket of Docker or Podman")
    return Unreached(f"{where} answered {what} with status {answer.status}{said}", "an engine that answers")


def place(look: Look) -> str | None:
    """Where an engine listens, if anything says so or is there: a URL."""
    said = look.options["docker_host"] or look.env.get("DOCKER_HOST") or look.env.get("CONTAINER_HOST")
    if said:
        return str(said)
    runtime, home = look.env.get("XDG_RUNTIME_DIR"), look.env.get("HOME")
    own = [f"{runtime}/docker.sock", f"{runtime}/podman/podman.sock"] if runtime else []
    own += [f"{home}/.docker/run/docker.sock"] if home else []
    for path in (*_SOCKETS[:2], *own, *_SOCKETS[2:]):
        if is_socket(path):
            return f"unix://{path}"
    return None


def is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def opened(look: Look, url: str) -> tuple[Api, str]:
    """A client for the place, and how sentences call it. Raises Unreached."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Unreached(
            "the address of the engine is no URL", "`unix:///run/docker.sock`, or `tcp://HOST:PORT`"
        ) from None
    if parts.scheme == "unix":
        path = parts.path if not parts.netloc else parts.netloc + parts.path
        return Api("http://engine", shown(path, 300), look.timeout, uds=path), shown(path, 300)
    if parts.scheme in ("tcp", "http", "https") and host:
        secure = parts.scheme == "https" or look.env.get("DOCKER_TLS_VERIFY", "") not in ("", "0")
        tls = _tls(look) if secure else None
        shown_host = f"[{host}]" if ":" in host else host
        where = f"{shown(shown_host, 255)}:{port or (2376 if secure else 2375)}"
        base = f"{'https' if secure else 'http'}://{where}{parts.path}"
        return Api(base, where, look.timeout, tls=tls), where
    raise Unreached(
        f"the address of the engine begins with `{shown(parts.scheme, 30)}:`, which can't be asked here",
        "`unix:///run/docker.sock`, or `tcp://HOST:PORT`; of an `ssh:` one, forward the socket",
    )


def _tls(look: Look) -> ssl.SSLContext:
    folder = look.env.get("DOCKER_CERT_PATH") or os.path.join(look.env.get("HOME", ""), ".docker")
    try:
        context = trusting(cafile=os.path.join(folder, "ca.pem"))
        context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    except OSError as error:
        raise Unreached(
            f"the certificates of Docker in {shown(folder, 200)} can't be used: {shown(error.strerror or error, 200)}",
            "ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH",
        ) from None
    return context


async def engine(api: Api, where: str) -> Engine:
    """Ask who answers, and in which version. Raises Unreached."""
    answer = await api.get("/version")
    about = mapping(answer.value)
    version = _VERSION.match(str(about.get("ApiVersion", "")))
    if answer.status != 200 or version is None:
        raise unusable(answer if answer.status != 200 else answer._replace(value=None), where, "GET /version")
    theirs = (int(version[1]), int(version[2]))
    lowest = _VERSION.match(str(about.get("MinAPIVersion", "")))
    spoken = min(theirs, NEWEST)
    if lowest is not None:
        spoken = max(spoken, (int(lowest[1]), int(lowest[2])))
    components = about.get("Components")
    names = [str(mapping(one).get("Name", "")) for one in components] if isinstance(components, list) else []
    kind = "podman" if any("podman" in name.lower() for name in names) else "docker"
    said = about.get("Version")
    return Engine(api, kind, shown(said, 100) if said else None, f"{spoken[0]}.{spoken[1]}", where)
