"""What botocore and its connections raise, as one of our faults."""

from __future__ import annotations

from typing import Any

import urllib3.exceptions as wire
from botocore import exceptions as aws
from botocore.eventstream import ParserError
from botocore.parsers import ResponseParserError

from pipe_providers.cutting import Call, TooLarge
from pipe_providers.faults import Hide, excerpt, in_stream, of_status
from pipe_runner.models import ModelFault, Reason

_NO_KEYS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.ProfileNotFound,
    aws.NoAuthTokenError,
    aws.SSOError,
    aws.TokenRetrievalError,
    aws.ConfigParseError,
    aws.ConfigNotFound,
    aws.MetadataRetrievalError,
)
_STATUS = {
    "throttlingException": 429,
    "serviceUnavailableException": 503,
    "internalServerException": 500,
    "modelStreamErrorException": 424,
    "modelTimeoutException": 408,
    "validationException": 400,
}


def fault_of(error: Exception, call: Call, where: str, hide: Hide, model: str) -> ModelFault:
    """The fault; it doesn't know the exception that it is made of, which knows the request."""
    if isinstance(error, ModelFault):
        error.__context__ = error.__cause__ = None
        return error
    if isinstance(error, aws.EventStreamError):
        told = error.response.get("Error", {})
        code = str(told.get("Code", ""))
        said = {"message": _words(told.get("Message", "")), "code": f"{_STATUS.get(code, 500)} {code}"}
        return in_stream(where, said, hide, request_id=_request_id(error.response))
    if call.status and not 200 <= call.status < 300:
        code = (call.headers.get("x-amzn-errortype") or "").partition(":")[0]
        body = call.error
        if isinstance(error, aws.ClientError):
            code = code or str(error.response.get("Error", {}).get("Code", ""))
        said_as: dict[str, str] = {"model": model, "code": code, "option": "endpoint_url"}
        return of_status(where, call.status, call.headers, _words(body), hide, **said_as)
    if isinstance(error, _NO_KEYS):
        why = excerpt(str(error), hide)
        message = f"{where}: no keys can be had: {why}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile"
        return ModelFault(Reason.CREDENTIALS, message, sent=False)
    if isinstance(error, aws.ParamValidationError | aws.UnknownParameterError):
        why = excerpt(str(error).replace("Parameter validation failed:", ""), hide)
        return ModelFault(Reason.REFUSED, f"{where}: the request has no form that Converse takes: {why}", sent=False)
    if call.given_up or isinstance(error, TimeoutError | wire.ReadTimeoutError | aws.ReadTimeoutError):
        return gave_up(where, call)
    if isinstance(error, TooLarge):
        message = f"{where} sends more than {call.most // 2**20} MiB, which is more than an answer may take"
        return ModelFault(Reason.INVALID_OUTPUT, message)
    return _broken(error, call, where, hide)


def _broken(error: Exception, call: Call, where: str, hide: Hide) -> ModelFault:
    network = isinstance(error, wire.HTTPError | OSError | aws.HTTPClientError)
    if network and not call.sent:
        if isinstance(error, wire.SSLError):
            message = f"{where}: no TLS connection can be made that may be trusted: {_why(error, hide)}"
            return ModelFault(Reason.NOT_FOUND, message, sent=False)
        message = f"{where}: no connection: {_why(error, hide)}; is it running, and is the address right?"
        return ModelFault(Reason.UNAVAILABLE, message, sent=False)
    if network:
        when = f"after {call.read} bytes of its answer" if call.status else "before it answered"
        return ModelFault(Reason.UNAVAILABLE, f"{where} broke off {when}: {_why(error, hide)}")
    if isinstance(error, aws.BotoCoreError) and not call.sent:
        message = f"{where} can't be asked: {excerpt(str(error), hide)}"
        return ModelFault(Reason.NOT_FOUND, message, sent=False)
    known = (ParserError, ResponseParserError, aws.BotoCoreError, ValueError, TypeError, LookupError, AttributeError)
    if isinstance(error, (*known, RecursionError)):
        if not call.framed:
            return ModelFault(Reason.UNAVAILABLE, f"{where} broke off after {call.read} bytes of its answer")
        return ModelFault(Reason.INVALID_OUTPUT, f"{where} gave an answer that can't be used: it is none of Converse")
    raise error


def gave_up(where: str, call: Call) -> ModelFault:
    """Of a call whose time is up."""
    if not call.sent:
        message = f"{where}: no connection: none within the time; is it running, and is the address right?"
        return ModelFault(Reason.UNAVAILABLE, message, sent=False)
    when = f"after {call.read} bytes of its answer" if call.status else "before it answered"
    message = f"{where} took longer than the call may, {when}; nobody knows whether it was performed"
    return ModelFault(Reason.TIMED_OUT, message)


def _why(error: Exception, hide: Hide) -> str:
    """A few words about a connection's fault."""
    cause: Any = error
    for _ in range(5):
        if isinstance(cause, OSError) and cause.strerror and cause.errno:
            return excerpt(cause.strerror, hide).lower()
        if isinstance(cause, wire.NameResolutionError):
            return "the host's name can't be resolved"
        following = cause.__cause__ or getattr(cause, "reason", None) or cause.__context__
        if not isinstance(following, BaseException):
            break
        cause = following
    if isinstance(error, wire.IncompleteRead | wire.ProtocolError):
        return "the connection was closed"
    return type(error).__name__


def _words(said: Any) -> Any:
    """What AWS says; of a wrong signature not the request itself, which it repeats."""
    if isinstance(said, bytes):
        return said.partition(b"The Canonical String")[0] + b'"}' if b"The Canonical String" in said else said
    return str(said).partition("The Canonical String")[0]


def _request_id(response: Any) -> str | None:
    found = response.get("ResponseMetadata", {}).get("RequestId")
    return str(found) if found else None
