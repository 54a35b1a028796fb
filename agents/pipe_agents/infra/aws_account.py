"""An account of AWS: its keys, its clients, and calls of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from pipe_agents.findings import Finding
from pipe_agents.infra.aws_faults import faults, no_program, unreached
from pipe_agents.infra.common import Look, Unreached, shown

MOST_PAGES: Final = 50
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_NO_KEYS: Final = (
    "the secrets AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY granted to the node, a profile in ~/.aws, "
    "or a role of this machine"
)


@cache
def _loader() -> Any:
    """Keeps the models of AWS's services, which take a while to read and never change, for all clients."""
    from botocore.loaders import create_loader

    return create_loader()


class Part(NamedTuple):
    """What was found of one service in one region."""

    findings: list[Finding]
    numbers: dict[str, Any]
    truncated: tuple[str, ...] = ()


class Account:
    """Makes clients; each is made once, by the first thread that needs it."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[tuple[str, str], Any] = {}

    def regions(self) -> list[str]:
        """Raises Unreached where nothing says which."""
        said = self._look.options["region"]
        if said:
            return [said] if isinstance(said, str) else list(dict.fromkeys(said))
        env = self._look.env
        found = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or self.session().region_name
        if not found:
            raise Unreached("there is no region", "`region`, AWS_REGION, or a region in the profile")
        return [str(found)]

    def session(self) -> Any:
        """Keys come from the node's own variables, from AWS's files, or from a role of the machine. Neither from
        other variables of the runner, nor from a program that such a file names."""
        with self._lock:
            if self._session is None:
                self._session = self._made()
            return self._session

    def keys(self) -> None:
        """Raises Unreached where there are none."""
        from botocore.exceptions import BotoCoreError

        try:
            found = self.session().get_credentials()
        except BotoCoreError as error:
            raise unreached(error, "sts", "sts:GetCallerIdentity", "") from None
        except (OSError, ValueError):
            raise no_program() from None
        if found is None:
            raise Unreached("there are no keys of AWS", _NO_KEYS)

    def client(self, service: str, region: str) -> Any:
        """Raises Unreached."""
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        session = self.session()
        with self._lock:
            made = self._clients.get((service, region))
            if made is None:
                seconds = self._look.timeout
                config = Config(
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    connect_timeout=min(seconds, 10),
                    read_timeout=seconds,
                    user_agent_extra="pipe-runner",
                )
                env = self._look.env
                bundle = env.get("AWS_CA_BUNDLE")
                try:
                    made = session.client(
                        service,
                        region_name=region,
                        endpoint_url=env.get(f"AWS_ENDPOINT_URL_{service.upper()}") or env.get("AWS_ENDPOINT_URL"),
                        config=config,
                        verify=bundle or None,
                    )
                except (BotoCoreError, ValueError) as error:
                    raise unreached(error, service, "", region) from None
                _check_address(made.meta.endpoint_url, service)
                self._clients[service, region] = made
            return made

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    def _tell(self, request_signer: Any, **_: Any) -> None:
        """Have the keys hidden that a request is about to be signed with, also one that asks for others with them."""
        keys = request_signer._credentials and request_signer._credentials.get_frozen_credentials()
        for secret in (keys.secret_key, keys.token) if keys else ():
            if secret:
                self._look.context.conceal(secret)

    def _made(self) -> Any:
        import boto3
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        look, env, core = self._look, self._look.env, Session()
        for name, variable in (("config_file", "AWS_CONFIG_FILE"), ("credentials_file", "AWS_SHARED_CREDENTIALS_FILE")):
            home = os.path.join(env.get("HOME") or os.path.expanduser("~"), ".aws", name.partition("_file")[0])
            core.set_config_variable(name, env.get(variable) or home)
        own = look.options["profile"] is None and env.get("AWS_ACCESS_KEY_ID")
        profile = look.options["profile"] or env.get("AWS_PROFILE")
        core.set_config_variable("profile", None if own else profile)
        core.register_component("data_loader", _loader())
        core.register("before-sign", self._tell)
        keys: dict[str, Any] = {}
        if own:
            keys = {
                "aws_access_key_id": env["AWS_ACCESS_KEY_ID"],
                "aws_secret_access_key": env.get("AWS_SECRET_ACCESS_KEY", ""),
                "aws_session_token": env.get("AWS_SESSION_TOKEN") or None,
            }
        try:
            if not own:
                resolver = core.get_component("credential_provider")
                for method in ("env", "custom-process"):
                    if any(method == one.METHOD for one in resolver.providers):
                        resolver.remove(method)
            return boto3.Session(botocore_session=core, **keys)
        except BotoCoreError as error:
            raise unreached(error, "sts", "", "") from None


def _check_address(url: str, service: str) -> None:
    """Raises Unreached for an address, of a variable or of AWS's files, that is no place to sign requests for."""
    if "@" in url:
        why = f"the address of {service} (AWS_ENDPOINT_URL, or endpoint_url in AWS's files) holds a user or a password"
        raise Unreached(why, "an address without them: AWS takes none")
    if urlsplit(url).scheme != "https" and urlsplit(url).hostname not in _LOOPBACK:
        why = f"the address of {service} (AWS_ENDPOINT_URL, or endpoint_url in AWS's files) is not https://"
        raise Unreached(why, "an https:// URL, or one of this machine")


def pages(
    client: Any, service: str, operation: str, action: str, region: str, key: str, **words: Any
) -> tuple[list[Any], bool]:
    """All things that an operation lists, and whether that is all of them. Raises Unreached."""
    found: list[Any] = []
    try:
        for number, page in enumerate(client.get_paginator(operation).paginate(**words)):
            found += page.get(key) or []
            if number + 1 >= MOST_PAGES and (page.get("NextToken") or page.get("nextToken") or page.get("Marker")):
                return found, False
    except faults() as error:
        raise unreached(error, service, action, region) from None
    return found, True


def called(client: Any, service: str, operation: str, action: str, region: str, **words: Any) -> Mapping[str, Any]:
    """One call. Raises Unreached."""
    try:
        found: Mapping[str, Any] = getattr(client, operation)(**words)
    except faults() as error:
        raise unreached(error, service, action, region) from None
    return found


def label(region: str, name: Any) -> str:
    return f"{region}/{shown(name, 255)}"
