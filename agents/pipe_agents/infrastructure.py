"""`agent: infrastructure`: services, containers, clusters, AWS and certificates, looked at; nothing is changed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Capability, Context, Outcome
from pipe_runner.types import EventKind, JsonObject

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.findings import Finding
    from pipe_agents.infra.common import Look, Looked

CAPABILITIES: Final = (
    Capability(
        "infrastructure.services",
        "Services of systemd: failed, restarting, missing, with what they depend on.",
        ("service", "services", "systemd", "systemctl", "daemon", "unit", "units", "failed unit", "running", "started",
         "stopped", "crashed", "restarted", "nginx", "sshd", "cron", "postgresql", "postgres",
         "mysql", "rabbitmq"),
    ),
    Capability(
        "infrastructure.containers",
        "Containers and images of Docker or Podman: state, restarts, health, limits.",
        ("container", "containers", "docker", "podman", "image", "images", "unhealthy", "health check", "oom killed",
         "restart loop", "exited", "compose", "containers without limit", "docker limits"),
    ),
    Capability(
        "infrastructure.kubernetes",
        "A Kubernetes cluster: nodes, pods, deployments, events.",
        ("kubernetes", "k8s", "cluster", "pod", "pods", "deployment", "deployments", "namespace", "crashloopbackoff",
         "crash loop", "pending", "node ready", "kubectl", "replicas", "statefulset", "daemonset", "evicted"),
    ),
    Capability(
        "infrastructure.aws",
        "AWS: EC2 status checks, ECS services, RDS, CloudWatch alarms, Health.",
        ("aws", "amazon", "ec2", "instance", "instances", "ecs", "fargate", "rds", "cloudwatch", "alarm", "alarms",
         "region", "cloud", "aws health", "rds storage", "rds free storage"),
    ),
    Capability(
        "infrastructure.certificates",
        "When certificates and domains expire, and whether they are trusted.",
        ("certificate", "certificates", "cert", "certs", "expire", "expires", "expired", "expiry", "expiration",
         "renew", "renewal", "domain expiry", "registration", "rdap", "pem"),
    ),
)  # fmt: skip
CHECKS: Final = ("services", "containers", "kubernetes", "aws", "certificates")
_WANTING: Final[Mapping[str, tuple[str, ...]]] = {
    "services": ("services",),
    "containers": ("containers", "docker_host", "disk_use"),
    "kubernetes": ("kubeconfig", "context", "namespace"),
    "aws": ("region", "profile"),
    "certificates": ("hosts", "files", "domains"),
}
"""Options that ask for a check, as in the model of the options."""
_OF: Final = {
    "services": "systemd",
    "containers": "docker",
    "kubernetes": "cluster",
    "aws": "account",
    "certificates": "certificates",
}
"""What a check is about, as a whole."""
_HERE: Final = ("services", "containers", "kubernetes")
"""Looked at without being asked for."""


class InfrastructureAgent:
    """Looks at what runs here and elsewhere. Each check asks by itself, all at once."""

    name = "infrastructure"
    version = "1"

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Looks at services, containers, Kubernetes, AWS and certificates, and changes nothing.",
            capabilities=CAPABILITIES,
            runs_processes=True,
            finds_secrets=True,
            asks_models=True,
        )

    def may_ask(self, options: JsonObject) -> bool:
        from pipe_agents.findings import explains

        return explains(options)

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.infrastructure import InfrastructureOptions

        return InfrastructureOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.infrastructure import InfrastructureResult

        return InfrastructureResult.model_json_schema()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        try:
            return await self._perform(attempt, context)
        except NodeFault as fault:
            raise NodeFault(fault.kind, context.masker.mask_text(fault.message)) from None

    async def _perform(self, attempt: Attempt, context: Context) -> Outcome:
        arrived = monotonic()
        from functools import partial

        from pipe_agents.explaining import finished
        from pipe_agents.findings import result
        from pipe_agents.infra.common import THRESHOLDS, Look, surroundings, together, with_defaults
        from pipe_agents.lateness import seconds_to_measure

        options: dict[str, Any] = with_defaults(attempt.options)
        thresholds = {**THRESHOLDS, **(options.get("thresholds") or {})}
        env = surroundings(self._environ, attempt, context)
        began_ns, began = context.clock.now_ns(), context.clock.monotonic()
        asked = asked_for(options)
        wanted = options["checks"] if options["checks"] is not None else [c for c in CHECKS if c in asked or c in _HERE]
        seconds = seconds_to_measure(attempt.timeout)
        until = None if seconds is None else arrived + seconds
        looks = [
            (name, Look(options, thresholds, env, name in asked, attempt, context, until))
            for name in dict.fromkeys(wanted)
        ]
        looked = await together([partial(_looked, name, look) for name, look in looks])
        measurements: dict[str, Any] = dict.fromkeys(CHECKS)
        findings = []
        for (name, _), one in zip(looks, looked, strict=True):
            measurements[name] = one.measured
            findings += one.findings
        findings += _absent([(look, name, one) for (name, look), one in zip(looks, looked, strict=True)])
        seconds = context.clock.monotonic() - began
        made = result(self.name, findings, measurements, began_ns=began_ns, seconds=seconds)
        given: Any = context.masker.mask_json(made)
        return await finished(given, attempt, context)


def asked_for(options: Mapping[str, Any]) -> set[str]:
    """The checks that an option asks for."""
    named = set(options["checks"] or ())
    return named | {check for check, names in _WANTING.items() if any(options.get(name) for name in names)}


def _absent(looked: Iterable[tuple[Look, str, Looked]]) -> list[Finding]:
    """What isn't here: a finding for each that was asked for, and one for all the others."""
    from pipe_agents.findings import unavailable

    found, others = [], []
    for look, name, one in looked:
        if one.absent is not None and look.asked:
            found.append(unavailable(name, "this machine", one.absent.why, one.absent.needs))
        elif one.absent is not None:
            others.append((name, one.absent))
    if others:
        why = "; ".join(fault.why for _, fault in others)
        needs = "; ".join(fault.needs for _, fault in others)
        found.append(unavailable("infrastructure", ", ".join(name for name, _ in others), why, needs))
    return found


async def _looked(name: str, look: Look) -> Looked:
    one = await _in_time(name, look)
    wrong = [found for found in one.findings if found["status"] != "unavailable" and found["severity"] != "info"]
    if one.measured is None:
        said = "not here" if one.absent is not None else "could not be measured"
    else:
        said = f"{len(wrong)} finding{'' if len(wrong) == 1 else 's'}"
    look.context.emit(EventKind.NODE_OUTPUT, {"stream": "stdout", "text": f"{name}: {said}\n"})
    return one


async def _in_time(name: str, look: Look) -> Looked:
    """What the check finds before the attempt's time is up; one that hangs costs the others nothing."""
    from pipe_agents.infra.common import Looked
    from pipe_agents.lateness import too_late

    if look.until is None:
        return await _check(name)(look)
    try:
        async with asyncio.timeout(look.until - monotonic()) as time:
            return await _check(name)(look)
    except TimeoutError:
        if not time.expired():
            raise
        return Looked([too_late(name, _OF[name])])


def _check(name: str) -> Callable[[Look], Awaitable[Looked]]:
    if name == "services":
        from pipe_agents.infra.services import look_at_services

        return look_at_services
    if name == "containers":
        from pipe_agents.infra.containers import look_at_containers

        return look_at_containers
    if name == "kubernetes":
        from pipe_agents.infra.kubernetes import look_at_kubernetes

        return look_at_kubernetes
    if name == "aws":
        from pipe_agents.infra.aws import look_at_aws

        return look_at_aws
    from pipe_agents.infra.certificates import look_at_certificates

    return look_at_certificates
