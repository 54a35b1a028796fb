"""The check `certificates`: when certificates of hosts and in files end, whether one may trust them; and domains."""

from __future__ import annotations

import asyncio
import glob
import ipaddress
import os
import re
import ssl
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from pipe_agents.certificate_names import holds_for
from pipe_agents.findings import Finding, unavailable
from pipe_agents.infra.certificate_findings import of_domain, of_file, of_host
from pipe_agents.infra.common import LONGEST_LIST, Look, Looked, Unreached, in_thread, resolved, shown, stamp, together
from pipe_agents.infra.rdap import Rdap
from pipe_agents.trust import trusting
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind
from pipe_schemas.hosts import host_port

MOST: Final = 2**20
"""Bytes of a file."""
MOST_FILES: Final = 500
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----")
_MISSING: Final = "pip install 'pipe-runner[ops]'"
_EXPIRED: Final = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED: of the host's own, or of one of its chain."""


class Seen(NamedTuple):
    """What a host presented."""

    der: bytes
    trusted: bool | None
    why: str | None


async def look_at_certificates(look: Look) -> Looked:
    hosts, domains = look.options["hosts"], look.options["domains"]
    paths = await in_thread(partial(_paths, look.attempt.root, look.options["files"]))
    if not (hosts or domains or look.options["files"]):
        needs = "`hosts`, `files` or `domains`"
        return Looked([unavailable("certificates", "certificates", "nothing says whose", needs)])
    findings: list[Finding] = []
    found: list[dict[str, Any]] = []
    if hosts or paths:
        try:
            import cryptography.x509  # noqa: F401
        except ImportError:
            findings.append(unavailable("certificates", "certificates", "cryptography is not installed", _MISSING))
        else:
            for path in paths:
                await in_thread(partial(_file, look, path, findings, found))
            trust = await in_thread(partial(_trust, look)) if hosts else None
            for result in await together([partial(_host, look, said, trust) for said in dict.fromkeys(hosts)]):
                findings += result.findings
                if result.measured:
                    found.append(result.measured)
    registered = await _domains(look, domains, findings) if domains else []
    return Looked(findings[: LONGEST_LIST * 2], {"certificates": found[:LONGEST_LIST], "domains": registered})


def _paths(root: str, said: Sequence[str]) -> list[str]:
    """The files; raises NodeFault where one is named exactly and isn't there."""
    found: dict[str, None] = {}
    for one in said:
        path = os.path.join(root, os.path.expanduser(one))
        if any(mark in one for mark in "*?["):
            found.update(dict.fromkeys(sorted(glob.glob(path, recursive=True))[:MOST_FILES]))
        elif os.path.exists(path) and not os.path.isdir(path):
            found[path] = None
        else:
            folder = shown(one.rstrip("/"), 300)
            hint = f": it is a directory, and {folder}/*.pem are files in it" if os.path.isdir(path) else ""
            raise NodeFault(ErrorKind.NOT_FOUND, f"there is no file {shown(one, 300)}, which `files` names{hint}")
    return [path for path in found if not os.path.isdir(path)][:MOST_FILES]


def _file(look: Look, path: str, findings: list[Finding], found: list[dict[str, Any]]) -> None:
    """All certificates of a file; one that can't be read leaves the others."""
    source = shown(path, 300)
    try:
        data = _bytes(path)
        mine = []
        blocks = _PEM.findall(data) if b"-----BEGIN CERTIFICATE-----" in data else [data]
        for number, block in enumerate(blocks[:LONGEST_LIST], 1):
            try:
                mine.append(_parsed(look, block, source))
            except ValueError as error:
                if block is data:
                    raise Unreached("it holds no certificate in PEM or DER", "one in PEM or DER") from None
                why = f"its certificate {number} is malformed: {shown(error, 100)}"
                findings.append(unavailable("certificate", source, why, "one that can be read"))
    except Unreached as fault:
        findings.append(unavailable("certificate", source, fault.why, fault.needs))
        return
    found += mine
    findings += of_file(look, source, mine)


def _bytes(path: str) -> bytes:
    if path.lower().endswith((".p12", ".pfx", ".jks")):
        why = "it is a store that holds private keys, which is not opened"
        raise Unreached(why, "the certificate alone, in PEM or DER")
    try:
        if not os.path.isfile(path):
            raise Unreached("it is no regular file", "a file")
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise Unreached(shown(error.strerror or error, 100), "permission to read it") from None
    if len(data) > MOST:
        raise Unreached(f"it has more than {MOST // 2**20} MiB", "fewer certificates")
    return data


def _parsed(look: Look, data: bytes, source: str) -> dict[str, Any]:
    """One certificate, in PEM or DER. Raises ValueError."""
    from cryptography import x509

    # of odd ones cryptography warns those who program; here they are data
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pipe_agents\.infra\.certificates")
    pem = data.startswith(b"-----BEGIN CERTIFICATE-----")
    try:
        made = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
        return read(look, made, source)
    except (TypeError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise ValueError(str(error)) from None


def _trust(look: Look) -> ssl.SSLContext:
    """Whom this machine trusts, and the authorities of `ca_file`."""
    context = trusting()
    context.check_hostname = False
    said = look.options["ca_file"]
    if said:
        path = os.path.join(look.attempt.root, os.path.expanduser(said))
        try:
            context.load_verify_locations(cafile=path)
        except FileNotFoundError:
            raise NodeFault(
                ErrorKind.NOT_FOUND, f"there is no file {shown(said, 300)}, which `ca_file` names"
            ) from None
        except OSError as error:
            why = shown(getattr(error, "reason", None) or error, 100)
            raise NodeFault(ErrorKind.REFUSED, f"`ca_file` {shown(said, 300)} can't be used: {why}") from None
    return context


async def _host(look: Look, said: str, trust: ssl.SSLContext | None) -> Looked:
    host, port = host_and_port(said)
    subject = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    assert trust is not None
    try:
        seen = await _handshakes(host, port, trust, look.timeout)
        one = _read_der(look, seen.der, subject)
    except Unreached as fault:
        return Looked([unavailable("certificate", subject, fault.why, fault.needs)])
    trusted, why = seen.trusted, seen.why
    if trusted is None and one["days_left"] >= 0 and one["not_before"] <= (stamp(look.now) or ""):
        trusted, why = False, f"in its chain: {why}"
    one["trusted"] = trusted
    one["name_matches"] = matches(host, one["names"])
    return Looked(of_host(look, one, host, why), one)


def host_and_port(said: str) -> tuple[str, int]:
    """As `hosts` names one; raises NodeFault."""
    try:
        return host_port(said)
    except ValueError as error:
        raise NodeFault(ErrorKind.REFUSED, shown(error, 400)) from None


async def _handshakes(host: str, port: int, trust: ssl.SSLContext, timeout: float) -> Seen:
    """One that checks the chain; where it isn't trusted, another one that doesn't, for the certificate."""
    try:
        return Seen(await _handshake(host, port, trust, timeout), True, None)
    except ssl.SSLCertVerificationError as error:
        why, code = shown(error.verify_message, 200), error.verify_code
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anything.check_hostname = False
    anything.verify_mode = ssl.CERT_NONE
    try:
        der = await _handshake(host, port, anything, timeout)
    except ssl.SSLCertVerificationError as error:  # pragma: no cover - nothing is checked
        raise Unreached(shown(error.verify_message, 200), "another certificate") from None
    return Seen(der, None if code in _EXPIRED else False, why)


async def _handshake(host: str, port: int, context: ssl.SSLContext, timeout: float) -> bytes:
    """The certificate that the first address of the host presents which can be connected. Each has its part of the time
    for that: of two addresses often one leads nowhere, as where IPv6 does."""
    try:
        name = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as error:
        raise Unreached(f"its name can't be used: {shown(error, 100)}", "a host's name") from None
    addresses = await resolved(name, port, timeout, shown(host, 255))
    end = asyncio.get_running_loop().time() + timeout
    writer = await _connected(addresses, port, end, timeout)
    try:
        async with asyncio.timeout_at(end):
            await writer.start_tls(context, server_hostname=name)
        der: bytes | None = writer.get_extra_info("ssl_object").getpeercert(True)
        if not der:
            raise Unreached("it presents no certificate", "a server with a certificate")
        return der
    except TimeoutError:
        raise _late(timeout) from None
    except ssl.SSLCertVerificationError:
        raise
    except ssl.SSLError as error:
        why = shown((error.reason or str(error)).lower().replace("_", " "), 100)
        raise Unreached(f"no TLS connection could be made: {why}", "a port on which TLS is spoken") from None
    except OSError:
        why = "no TLS connection could be made: it closed the connection"
        raise Unreached(why, "a port on which TLS is spoken") from None
    except ValueError as error:
        raise Unreached(f"its name can't be used: {shown(error, 100)}", "a host's name") from None
    finally:
        writer.transport.abort()


async def _connected(addresses: Sequence[str], port: int, end: float, timeout: float) -> asyncio.StreamWriter:
    """A connection to the first of these addresses that takes one, until `end` on the loop's clock."""
    fault: OSError | None = None
    for number, address in enumerate(addresses):
        part = (end - asyncio.get_running_loop().time()) / (len(addresses) - number)
        try:
            async with asyncio.timeout(part):
                _, writer = await asyncio.open_connection(address, port)
            return writer
        except OSError as error:
            fault = error if fault is None or isinstance(fault, TimeoutError) else fault
    if isinstance(fault, TimeoutError):
        raise _late(timeout)
    why = "it has no address" if fault is None else _reason(fault)
    raise Unreached(f"no connection: {why}", "a host that can be reached")


def _late(timeout: float) -> Unreached:
    return Unreached(f"no TLS connection within {timeout:g} s", "a host that answers, or a longer `timeout`")


def _reason(error: OSError) -> str:
    if error.errno:
        return os.strerror(error.errno).lower()
    return shown(error, 150)


def _read_der(look: Look, der: bytes, source: str) -> dict[str, Any]:
    try:
        return _parsed(look, der, source)
    except ValueError as error:
        why = f"its certificate is malformed: {shown(error, 100)}"
        raise Unreached(why, "a certificate that can be read") from None


def read(look: Look, certificate: Any, source: str) -> dict[str, Any]:
    """A certificate of `cryptography`, as the output has it. Raises ValueError of a malformed one."""
    from cryptography import x509

    def extension(kind: Any) -> Any:
        try:
            return certificate.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            return None

    def name(which: Any) -> str:
        common = which.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return shown(common[0].value if common else which.rfc4514_string(), 300)

    alternative, basic = extension(x509.SubjectAlternativeName), extension(x509.BasicConstraints)
    names: list[str] = []
    if alternative is not None:
        names += [str(one) for one in alternative.get_values_for_type(x509.DNSName)]
        names += [str(one) for one in alternative.get_values_for_type(x509.IPAddress)]
    begins, ends = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
    return {
        "source": source,
        "subject": name(certificate.subject),
        "issuer": name(certificate.issuer),
        "names": [shown(one, 253) for one in names[:100]],
        "not_before": stamp(begins) or "",
        "not_after": stamp(ends) or "",
        "days_left": round((ends - look.now) / 86400, 3),
        "trusted": None,
        "name_matches": None,
        "self_signed": certificate.subject == certificate.issuer,
        "authority": bool(basic is not None and basic.ca),
    }


def matches(host: str, names: Sequence[str]) -> bool:
    """Whether a certificate of these names holds for the host; a `*` stands for the whole first label."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        return str(address) in names
    try:
        wanted = (host if host.isascii() else host.encode("idna").decode()).rstrip(".").lower()
    except UnicodeError:
        return False
    return any(holds_for(one, wanted) for one in names)


async def _domains(look: Look, domains: Sequence[str], findings: list[Finding]) -> list[dict[str, Any]]:
    async with Rdap(look) as rdap:
        work: list[Callable[[], Any]] = [partial(_domain, look, rdap, one) for one in dict.fromkeys(domains)]
        found: list[Looked] = await together(work, at_once=4)
    registered = []
    for one in found:
        findings += one.findings
        if one.measured is not None:
            registered.append(one.measured)
    return registered


async def _domain(look: Look, rdap: Rdap, domain: str) -> Looked:
    try:
        found: Mapping[str, Any] | None = await rdap.domain(domain)
    except Unreached as fault:
        return Looked([unavailable("domain", shown(domain, 253), fault.why, fault.needs)])
    return Looked(of_domain(look, shown(domain, 253), found), dict(found) if found is not None else None)
