"""The `with:` of `agent: infrastructure_action`, and what it gives."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipe_schemas.findings import Given
from pipe_schemas.infrastructure import ContainerName, FilePath, KubernetesName, Region, ServiceName

Action: TypeAlias = Literal[
    "restart_service",
    "start_service",
    "stop_service",
    "restart_container",
    "stop_container",
    "scale_deployment",
    "restart_deployment",
    "reboot_instance",
]
TARGETS = {
    "restart_service": "service",
    "start_service": "service",
    "stop_service": "service",
    "restart_container": "container",
    "stop_container": "container",
    "scale_deployment": "deployment",
    "restart_deployment": "deployment",
    "reboot_instance": "instance",
}
"""The option that says what an action acts on."""
_BESIDE = {
    "service": (),
    "container": ("docker_host", "grace"),
    "deployment": ("namespace", "replicas", "kubeconfig", "context"),
    "instance": ("region", "profile"),
}


class InfrastructureActionOptions(BaseModel):
    """One thing that is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent infrastructure_action")

    action: Action = Field(description="What is done.")
    service: ServiceName | None = Field(
        default=None, description="Of `restart_service`, `start_service`, `stop_service`: `nginx`, `nginx.service`."
    )
    container: ContainerName | None = Field(
        default=None, description="Of `restart_container`, `stop_container`: its name, or its id."
    )
    deployment: KubernetesName | None = Field(
        default=None, description="Of `scale_deployment`, `restart_deployment`: its name."
    )
    instance: Annotated[str, Field(pattern=r"^i-[0-9a-f]{8,32}$")] | None = Field(
        default=None, description="Of `reboot_instance`: the id of an EC2 instance."
    )
    replicas: Annotated[int, Field(ge=0, le=10_000, strict=True)] | None = Field(
        default=None, description="Of `scale_deployment`: how many there are to be."
    )
    namespace: KubernetesName | None = Field(
        default=None, description="Of a deployment; that of the context by default, else `default`."
    )
    grace: Annotated[int, Field(ge=0, le=3600, strict=True)] = Field(
        default=10, description="Seconds that a container has to end by itself before it is killed."
    )
    docker_host: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="Where Docker or Podman listens; DOCKER_HOST, CONTAINER_HOST or the usual sockets."
    )
    kubeconfig: FilePath | None = Field(
        default=None, description="The kubeconfig file; KUBECONFIG, ~/.kube/config or the pod's own account by default."
    )
    context: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="The context of the kubeconfig; its current one by default."
    )
    region: Region | None = Field(default=None, description="Of an instance; AWS_REGION and the profile's by default.")
    profile: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="The profile of AWS's own files; AWS_PROFILE by default."
    )
    dry_run: bool = Field(default=False, description="Say what is there and what would be done, and do nothing.")
    timeout: Annotated[float, Field(ge=0.1, le=3600)] = Field(
        default=120, description="How long it may wait for one answer, in seconds; longer than `grace`."
    )

    @model_validator(mode="after")
    def _fits(self) -> InfrastructureActionOptions:
        mine = TARGETS[self.action]
        if getattr(self, mine) is None:
            raise ValueError(f"{self.action} needs `{mine}`: what it acts on")
        for kind, beside in _BESIDE.items():
            said = [name for name in (kind, *beside) if name in self.model_fields_set]
            if kind != mine and said:
                raise ValueError(f"{self.action} has no use for `{said[0]}`")
        if self.action == "scale_deployment" and self.replicas is None:
            raise ValueError("scale_deployment needs `replicas`: how many there are to be")
        if self.action == "restart_deployment" and self.replicas is not None:
            raise ValueError("restart_deployment has no use for `replicas`")
        if mine == "container" and self.timeout <= self.grace:
            raise ValueError("`timeout` must be longer than `grace`, within which the container may end by itself")
        return self


class TargetState(Given):
    """What the target was or is. null: not known, or not of this kind of target."""

    state: str = Field(
        description="As who manages it says: `active`, `running`, `exited`, `3 of 3 available`. Of `after` also "
        "`gone`, and `not known` where it could not be asked any more."
    )
    pid: int | None = Field(default=None, description="The main process of a service or container.")
    restarts: int | None = Field(default=None, description="Restarts by the manager itself.")
    since: str | None = Field(default=None, description="Since when it is in this state; RFC 3339, UTC.")
    exit_code: int | None = Field(default=None, description="Of its last end.")
    replicas: int | None = Field(default=None, description="Of a deployment: wanted.")
    available: int | None = Field(default=None, description="Of a deployment: available.")
    generation: int | None = Field(default=None, description="Of a deployment: counts its changes.")


class InfrastructureActionResult(Given):
    """The output of `agent: infrastructure_action`."""

    action: Action
    target: str = Field(description="What it acted on, with where that is.")
    dry_run: bool
    performed: bool = Field(description="Whether the action was asked for and accepted; false of a dry run.")
    changed: bool = Field(description="Whether `after` differs from `before`.")
    before: TargetState
    after: TargetState | None = Field(description="null of a dry run.")
    summary: str = Field(description="One sentence.")
    at: str = Field(description="When it was asked for; RFC 3339, UTC.")
    duration_s: float
