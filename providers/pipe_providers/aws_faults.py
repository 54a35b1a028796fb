"""What botocore raises before anything is sent, and what AWS answers, as one of our faults."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pipe_providers.faults import Hide, excerpt, in_stream, of_status
from pipe_runner.models import ModelFault, Reason

_STATUS: Final = {
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "internalServerException": 500,
    "modelStreamErrorException": 424,
    "modelTimeoutException": 408,
    "validationException": 400,
}
_SIGNED: Final = "The Canonical String"
"""With these words AWS begins to repeat the request whose signature is wrong."""


def of_signing(error: Exception, where: str, hide: Hide) -> ModelFault:
    """Of what went wrong before anything was sent; it doesn't know the exception, which knows the request."""
    from botocore import exceptions as aws

    no_keys = (
        *(aws.NoCredentialsError, aws.PartialCredentialsError, aws.CredentialRetrievalError, aws.ProfileNotFound),
        *(aws.NoAuthTokenError, aws.SSOError, aws.TokenRetrievalError, aws.ConfigParseError, aws.ConfigNotFound),
        *(aws.MissingDependencyException, aws.MetadataRetrievalError, aws.ClientError),
        *(getattr(aws, "LoginError", aws.SSOError), RuntimeError),  # the last: new keys that have expired already
    )
    if isinstance(error, ModelFault):
        error.__context__ = error.__cause__ = None
        return error
    why = excerpt(str(error), hide)
    helper = isinstance(error, aws.CredentialRetrievalError) and error.kwargs.get("provider") == "custom-process"
    if helper or isinstance(error, FileNotFoundError | PermissionError | json.JSONDecodeError):
        how = "gave something else than keys"
        if isinstance(error, OSError):
            how = f"can't be run or read ({excerpt(str(error.filename), hide)})"
        message = f"{where}: no keys can be had: the program or file that gives them (credential_process) {how}"
        message += "; run it by hand to see why, since what it says may be a secret and isn't shown here"
        return ModelFault(Reason.CREDENTIALS, message, sent=False)
    if isinstance(error, no_keys):
        return ModelFault(Reason.CREDENTIALS, f"{where}: no keys can be had: {why}; {_how(error)}", sent=False)
    if isinstance(error, aws.ParamValidationError | aws.UnknownParameterError):
        why = excerpt(str(error).replace("Parameter validation failed:", ""), hide)
        return ModelFault(Reason.REFUSED, f"{where}: the request has no form that Converse takes: {why}", sent=False)
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError | OSError):
        message = f"{where}: no connection to who gives the keys: {why}; is it running?"
        return ModelFault(Reason.UNAVAILABLE, message, sent=False)
    if isinstance(error, aws.BotoCoreError | ValueError):
        return ModelFault(Reason.NOT_FOUND, f"{where} can't be asked: {why}", sent=False)
    raise error


def _how(error: Exception) -> str:
    """What gives keys, after this."""
    from botocore import exceptions as aws

    if isinstance(error, getattr(aws, "LoginError", ())):
        return "log in with `aws login`"
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.NoAuthTokenError):
        return "log in with `aws sso login`"
    if isinstance(error, aws.ClientError):
        return "mend the role of the profile, or the keys that may take it"
    return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"


def late(where: str) -> ModelFault:
    """Of a call whose time is up before it could be signed."""
    return ModelFault(Reason.UNAVAILABLE, no_keys(where), sent=False)


def no_keys(where: str) -> str:
    return f"{where}: no keys came within the time; is what gives them running?"


def of_answer(
    where: str, status: int, headers: Mapping[str, str], body: bytes, hide: Hide, *, model: str = ""
) -> ModelFault:
    """Of an answer of AWS's that is no success. Of a wrong signature it doesn't show the request."""
    words = body.partition(_SIGNED.encode())[0] + b'"}' if _SIGNED.encode() in body else body
    code = _code(headers, body)
    return of_status(where, status, headers, words, hide, model=model, code=code, option="endpoint_url")


def _code(headers: Mapping[str, str], body: bytes) -> str:
    said: Any = headers.get("x-amzn-errortype")
    if not said:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        said = (data.get("code") or data.get("__type")) if isinstance(data, dict) else None
    return str(said or "").partition(":")[0].rpartition("#")[2]


def of_message(
    where: str, headers: Mapping[str, Any], payload: bytes, hide: Hide, *, begun: bool = False
) -> ModelFault:
    """Of an error or an exception in a stream; `begun`: after something of the answer had come."""
    code = str(headers.get(":exception-type") or headers.get(":error-code") or "")
    words: Any = headers.get(":error-message")
    if not words:
        words = payload[:20_000].decode("utf-8", "replace")
        try:
            data = json.loads(payload)
            if isinstance(data, dict):
                words = next((data[key] for key in ("message", "Message", "originalMessage") if data.get(key)), "")
        except (ValueError, RecursionError):
            pass
    said = {"message": str(words).partition(_SIGNED)[0], "code": f"{_STATUS.get(code, 500)} {code}"}
    return in_stream(where, said, hide, begun=begun)
