"""`infrastructure`: what a kubeconfig or a pod proves itself with is written nowhere, though a server repeats it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from infra_servers import Ops
from infra_servers.authority import Authority
from infra_servers.cluster import kubeconfig
from infra_servers.http import HttpServer, Reply, Request, serving

from pipe_agents.infra.common import Look, with_defaults
from pipe_agents.infra.kubeconfig import cluster
from pipe_runner.ports import Attempt
from pipe_runner.testing import run_pipeline

CANARY = "kube-canary-0815"
PAIR = base64.b64encode(f"me:{CANARY}".encode()).decode()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority(datetime.now(UTC))


@pytest.fixture
def server(authority: Authority, tmp_path: Path) -> Iterator[HttpServer]:
    """Knows nobody, and repeats what it was shown."""

    def answers(request: Request) -> Reply:
        word = request.headers.get("authorization", "nothing").partition(" ")[2]
        return Reply({"kind": "Status", "message": f"who is {word} or {base64.b64decode(word + '==')!r}?"}, 500)

    with serving(answers, tls=authority.sign("api", ["127.0.0.1"]).server(tmp_path)) as made:
        yield made


def said_of_a_run(root: Path) -> str:
    with_ = "{checks: [kubernetes], kubeconfig: config}"
    done = run_pipeline(f"version: 1\nnodes:\n  a: {{agent: infrastructure, with: {with_}}}\n", root=root)
    assert done.status == "succeeded", done.node("a").error
    return json.dumps([[event.data for event in done.events], done.output("a")])


@pytest.mark.parametrize(
    "user",
    [{"token": CANARY}, {"tokenFile": "token"}, {"username": "me", "password": CANARY}],
    ids=lambda one: next(iter(one)),
)
def test_s4_what_a_kubeconfig_holds_is_masked(
    user: dict[str, Any], tmp_path: Path, server: HttpServer, authority: Authority
) -> None:
    (tmp_path / "token").write_text(f"{CANARY}\n")
    kubeconfig(tmp_path / "config", server.url, authority, **user)
    said = said_of_a_run(tmp_path)
    assert "who is ***" in said
    assert CANARY not in said
    assert PAIR not in said


def test_s4_the_key_of_a_client_and_a_pod_s_token_are_told_to_the_masker(tmp_path: Path, authority: Authority) -> None:
    me = authority.sign("me", [])
    path = kubeconfig(tmp_path / "config", "https://127.0.0.1:1", authority, me)
    told: list[str] = []
    context = Ops(tmp_path).context()._replace(conceal=told.append)
    attempt = Attempt("r1", "n", 1, "infrastructure", {}, {}, str(tmp_path), "key")
    env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1"}
    look = Look(with_defaults({}), {}, env, True, attempt, context)
    asyncio.run(cluster(look, str(path)))
    assert me.key_pem.decode().strip() in told
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(f"{CANARY}\n")
    (account / "ca.crt").write_bytes(authority.root.pem)
    asyncio.run(cluster(look, str(account)))
    assert CANARY in told
