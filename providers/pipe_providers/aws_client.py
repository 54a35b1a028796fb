"""botocore's side of Bedrock: a client with the keys that the settings say, and its ways: proxies and certificates."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from pipe_providers.faults import Hide
from pipe_providers.given import host_of, is_loopback
from pipe_runner.models import ModelFault, ProviderSettings, Reason

if TYPE_CHECKING:
    from pipe_providers.aws_helpers import Helpers
    from pipe_providers.wire import Wire

_KEYS: Final = (
    *(("access_key", "AWS_ACCESS_KEY_ID"), ("secret_key", "AWS_SECRET_ACCESS_KEY")),
    ("session_token", "AWS_SESSION_TOKEN"),
)
_FILES: Final = (("config_file", "AWS_CONFIG_FILE"), ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE"))


@cache
def _loader(path: str) -> Any:
    """Keeps the models of AWS's services, which take a while to read and never change, for all clients."""
    from botocore.loaders import create_loader

    return create_loader(path or None)


def _session(said: Mapping[str, Any]) -> Any:
    from botocore.session import Session

    core = Session()
    core.register_component("data_loader", _loader(core.get_config_variable("data_path") or ""))
    for name, variable in _FILES:
        if said.get(name) and os.environ.get(variable) != said[name]:
            core.set_config_variable(name, said[name])
    return core


def profile_of(config: str, keys: str, profile: str | None) -> Mapping[str, Any]:
    """What AWS's files say of a profile. Raises BotoCoreError."""
    from botocore.session import Session

    core = Session()
    for name, value in (("config_file", config), ("credentials_file", keys), ("profile", profile)):
        if value is not None:
            core.set_config_variable(name, value)
    found: Mapping[str, Any] = core.get_scoped_config()
    return found


def for_botocore(settings: ProviderSettings) -> Mapping[str, Any]:
    """The options, without an address that botocore finds in the environment by itself: a file may say that it is to be
    ignored."""
    said = settings.options
    own = said.get("endpoint_url") != os.environ.get(settings.sources.get("endpoint_url", ""))
    return said if own else {**said, "endpoint_url": None}


def read_models(said: Mapping[str, Any]) -> None:
    """Import boto3 and read AWS's models, for a client that is thrown away: it takes longer than many an answer. Asks
    nobody for credentials."""
    import boto3  # noqa: F401

    keys = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
    region, endpoint = said["region"], said.get("endpoint_url")
    _session(said).create_client("bedrock-runtime", region_name=region, endpoint_url=endpoint, **keys)


def client_of(said: Mapping[str, Any], helpers: Helpers | None = None) -> tuple[Any, Any, str]:
    """A client, its credentials, and the file of certificates to trust, where one is named. May take long, and find
    that there are no keys."""
    import boto3
    from botocore.config import Config

    core = _session(said)
    keys: dict[str, Any] = {}
    if said.get("access_key") and any((os.environ.get(name) or None) != said.get(key) for key, name in _KEYS):
        keys = {"aws_access_key_id": said["access_key"], "aws_secret_access_key": str(said.get("secret_key") or "")}
        keys["aws_session_token"] = said.get("session_token")
    elif not said.get("access_key") and said.get("profile"):
        core.set_config_variable("profile", said["profile"])
    _ask_nobody(core)
    if helpers is not None:
        helpers.watch(core)
    maker = boto3.Session(botocore_session=core, region_name=said["region"], **keys)
    config = Config(retries={"total_max_attempts": 1, "mode": "standard"})
    client = maker.client("bedrock-runtime", endpoint_url=said.get("endpoint_url"), config=config)
    bundle = core.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE", "")
    return client, maker.get_credentials(), bundle


def _ask_nobody(core: Any) -> None:
    """Have no prompt for a code on the terminal, where nobody would see it under the view of a run."""
    from botocore.exceptions import CredentialRetrievalError, UnknownCredentialError

    def prompt(_: str) -> NoReturn:
        why = "the profile wants an MFA code, which nobody can give here; have a session's keys in the environment"
        raise CredentialRetrievalError(provider="assume-role", error_msg=why)

    with contextlib.suppress(UnknownCredentialError):
        core.get_component("credential_provider").get_provider("assume-role")._prompter = prompt


def wire_to(address: str, where: str, hide: Hide, ca_bundle: str, connections: int, insecure: bool) -> Wire:
    """A wire to an address of AWS's, through the proxy and with the trust that its tools would have."""
    from botocore.utils import get_environ_proxies

    from pipe_providers.aws_faults import of_answer
    from pipe_providers.wire import Wire

    scheme = address.partition("://")[0]
    if "@" in address:
        message = f"{where}: the address in AWS's files holds a user name or a password; AWS takes none"
        raise ModelFault(Reason.NOT_FOUND, message, sent=False)
    if scheme == "http" and not insecure and not is_loopback(address):
        message = f"{where}: signed requests would go to {host_of(address)} unencrypted"
        hint = "use https, or say `insecure: true` in pipe.yml where nobody can listen"
        raise ModelFault(Reason.CREDENTIALS, f"{message}; {hint}", sent=False)
    proxy = None if is_loopback(address) else get_environ_proxies(address).get(scheme) or None
    if proxy is not None and "://" not in proxy:
        proxy = f"http://{proxy}"
    if proxy is not None and not proxy.lower().startswith(("http://", "https://")):
        kind = proxy.partition("://")[0][:20]
        message = (
            f"{where}: a proxy that speaks {kind} can't be used; {scheme}_proxy must be an address of http or https"
        )
        raise ModelFault(Reason.NOT_FOUND, message, sent=False)
    if proxy is not None and not _is_address(proxy):
        message = f"{where}: {scheme}_proxy holds no address of a proxy; write `http://host:port`"
        raise ModelFault(Reason.NOT_FOUND, message, sent=False)
    tls = _trust(ca_bundle, where) if scheme == "https" else None
    wire = Wire(where, address, {}, {}, hide, proxy, tls=tls, connections=connections, declined=of_answer)
    wire.trusts = "AWS_CA_BUNDLE"
    return wire


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _trust(ca_bundle: str, where: str) -> ssl.SSLContext:
    from botocore.httpsession import get_cert_path

    from pipe_providers.wire import no_certificates

    path = get_cert_path(ca_bundle or True)
    try:
        return ssl.create_default_context(**{"capath" if os.path.isdir(path) else "cafile": path})
    except OSError as error:
        why = no_certificates(error)
    theirs = path == os.environ.get("REQUESTS_CA_BUNDLE") and not os.environ.get("AWS_CA_BUNDLE")
    said = "REQUESTS_CA_BUNDLE" if theirs else "AWS_CA_BUNDLE"
    message = f"{where}: no TLS connection can be made that may be trusted: {said} is {path}: {why}"
    raise ModelFault(Reason.NOT_FOUND, message, sent=False)
