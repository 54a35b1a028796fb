"""Certificates made for tests: an authority of their own, and servers' certificates with what is wrong with them."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
"""Without it, and without whose key signed it, Python trusts no certificate, from 3.13 on."""


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Authority:
    """Signs what it is given; one below another with `under`."""

    def __init__(self, name: str = "Test Root", under: Authority | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.under = under
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer, key = (subject, self.key) if under is None else (under.certificate.subject, under.key)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now() - 10 * DAY)
            .not_valid_after(now() + 1000 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_SIGNS, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .add_extension(_signed_by(key), critical=False)
            .sign(key, hashes.SHA256())
        )

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, names: Sequence[str] = ("127.0.0.1", "localhost"), **options: Any) -> Issued:
        """A certificate for these names and addresses; see `made`."""
        return made(names, self.certificate.subject, self.key, **options)


class Issued:
    """A certificate and its key, as a server needs them."""

    def __init__(self, certificate: x509.Certificate, key: Any) -> None:
        self.certificate, self.key = certificate, key

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server(self, folder: Path, chain: Sequence[Authority] = (), **options: Any) -> ssl.SSLContext:
        """The context of a server that shows it, and these behind it. `minimum`, `maximum`: versions; `ciphers`."""
        file = folder / f"{self.certificate.serial_number:x}.pem"
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_text(self.pem + "".join(one.pem for one in chain) + key.decode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(options.get("ciphers", "DEFAULT:@SECLEVEL=0"))
        context.load_cert_chain(file)
        context.minimum_version = options.get("minimum", ssl.TLSVersion.TLSv1_2)
        context.maximum_version = options.get("maximum", ssl.TLSVersion.MAXIMUM_SUPPORTED)
        return context


def made(
    names: Sequence[str],
    issuer: x509.Name | None = None,
    signer: Any = None,
    *,
    days: float = 90,
    begins: float = -1,
    key: Any = None,
    hash: Any = None,
) -> Issued:
    """Without an issuer it is signed by itself. `days` until it ends and `begins`: days from now; may be negative."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, (names or ["nobody"])[0])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() + begins * DAY)
        .not_valid_after(now() + days * DAY)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    if signer is not None:
        builder = builder.add_extension(_signed_by(signer), critical=False)
    return Issued(builder.sign(signer or key, hash or hashes.SHA256()), key)


def _signed_by(key: Any) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def small_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 1024)
