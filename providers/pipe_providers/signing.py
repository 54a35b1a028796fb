"""Signs what is asked of Bedrock: by botocore, and after its example.

botocore finds address, keys and headers anew for every request, which takes longer than to send it. So it makes the
first request of each kind; what it signed is an example for those that follow, of which only body, time and signature
are others. An example is followed only where the same signature comes out for the same request; where it doesn't, or
keys are about to expire, botocore signs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from hashlib import sha256
from hmac import digest
from itertools import count
from typing import Any, Final, NamedTuple, NoReturn
from urllib.parse import quote
from uuid import uuid4

from pipe_providers.faults import Hide, hiding
from pipe_runner.models import ProviderSettings
from pipe_schemas.encoding import json_encoder

METHODS: Final = {"Converse": "converse", "ConverseStream": "converse_stream"}
_AUTHORIZATION: Final = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(\S+?)/(\d{8})/([^/\s]+)/([^/\s]+)/aws4_request,"
    r" SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
)
_KNOWN: Final = {
    *("accept", "content-type", "content-length", "host", "user-agent", "x-amz-user-agent", "authorization"),
    *("x-amz-date", "x-amz-security-token", "amz-sdk-invocation-id", "amz-sdk-request"),
}
"""Headers of which none but the time, the length and the id of the call differs from one request to the next."""
_MANDATORY: Final = 600
"""Seconds before their end from which keys are not used any more where others can be had."""
_KINDS: Final = 256
_DEFAULT_PORT: Final = {"http": ":80", "https": ":443"}
_encode: Final = json_encoder()
_STAMP: Final = "%Y%m%dT%H%M%SZ"


class Signed(NamedTuple):
    """A request that may be sent as it is."""

    address: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Made(BaseException):
    """Takes the request out of botocore, which would send it next and takes every Exception for a failure of that."""

    def __init__(self, request: Any) -> None:
        super().__init__()
        self.request = request


def _take(request: Any, **_: Any) -> NoReturn:
    raise _Made(request)


def _as_signed(address: str) -> str:
    """Scheme, host and port in the words in which the host is signed."""
    scheme, _, host = address.lower().partition("://")
    return f"{scheme}://{host.removesuffix(_DEFAULT_PORT.get(scheme, ' '))}"


class _Example:
    """A request that botocore has signed. Raises ValueError where no other can be made after it."""

    def __init__(self, first: Signed, secret: str | None, bearer: str | None) -> None:
        names = {name.lower() for name in first.headers}
        if not names <= _KNOWN or "?" in first.path:
            raise ValueError
        self._address, self._path = first.address, first.path
        changing = ("x-amz-date", "content-length", "authorization", "amz-sdk-invocation-id")
        self._fixed = {name: value for name, value in first.headers.items() if name.lower() not in changing}
        self._fixed["Host"] = host = first.address.partition("://")[2]
        self._calls, self._first_call = count(1), str(uuid4())[:-12]
        """Ids of calls have their first digits in common: an id that is random in all of them takes longer to make."""
        said = first.headers.get("Authorization", "")
        self.secret: str | None = None
        self.bearer = bearer is not None and said == f"Bearer {bearer}"
        if self.bearer:
            self._fixed["Authorization"] = said
            return
        found = _AUTHORIZATION.fullmatch(said)
        if found is None or secret is None:
            raise ValueError
        access, _, region, service, signed = found.groups()
        values = {name.lower(): " ".join(value.split()) for name, value in first.headers.items()}
        values |= {"host": host, "x-amz-date": "\0"}
        lines = "".join(f"{name}:{values[name]}\n" for name in signed.split(";") if name in values)
        text = f"POST\n{quote(first.path, safe='/~')}\n\n{lines}\n{signed}\n"
        self._before, _, self._after = text.partition("\0")
        self._access, self._signed, self.secret = access, signed, secret
        self._region, self._service = region, service
        self._key = ("", b"")
        """A key is that of a day."""
        self._stamp = (0, "")
        if self._authorization(first.body, first.headers.get("X-Amz-Date", "")) != said:
            raise ValueError

    def follow(self, body: bytes) -> Signed:
        headers = {**self._fixed, "amz-sdk-invocation-id": f"{self._first_call}{next(self._calls):012x}"}
        if not self.bearer:
            second, stamp = self._stamp  # at once: threads sign, too
            if second != (now := int(time.time())):
                stamp = time.strftime(_STAMP, time.gmtime(now))
                self._stamp = (now, stamp)
            headers["X-Amz-Date"] = stamp
            headers["Authorization"] = self._authorization(body, stamp)
        return Signed(self._address, self._path, headers, body)

    def _authorization(self, body: bytes, stamp: str) -> str:
        """What Signature Version 4 comes to."""
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        known, key = self._key  # at once: threads sign, too
        if scope != known:
            key = f"AWS4{self.secret}".encode()
            for part in scope.split("/"):
                key = digest(key, part.encode(), "sha256")
            self._key = (scope, key)
        canonical = f"{self._before}{stamp}{self._after}{sha256(body).hexdigest()}"
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = digest(key, text.encode(), "sha256").hex()
        return (
            f"AWS4-HMAC-SHA256 Credential={self._access}/{scope}, SignedHeaders={self._signed}, Signature={signature}"
        )


class Signer:
    """One per client of botocore's, which from now on sends nothing."""

    def __init__(self, client: Any, credentials: Any, settings: ProviderSettings) -> None:
        from botocore.serialize import create_serializer

        self._client, self._credentials = client, credentials
        self._models = {name: client.meta.service_model.operation_model(name) for name in METHODS}
        protocol = client.meta.service_model.resolved_protocol
        self._serializer = create_serializer(protocol, client.meta.config.parameter_validation)
        self._examples: dict[tuple[str, str], _Example] = {}
        self._plain: set[str] = set()
        """Kinds of words that botocore lets pass, and puts into a body as `_plainly` does."""
        self._keys: Any = None
        """Those that the examples are signed with, as long as botocore doesn't want others."""
        self._secrets, self._conceal, self._mask = list(settings.secrets), settings.conceal, settings.mask
        self.hide: Hide = hiding(settings.secrets, self._mask)
        client.meta.events.register("before-send.bedrock-runtime", _take)

    def sign(self, operation: str, words: dict[str, Any]) -> Signed:
        """Have botocore sign, which asks for keys where it needs some: it may take long."""
        try:
            getattr(self._client, METHODS[operation])(**words)
        except _Made as made:
            request = made.request
        made_of: dict[str, Any] = dict(request.headers.items())
        texts = ((name, value.decode() if isinstance(value, bytes) else value) for name, value in made_of.items())
        headers = {name: value.strip() for name, value in texts}  # a token may have a newline
        address = "/".join(request.url.split("/", 3)[:3])
        path = request.url[len(address) :] or "/"
        signed = Signed(_as_signed(address), path, headers, bytes(request.body))
        self._learn(operation, words, signed)
        headers.pop("Content-Length", None)
        return signed

    def follow(self, operation: str, words: dict[str, Any]) -> Signed | None:
        """Sign after an example, at once; None where botocore must do it."""
        example = self._examples.get((operation, words["modelId"]))
        if example is None or not (example.bearer or self._fresh()):
            return None
        return example.follow(self._body(operation, words))

    def follow_still(self, operation: str, words: dict[str, Any]) -> Signed | None:
        """Sign after an example whose keys botocore would like to change, but needn't yet."""
        example, last = self._examples.get((operation, words["modelId"])), self._last()
        if example is None or last is None or example.secret != last.secret_key:
            return None
        if self._credentials.refresh_needed(getattr(self._credentials, "_mandatory_refresh_timeout", _MANDATORY)):
            return None
        return example.follow(self._body(operation, words))

    def _learn(self, operation: str, words: dict[str, Any], signed: Signed) -> None:
        token, bearer = signed.headers.get("X-Amz-Security-Token"), signed.headers.get("Authorization", "")
        self._note(token, bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else None)
        keys = None
        if self._credentials is not None and not self._wants_keys():  # else it would fetch others than have signed
            keys = self._credentials.get_frozen_credentials()
        last = self._last() if keys is None else keys
        if last is not None:
            self._note(last.secret_key, last.token)
        if keys != self._keys:
            self._examples.clear()
        self._keys = keys
        secret = None if last is None else last.secret_key
        try:
            example = _Example(signed, secret, os.environ.get("AWS_BEARER_TOKEN_BEDROCK"))
        except ValueError:
            return
        if self._body(operation, words) == signed.body:
            self._examples[operation, words["modelId"]] = example

    def _fresh(self) -> bool:
        """Whether the keys are still those that botocore would take."""
        if self._wants_keys():
            self._keys = None
        return self._keys is not None

    def _wants_keys(self) -> bool:
        """Whether botocore would fetch keys before it signs, since those that it has expire soon."""
        needed = getattr(self._credentials, "refresh_needed", None)
        return needed is not None and bool(needed())

    def _last(self) -> Any:
        """The keys that botocore has, without asking for others; None where it has none that expire."""
        return getattr(self._credentials, "_frozen_credentials", None)

    def _note(self, *secrets: str | None) -> None:
        """Show these nowhere."""
        new = [secret for secret in secrets if secret and secret not in self._secrets]
        if new:
            self._secrets += new
            self.hide = hiding(self._secrets, self._mask)
            for secret in new:
                self._conceal(secret)

    def _body(self, operation: str, words: dict[str, Any]) -> bytes:
        kind = _kind(operation, words)
        if kind in self._plain:
            return _plainly(words)
        body: bytes = self._serializer.serialize_to_request(words, self._models[operation])["body"]
        if kind and len(self._plain) < _KINDS and body == _plainly(words):
            self._plain.add(kind)
        return body


def _kind(operation: str, words: Mapping[str, Any]) -> str:
    """All that botocore looks at in words, which is the same for many; empty where they hold more than texts."""
    kind: list[Any] = [operation]
    for name, value in words.items():
        if name == "messages":
            turns = value
        elif name == "system":
            turns = ({"role": name, "content": value},)
        else:
            kind.append(name if name == "modelId" else (name, value))
            continue
        for turn in turns:
            kind.append(turn["role"])
            for part in turn["content"]:
                text = part.get("text")
                if len(part) != 1 or type(text) is not str:
                    return ""
                kind.append(text != "")
    return repr(kind)


def _plainly(words: Mapping[str, Any]) -> bytes:
    return _encode({name: value for name, value in words.items() if name != "modelId"}).encode()
