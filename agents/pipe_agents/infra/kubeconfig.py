"""Where a Kubernetes cluster is, and who asks: from a kubeconfig, or as the pod's own account."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import ssl
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipe_agents.infra.common import Look, Unreached, mapping, moment, objects, shown
from pipe_agents.trust import trusting
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

MOST: Final = 2**20
"""Bytes of a kubeconfig, or of a file that it names."""
ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_SPACE: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\Z")
_EXEC: Final = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Cluster(NamedTuple):
    """All that is needed to ask."""

    server: str
    context: str | None
    headers: Mapping[str, str]
    tls: ssl.SSLContext | None
    insecure: bool
    server_name: str | None = None
    namespace: str | None = None
    """Of the context."""


def place(look: Look) -> str | None:
    """The path of the kubeconfig, or the folder of the pod's account, if one is there."""
    said = look.options["kubeconfig"]
    if said:
        path = os.path.join(look.attempt.root, os.path.expanduser(said))
        if not os.path.isfile(path):
            raise NodeFault(ErrorKind.NOT_FOUND, f"there is no file {shown(said, 300)}, which `kubeconfig` names")
        return path
    listed = look.env.get("KUBECONFIG")
    if listed:
        return next((path for path in listed.split(os.pathsep) if path and os.path.isfile(path)), listed)
    home = look.env.get("HOME")
    own = os.path.join(home, ".kube", "config") if home else ""
    if own and os.path.isfile(own):
        return own
    if look.env.get("KUBERNETES_SERVICE_HOST") and os.path.isfile(f"{ACCOUNT}/token"):
        return ACCOUNT
    return None


async def cluster(look: Look, path: str) -> Cluster:
    """Read it; raises Unreached."""
    if os.path.isdir(path):
        return _in_pod(look, path)
    config = _config(path)
    name = look.options["context"] or config.get("current-context")
    if not isinstance(name, str) or not name:
        raise Unreached(f"{shown(path, 200)} has no current context", "`context`, or kubectl config use-context NAME")
    context = _named(config, "contexts", "context", name, path)
    about = _named(config, "clusters", "cluster", context.get("cluster"), path)
    user = _named(config, "users", "user", context["user"], path) if context.get("user") else {}
    server = str(about.get("server", "")).rstrip("/")
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Unreached(f"the cluster of {shown(name, 100)} has no server that can be asked", "an https:// URL")
    if about.get("proxy-url"):
        raise Unreached("the kubeconfig asks for a proxy, and none is used here", "a cluster that is reached directly")
    folder = os.path.dirname(os.path.abspath(path))
    insecure = about.get("insecure-skip-tls-verify") is True
    who = await _with_exec(look, user, folder)
    tls = _tls(look, about, who, folder, insecure) if parts.scheme == "https" else None
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise Unreached("the cluster's server is http://, which would show the account to all", "an https:// URL")
    headers = _headers(look, who, folder)
    named = about.get("tls-server-name")
    space = context.get("namespace")
    space = space if isinstance(space, str) and _SPACE.match(space) else None
    return Cluster(server, shown(name, 200), headers, tls, insecure, str(named) if named else None, space)


def _in_pod(look: Look, folder: str) -> Cluster:
    host, port = look.env["KUBERNETES_SERVICE_HOST"], look.env.get("KUBERNETES_SERVICE_PORT", "443")
    shown_host = f"[{host}]" if ":" in host else host
    token = _file(os.path.join(folder, "token")).decode("ascii", "replace").strip()
    look.context.conceal(token)
    try:
        tls = trusting(cafile=os.path.join(folder, "ca.crt"))
    except OSError as error:
        raise Unreached(f"the pod's ca.crt can't be used: {shown(error, 200)}", "the account's own files") from None
    return Cluster(f"https://{shown_host}:{port}", None, {"authorization": f"Bearer {token}"}, tls, False)


def _config(path: str) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.load(_file(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark is not None else ""
        raise Unreached(f"{shown(path, 200)} is no YAML{line}", "a kubeconfig") from None
    if not isinstance(found, Mapping):
        raise Unreached(f"{shown(path, 200)} is no kubeconfig", "a kubeconfig")
    return found


def _named(config: Mapping[str, Any], many: str, one: str, name: Any, path: str) -> dict[str, Any]:
    for entry in objects(config.get(many)):
        if entry.get("name") == name and isinstance(entry.get(one), Mapping):
            return dict(entry[one])
    known = ", ".join(shown(entry.get("name"), 60) for entry in objects(config.get(many))[:10]) or "none"
    raise Unreached(f"{shown(path, 200)} has no {one} {shown(name, 100)}", f"one of those that are there: {known}")


def _file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise Unreached(
            f"{shown(path, 200)} can't be read: {shown(error.strerror, 100)}", "permission to read it"
        ) from None
    if len(data) > MOST:
        raise Unreached(f"{shown(path, 200)} has more than {MOST // 2**20} MiB", "the right file")
    return data


def _data(entry: Mapping[str, Any], key: str, folder: str) -> bytes | None:
    """`KEY-data`, in base64, or the file that `KEY` names."""
    inline = entry.get(f"{key}-data")
    if isinstance(inline, str) and inline:
        try:
            return base64.b64decode(inline, validate=False)
        except (binascii.Error, ValueError):
            raise Unreached(f"{key}-data of the kubeconfig is no base64", "a kubeconfig that kubectl can use") from None
    named = entry.get(key)
    return _file(os.path.join(folder, named)) if isinstance(named, str) and named else None


def _headers(look: Look, user: Mapping[str, Any], folder: str) -> dict[str, str]:
    token = user.get("token")
    if not token and isinstance(user.get("tokenFile"), str):
        token = _file(os.path.join(folder, user["tokenFile"])).decode("ascii", "replace").strip()
    if isinstance(token, str) and token:
        if not token.isascii() or not token.isprintable():
            raise Unreached("the token of the kubeconfig is no text that can be sent", "a token")
        look.context.conceal(token)
        return {"authorization": f"Bearer {token}"}
    if user.get("username") and user.get("password"):
        pair = base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        for secret in (str(user["password"]), pair):
            look.context.conceal(secret)
        return {"authorization": f"Basic {pair}"}
    if user.get("auth-provider"):
        raise Unreached("the kubeconfig uses an `auth-provider`, which Kubernetes has given up", "an `exec` plugin")
    return {}


def _tls(look: Look, about: Mapping[str, Any], user: Mapping[str, Any], folder: str, insecure: bool) -> ssl.SSLContext:
    authority = _data(about, "certificate-authority", folder)
    try:
        context = trusting(cadata=authority.decode("ascii", "replace") if authority else None)
    except ssl.SSLError as error:
        raise Unreached(
            f"certificate-authority of the kubeconfig can't be used: {shown(error.reason, 100)}", "PEM"
        ) from None
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate, key = _data(user, "client-certificate", folder), _data(user, "client-key", folder)
    if key:
        look.context.conceal(key.decode("ascii", "replace").strip())
    if certificate and key:
        _present(context, certificate, key, look)
    return context


def _present(context: ssl.SSLContext, certificate: bytes, key: bytes, look: Look) -> None:
    """Load a client's certificate: Python takes it from a file only, which is there for that moment alone."""
    import tempfile

    descriptor, path = tempfile.mkstemp(dir=look.context.scratch, prefix="client-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificate.rstrip() + b"\n" + key)
        context.load_cert_chain(path, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        why = shown(getattr(error, "reason", None) or error, 100)
        raise Unreached(
            f"the client certificate of the kubeconfig can't be used: {why}", "a certificate and its key in PEM"
        ) from None
    finally:
        os.unlink(path)


async def _with_exec(look: Look, user: Mapping[str, Any], folder: str) -> Mapping[str, Any]:
    """What a plugin of the kubeconfig gives, as kubectl would have it run: a token, or a certificate."""
    told = mapping(user.get("exec"))
    if not told:
        return user
    command, version = told.get("command"), told.get("apiVersion")
    if not isinstance(command, str) or not command or version not in _EXEC:
        raise Unreached(
            f"the `exec` of the kubeconfig is of a version {shown(version, 100)} that isn't known", _EXEC[0]
        )
    if os.sep in command and not os.path.isabs(command):
        command = os.path.join(folder, command)
    words = [str(word) for word in told.get("args") or []]
    more = {str(one.get("name")): str(one.get("value")) for one in objects(told.get("env"))}
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    try:
        end = await look.command(command, *words, env={**more, "KUBERNETES_EXEC_INFO": json.dumps(info)})
    except TimeoutError:
        raise Unreached(f"{shown(command, 200)} of the kubeconfig gave nothing in time", "a longer `timeout`") from None
    if end.not_found is not None or end.exit_code != 0:
        why = "is not there" if end.not_found is not None else f"ended with exit code {end.exit_code}"
        hint = told.get("installHint")
        needs = shown(hint, 200) if isinstance(hint, str) else "the plugin that the kubeconfig names, and its login"
        raise Unreached(f"{shown(command, 200)} of the kubeconfig {why}", needs)
    try:
        status = mapping(mapping(json.loads(end.stdout)).get("status"))
    except (ValueError, RecursionError):
        status = {}
    expires = moment(status.get("expirationTimestamp"))
    if not status or (expires is not None and expires < look.now):
        raise Unreached(f"{shown(command, 200)} of the kubeconfig gave no account that can be used", "a fresh login")
    for secret in (status.get("token"), status.get("clientKeyData")):
        if isinstance(secret, str):
            look.context.conceal(secret)
    found = {key: value for key, value in user.items() if key != "exec"}
    for theirs, ours in (("clientCertificateData", "client-certificate-data"), ("clientKeyData", "client-key-data")):
        if isinstance(status.get(theirs), str):
            found[ours] = base64.b64encode(status[theirs].encode()).decode()
    return {**found, **({"token": status["token"]} if isinstance(status.get("token"), str) else {})}
