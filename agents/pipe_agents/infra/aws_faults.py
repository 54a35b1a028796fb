"""What botocore raises, as why something could not be asked and what it would take."""

from __future__ import annotations

from typing import Any, Final

from pipe_agents.infra.common import Unreached, mapping, shown

_DENIED: Final = (
    "UnauthorizedOperation", "AccessDenied", "AccessDeniedException", "AuthorizationError", "NotAuthorized",
)  # fmt: skip
_UNKNOWN: Final = (
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidClientTokenId", "UnrecognizedClientException",
    "AuthFailure", "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature",
    "MissingAuthenticationToken", "InvalidAccessKeyId", "InvalidToken",
)  # fmt: skip
_THROTTLED: Final = (
    "Throttling", "ThrottlingException", "ThrottledException", "RequestLimitExceeded", "TooManyRequestsException",
    "RequestThrottled", "RequestThrottledException", "SlowDown", "LimitExceededException",
)  # fmt: skip


def faults() -> tuple[type[Exception], ...]:
    """What a call may raise: of botocore, of connections, and of an answer that is none of AWS."""
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    of_answers = (ResponseParserError, ValueError, TypeError, LookupError, AttributeError)
    return (BotoCoreError, ClientError, HTTPError, OSError, *of_answers)


def unreached(error: Exception, service: str, action: str, region: str) -> Unreached:
    """`action`: as policies name it, `ec2:DescribeInstanceStatus`."""
    from botocore import exceptions as aws

    where = f"{service} in {region}" if region else service
    if isinstance(error, aws.ClientError):
        return _said(error, where, action)
    if isinstance(error, aws.ProfileNotFound):
        return Unreached(shown(error, 200), "a profile that is there")
    if isinstance(error, aws.CredentialRetrievalError) and error.kwargs.get("provider") == "custom-process":
        return no_program()
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError | aws.CredentialRetrievalError):
        return Unreached(f"no keys can be had: {shown(error, 200)}", "keys, or a login")
    if isinstance(error, aws.SSOError | aws.TokenRetrievalError | aws.NoAuthTokenError):
        return Unreached(f"the login has ended: {shown(error, 200)}", "aws sso login")
    if isinstance(error, aws.ConnectTimeoutError | aws.ReadTimeoutError | TimeoutError):
        return Unreached(f"{where} gave no answer in time", "a longer `timeout`, or a way to AWS")
    if not isinstance(error, aws.BotoCoreError | OSError):
        return Unreached(f"{where} answered {action} with what is none of AWS", "an endpoint that speaks it")
    if isinstance(error, aws.EndpointConnectionError):  # its words are the address, which may hold a password
        return Unreached(f"{where} can't be reached", "a way to AWS")
    if isinstance(error, aws.HTTPClientError | OSError):
        cause: Any = error.kwargs.get("error") if isinstance(error, aws.HTTPClientError) else error
        return Unreached(f"{where} can't be reached: {type(cause or error).__name__}", "a way to AWS")
    return Unreached(f"{where} can't be asked: {shown(error, 200)}", "a region and an endpoint that there are")


def no_program() -> Unreached:
    """Of a `credential_process` that gives no keys."""
    needs = "what it lacks: run it by hand to see, since what it says may be a secret and isn't shown"
    return Unreached("no keys can be had: the program that gives them (credential_process) gave none", needs)


def _said(error: Any, where: str, action: str) -> Unreached:
    told = mapping(error.response.get("Error"))
    code = shown(told.get("Code"), 100)
    status = mapping(error.response.get("ResponseMetadata")).get("HTTPStatusCode")
    if code == "SubscriptionRequiredException":
        return Unreached(
            f"{where} is only there for accounts with a support plan", "a Business or Enterprise support plan"
        )
    if code in _DENIED:
        return Unreached(f"{where} refuses {action} ({code})", f"the permission {action}")
    if code in _UNKNOWN:
        return Unreached(
            f"{where} doesn't take these keys ({code})", "keys that hold, and the right time on this machine"
        )
    if code == "OptInRequired":
        return Unreached(f"{where} is not switched on for this account", "the region or service enabled")
    if code in _THROTTLED or status == 429:
        return Unreached(f"{where} throttles {action} ({code or status})", "another attempt, later")
    words = shown(str(told.get("Message") or "").partition("The Canonical String")[0], 200)
    return Unreached(
        f"{where} answered {action} with {code or status}{f': {words}' if words else ''}", "an endpoint that knows it"
    )
