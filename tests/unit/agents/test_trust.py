"""Whom agents trust under TLS does not depend on the Python that runs them."""

from __future__ import annotations

import ast
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from infra_servers.authority import Authority, Signed

import pipe_agents
from pipe_agents.network import contexts
from pipe_agents.trust import alike, trusting


def handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """Raises what the client says of the server."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="here.example")
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass


def clients(trusted: Signed) -> list[ssl.SSLContext]:
    pem = trusted.pem.decode()
    newest = ssl.create_default_context(cadata=pem)
    newest.verify_flags |= ssl.VERIFY_X509_STRICT
    return [trusting(cadata=pem), alike(newest), contexts.trusting(pem, names=True, dates=True)]


@pytest.fixture
def by_hand() -> Authority:
    return Authority(datetime.now(UTC), by_hand=True)


def test_certificates_of_an_authority_made_by_hand_are_trusted(by_hand: Authority, tmp_path: Path) -> None:
    server = by_hand.sign("here", ["here.example"]).server(tmp_path)
    for client in clients(by_hand.root):
        handshake(server, client)


def test_a_certificate_that_stands_among_the_authorities_is_trusted(by_hand: Authority, tmp_path: Path) -> None:
    signed = by_hand.sign("here", ["here.example"])
    for client in clients(signed):
        handshake(signed.server(tmp_path), client)


def test_others_and_other_names_are_not(by_hand: Authority, tmp_path: Path) -> None:
    other = Authority(datetime.now(UTC), by_hand=True)
    for client in clients(by_hand.root):
        for signed in (other.sign("here", ["here.example"]), by_hand.sign("there", ["there.example"])):
            with pytest.raises(ssl.SSLCertVerificationError):
                handshake(signed.server(tmp_path), client)


def test_no_agent_trusts_as_this_python_does_alone() -> None:
    """All contexts that trust somebody are made in one file."""
    makers = set()
    for path in Path(pipe_agents.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "create_default_context":
                makers.add(path.name)
    assert makers == {"trust.py"}
