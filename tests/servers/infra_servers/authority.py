"""An authority of certificates, and what it signs: for hosts, for clients, ended ones, of wrong names."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass
class Signed:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def key_pem(self) -> bytes:
        form = serialization.PrivateFormat.PKCS8
        return bytes(self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))

    def kept(self, folder: Path, name: str) -> Path:
        """A file with both."""
        path = folder / f"{name}.pem"
        path.write_bytes(self.pem + self.key_pem)
        return path

    def server(self, folder: Path, client_authority: Authority | None = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.kept(folder, f"server-{self.certificate.serial_number}"))
        if client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=client_authority.root.pem.decode())
        return context


@dataclass
class Authority:
    """Signs; `now` is the moment that validities count from."""

    now: datetime
    name: str = "Test Authority"
    by_hand: bool = False
    """Its certificates have nothing but what every program wants, as those of `openssl x509 -req -CA …`."""
    root: Signed = field(init=False)

    def __post_init__(self) -> None:
        self.root = self.sign(self.name, [], days=3650, authority=True, own=True)

    def sign(
        self,
        name: str,
        names: list[str],
        *,
        days: float = 90,
        since: float = 1,
        authority: bool = False,
        own: bool = False,
    ) -> Signed:
        """`days`: until it ends, from now; `since`: how many days ago it began. `own`: signed by itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = subject if own else self.root.certificate.subject
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before((self.now - timedelta(days=since)).astimezone(UTC))
            .not_valid_after((self.now + timedelta(days=days)).astimezone(UTC))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        if self.by_hand:
            return Signed(made.sign(key if own else self.root.key, hashes.SHA256()), key)
        if authority:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            made = made.add_extension(usage, critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        if not own:
            signer = self.root.certificate.public_key()
            made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer), critical=False)  # type: ignore[arg-type]
        return Signed(made.sign(key if own else self.root.key, hashes.SHA256()), key)


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
