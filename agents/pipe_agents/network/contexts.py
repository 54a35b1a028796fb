"""TLS as this machine's OpenSSL can speak it: open to everything for looking, strict for trusting."""

from __future__ import annotations

import ssl
import threading
import warnings
from typing import Any, Final

from pipe_agents import trust

NO_TIME: Final = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME: whether a chain is trusted is one thing, its dates are another."""
VERSIONS: Final = {
    "TLS 1.0": ssl.TLSVersion.TLSv1,
    "TLS 1.1": ssl.TLSVersion.TLSv1_1,
    "TLS 1.2": ssl.TLSVersion.TLSv1_2,
    "TLS 1.3": ssl.TLSVersion.TLSv1_3,
}
NAMES: Final = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
_HAS: Final = {"TLS 1.0": "HAS_TLSv1", "TLS 1.1": "HAS_TLSv1_1", "TLS 1.2": "HAS_TLSv1_2", "TLS 1.3": "HAS_TLSv1_3"}
_LOCK: Final = threading.Lock()


def looking(version: str | None = None) -> ssl.SSLContext | None:
    """Trusts everybody, since it looks; with old ciphers. One version or all; None where OpenSSL lacks that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if version is not None and not getattr(ssl, _HAS[version], False):
        return None
    old = version in ("TLS 1.0", "TLS 1.1")
    try:
        if old:
            context.set_ciphers("ALL:@SECLEVEL=0")
        else:
            context.set_ciphers("DEFAULT:@SECLEVEL=0" if version is None else "ALL:@SECLEVEL=0")
    except ssl.SSLError:
        if old:
            return None
    if version is not None:
        try:
            with _LOCK, warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                context.maximum_version = VERSIONS[version]
                context.minimum_version = VERSIONS[version]
        except (ValueError, ssl.SSLError):
            return None
    return context


def trusting(authorities: str | None, *, names: bool = False, dates: bool = False) -> ssl.SSLContext:
    """Trusts those authorities (PEM), or the system's. `names`, `dates` (and strength): checks these as well."""
    context = trust.trusting(cadata=authorities) if authorities else trust.trusting()
    context.check_hostname = names
    if not dates:  # how strong keys are is told apart, too
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.verify_flags = ssl.VerifyFlags(int(context.verify_flags) | NO_TIME)
    return context


def lacking(error: ssl.SSLError) -> bool:
    """Whether this machine's OpenSSL could not even begin."""
    reason = (error.reason or "").upper()
    return reason in ("NO_PROTOCOLS_AVAILABLE", "NO_CIPHERS_AVAILABLE")


def sent_chain(secured: ssl.SSLSocket) -> list[bytes]:
    """The certificates that the server sent, its own first, as DER. Only its own where Python gives no more."""
    own = secured.getpeercert(binary_form=True)
    for source in (secured, getattr(secured, "_sslobj", None)):
        give = getattr(source, "get_unverified_chain", None)
        if give is not None:
            return [_der(one) for one in give() or ()] or ([own] if own else [])
    return [own] if own else []


def _der(certificate: Any) -> bytes:
    if isinstance(certificate, bytes):
        return certificate
    import _ssl

    made: bytes = certificate.public_bytes(_ssl.ENCODING_DER)
    return made


def words(error: BaseException) -> str:
    """What OpenSSL or the system says, without the place in its source."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if isinstance(error, ssl.SSLError) and (reason := getattr(error, "reason", None)):
        return str(reason).lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.partition(" (_ssl.c:")[0]
    return type(error).__name__
