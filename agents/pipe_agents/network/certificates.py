"""What stands in certificates: read with the package cryptography, which gives no opinion of its own here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from pipe_agents.certificate_names import holds_for
from pipe_agents.network.texts import bounded

DAY: Final = 86400.0
_MOST_NAMES: Final = 100
WEAK_HASHES: Final = frozenset({"md2", "md4", "md5", "sha1"})


@dataclass(frozen=True)
class Certificate:
    """One certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    not_before: float
    """Seconds since 1970."""
    not_after: float
    serial: str
    sha256: str
    key: str
    key_bits: int | None
    signature: str
    hash: str | None
    self_signed: bool
    authority: bool

    def days_left(self, now: float) -> float:
        return round((self.not_after - now) / DAY, 3)

    def measured(self, now: float) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "issuer": self.issuer,
            "names": [bounded(name) for name in (*self.names, *self.addresses)[:_MOST_NAMES]],
            "not_before": stamp(self.not_before),
            "not_after": stamp(self.not_after),
            "days_left": self.days_left(now),
            "serial": self.serial,
            "sha256": self.sha256,
            "key": self.key,
            "key_bits": self.key_bits,
            "signature": self.signature,
            "self_signed": self.self_signed,
            "authority": self.authority,
        }

    def is_for(self, name: str) -> bool:
        """Whether it is for this name or address (RFC 6125: names of the extension alone, `*` for one whole label)."""
        try:
            wanted = ip_address(name.partition("%")[0])
        except ValueError:
            return any(holds_for(pattern, name) for pattern in self.names)
        return str(wanted) in self.addresses


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read(der: bytes) -> Certificate:
    """Raises ValueError for what is no certificate. Needs cryptography."""
    try:
        return _read(der)
    except Exception as error:  # what a hostile certificate makes of a library is no fault of ours
        raise ValueError(f"it can't be read ({type(error).__name__})") from None


def _read(der: bytes) -> Certificate:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.hashes import SHA256

    certificate = x509.load_der_x509_certificate(der)
    try:
        signature_hash = certificate.signature_hash_algorithm
        hash_name = signature_hash.name if signature_hash is not None else None
    except UnsupportedAlgorithm:
        hash_name = None
    names, addresses = _names(certificate)
    key, bits = _key(certificate)
    return Certificate(
        subject=_text(certificate.subject),
        issuer=_text(certificate.issuer),
        names=names,
        addresses=addresses,
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        serial=f"{certificate.serial_number:x}"[:64],
        sha256=certificate.fingerprint(SHA256()).hex(),
        key=key,
        key_bits=bits,
        signature=_oid_name(certificate.signature_algorithm_oid),
        hash=hash_name,
        self_signed=_self_signed(certificate),
        authority=_authority(certificate),
    )


def _text(name: Any) -> str:
    try:
        return bounded(name.rfc4514_string())
    except (ValueError, TypeError):
        return "(unreadable)"


def _oid_name(oid: Any) -> str:
    return bounded(getattr(oid, "_name", None) or oid.dotted_string, 100)


def _names(certificate: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(extension.get_values_for_type(x509.DNSName))
        addresses = tuple(str(one) for one in extension.get_values_for_type(x509.IPAddress))
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return (), ()
    return names, addresses


def _key(certificate: Any) -> tuple[str, int | None]:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    try:
        key = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        return _oid_name(certificate.public_key_algorithm_oid), None
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.curve.name}", key.key_size
    if isinstance(key, dsa.DSAPublicKey):
        return "DSA", key.key_size
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519", 256
    if isinstance(key, ed448.Ed448PublicKey):
        return "Ed448", 448
    return bounded(type(key).__name__, 60), getattr(key, "key_size", None)


def _self_signed(certificate: Any) -> bool:
    """Whether it is signed with its own key; where that can't be found out, whether it names itself."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

    if certificate.issuer != certificate.subject:
        return False
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return False
    except (TypeError, ValueError, UnsupportedAlgorithm):
        return True
    return True


def _authority(certificate: Any) -> bool:
    from cryptography import x509

    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def weak(certificate: Certificate) -> str | None:
    """What is weak about its key, in words."""
    bits = certificate.key_bits or 0
    if certificate.key in ("RSA", "DSA") and bits < 2048:
        return f"an {certificate.key} key of {bits} bits"
    if certificate.key.startswith("EC ") and bits < 224:
        return f"a key of {bits} bits ({certificate.key})"
    return None
