"""The `with:` of `agent: infrastructure`, and what it measures."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pipe_schemas.findings import ExplainOptions, Given, Result
from pipe_schemas.hosts import host_port


def _host_port(entry: str) -> str:
    host_port(entry)
    return entry


Check: TypeAlias = Literal["services", "containers", "kubernetes", "aws", "certificates"]
Severity: TypeAlias = Literal["critical", "high", "medium", "low"]
AwsPart: TypeAlias = Literal["ec2", "ecs", "rds", "cloudwatch", "health"]
ServiceName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_@:.\\][A-Za-z0-9_@:.\\-]{0,254}$")]
ContainerName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$")]
KubernetesName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
Region: TypeAlias = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$")]
HostPort: TypeAlias = Annotated[
    str, Field(min_length=1, max_length=300, pattern=r"^[^\s/@?#\x00-\x1f]+$"), AfterValidator(_host_port)
]
Domain: TypeAlias = Annotated[
    str, Field(min_length=3, max_length=253, pattern=r"^[^\s/:@?#%\x00-\x1f]+\.[^\s/:@?#%]+$")
]
FilePath: TypeAlias = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00]+$")]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class InfrastructureThresholds(BaseModel):
    """From when on something is a finding."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    restarts: Annotated[int, Field(ge=1, strict=True)] = Field(
        default=5, description="Restarts of a service, a container or a pod, from which on they are a finding."
    )
    memory_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=90, description="Memory of a service, of what it may have, in percent."
    )
    recent_hours: Annotated[float, Field(gt=0)] = Field(
        default=24, description="How long ago an exit or a kill may be and still be a finding of its own, in hours."
    )
    pending_seconds: Annotated[float, Field(ge=0)] = Field(
        default=300, description="How long a pod may be pending, or running and not ready, in seconds."
    )
    image_days: Annotated[float, Field(gt=0)] = Field(
        default=365, description="Age from which on the image of a running container is old, in days."
    )
    dangling_bytes: Count = Field(default=2**30, description="Untagged images that are worth a word, in bytes.")
    certificate_days: Annotated[float, Field(gt=0)] = Field(
        default=21,
        description="Days before its end from which on a certificate is a finding; a quarter of its life where that is "
        "less.",
    )
    certificate_urgent_days: Annotated[float, Field(gt=0)] = Field(
        default=7, description="The same, urgent; an eighth of its life where that is less."
    )
    domain_days: Annotated[float, Field(gt=0)] = Field(
        default=30, description="Days before its end from which on a domain is a finding."
    )
    storage_free_percent: Annotated[float, Field(gt=0, le=100)] = Field(
        default=10, description="Free storage of a database of RDS, in percent, below which it is a finding."
    )


class InfrastructureOptions(ExplainOptions):
    """What of the infrastructure is looked at. Nothing is changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="with: of agent infrastructure")

    checks: list[Check] | None = Field(
        default=None,
        description="What to look at; by default what there is here, and what an option asks for.",
        json_schema_extra={"x-task": "checks"},
    )
    services: Annotated[list[ServiceName], Field(max_length=1000)] = Field(
        default_factory=list,
        description="Services that must be there and active, `.service` or not.",
        examples=[["sshd", "nginx.service"]],
        json_schema_extra={"x-task": "services"},
    )
    containers: Annotated[list[ContainerName], Field(max_length=1000)] = Field(
        default_factory=list,
        description="Names of containers that must be there and running.",
        json_schema_extra={"x-task": "containers"},
    )
    docker_host: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None,
        description="Where Docker or Podman listens: `unix:///run/docker.sock`, `tcp://127.0.0.1:2375`; "
        "DOCKER_HOST, CONTAINER_HOST or the usual sockets by default.",
    )
    disk_use: bool = Field(
        default=False, description="Ask Docker for the disk space that images, containers and volumes take; slow."
    )
    kubeconfig: FilePath | None = Field(
        default=None, description="The kubeconfig file; KUBECONFIG, ~/.kube/config or the pod's own account by default."
    )
    context: Annotated[str, Field(min_length=1, max_length=500)] | None = Field(
        default=None, description="The context of the kubeconfig; its current one by default."
    )
    namespace: KubernetesName | None = Field(
        default=None,
        description="The namespace that is looked at; all by default.",
        json_schema_extra={"x-task": "namespace"},
    )
    region: Region | list[Region] | None = Field(
        default=None,
        description="Regions of AWS; given, AWS is looked at. AWS_REGION and the profile's by default.",
        examples=["eu-central-1", ["eu-central-1", "us-east-1"]],
        json_schema_extra={"x-task": "region"},
    )
    profile: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="The profile of AWS's own files; AWS_PROFILE by default."
    )
    aws_services: Annotated[list[AwsPart], Field(min_length=1)] = Field(
        default=["ec2", "ecs", "rds", "cloudwatch", "health"],
        description="What of AWS is looked at.",
    )
    hosts: Annotated[list[HostPort], Field(max_length=200)] = Field(
        default_factory=list,
        description="Hosts whose TLS certificate is looked at: `example.com`, `example.com:8443`.",
        json_schema_extra={"x-task": "hosts", "x-task-for": ["certificates"]},
    )
    files: Annotated[list[FilePath], Field(max_length=200)] = Field(
        default_factory=list,
        description="Certificates in files, PEM or DER; patterns such as `/etc/ssl/own/*.pem` may match none.",
        json_schema_extra={"x-task": "paths"},
    )
    domains: Annotated[list[Domain], Field(max_length=200)] = Field(
        default_factory=list,
        description="Domains whose registration is looked at, by RDAP.",
        json_schema_extra={"x-task": "domains", "x-task-for": ["certificates"]},
    )
    ca_file: FilePath | None = Field(
        default=None, description="Authorities in PEM that certificates of `hosts` are trusted by, beside the system's."
    )
    rdap_url: Annotated[str, Field(max_length=1000, pattern=r"^https?://[^\s]+$")] | None = Field(
        default=None, description="An RDAP server that is asked for all domains; by default that of each top level."
    )
    timeout: Annotated[float, Field(ge=0.1, le=600)] = Field(
        default=20, description="How long each check may wait for one answer, in seconds."
    )
    fail_on: Severity | None = Field(
        default=None, description="Fail the node where there is a finding of this severity or a worse one."
    )
    thresholds: InfrastructureThresholds = Field(
        default_factory=InfrastructureThresholds, description="Numbers from which on something is a finding."
    )

    @model_validator(mode="after")
    def _in_the_checks(self) -> InfrastructureOptions:
        if self.checks is None:
            return self
        for check, names in WANTING.items():
            said = [name for name in names if name in self.model_fields_set and getattr(self, name)]
            if said and check not in self.checks:
                raise ValueError(f"`{said[0]}` belongs to the check `{check}`, which `checks` leaves out")
        return self


WANTING = {
    "services": ("services",),
    "containers": ("containers", "docker_host", "disk_use"),
    "kubernetes": ("kubeconfig", "context", "namespace"),
    "aws": ("region", "profile"),
    "certificates": ("hosts", "files", "domains"),
}
"""Options that ask for a check."""


class Service(Given):
    """One service."""

    name: str
    description: str
    load: str = Field(description="`loaded`, `not-found`, `masked`, `error`.")
    active: str = Field(
        description="`active`, `failed`, `inactive`, `activating`, …; `unknown` of a script that can't tell."
    )
    sub: str = Field(description="As systemd says it: `running`, `exited`, `auto-restart`, `dead`.")
    enabled: str | None = Field(description="`enabled`, `disabled`, `static`, …")
    kind: str | None = Field(description="`simple`, `oneshot`, …")
    restarts: Count | None = Field(description="How often systemd started it again by itself.")
    result: str | None = Field(description="`success`, `exit-code`, `oom-kill`, `timeout`, …")
    exit_code: int | None = Field(description="Of its main process, where that exited.")
    signal: int | None = Field(description="Which ended its main process.")
    since: str | None = Field(description="When it came into this state; RFC 3339, UTC.")
    seconds_in_state: float | None = Field(description="Seconds since then.")
    pid: int | None = Field(description="Its main process.")
    memory_bytes: Count | None = Field(description="Memory of all its processes.")
    memory_limit_bytes: Count | None = Field(description="Memory that it may have.")
    tasks: Count | None = Field(description="Its processes and threads.")
    failed_dependencies: list[str] = Field(description="Failed units that it requires or wants.")


class Services(Given):
    """The services of this machine."""

    manager: Literal["systemd", "sysv"] = Field(description="Who was asked.")
    version: str | None = Field(description="Of systemd.")
    state: str | None = Field(description="Of the whole: `running`, `degraded`, `maintenance`, …")
    total: Count
    active: Count
    failed: Count
    inactive: Count
    failed_units: list[str] = Field(description="All that have failed, also mounts, sockets and timers.")
    services: list[Service] = Field(description="At most 1000, those that failed first; what isn't loaded isn't there.")


class Container(Given):
    """One container."""

    id: str = Field(description="Its first 12 characters.")
    name: str
    image: str
    state: str = Field(description="`running`, `exited`, `restarting`, `paused`, `dead`, `created`.")
    health: str | None = Field(description="`healthy`, `unhealthy`, `starting`; null where nobody checks.")
    health_output: str | None = Field(description="What its last check of health said, at most 500 characters.")
    failing_streak: Count | None = Field(description="Checks of health in a row that failed.")
    restarts: Count | None = Field(description="How often the engine started it again.")
    restart_policy: str | None
    exit_code: int | None
    oom_killed: bool | None
    error: str | None = Field(description="What the engine says of its start.")
    started_at: str | None
    finished_at: str | None
    seconds_in_state: float | None = Field(description="Seconds since it was started, or since it ended.")
    memory_limit_bytes: Count | None = Field(description="null: no limit, or not known.")
    cpu_limit: float | None = Field(description="In cores; null: no limit, or not known.")
    image_age_days: float | None
    ports: list[str] = Field(description="`0.0.0.0:8080->80/tcp`.")
    inspected: bool = Field(description="Whether all that there is was read, or only its line in the list.")


class DiskUse(Given):
    """Disk space, in bytes."""

    images_bytes: Count
    containers_bytes: Count
    volumes_bytes: Count
    build_cache_bytes: Count


class Containers(Given):
    """What a container engine has."""

    engine: Literal["docker", "podman"]
    version: str | None
    api: str = Field(description="The version of the API that was spoken.")
    socket: str = Field(description="Where it listens.")
    total: Count
    running: Count
    restarting: Count
    paused: Count
    exited: Count
    unhealthy: Count
    containers: list[Container] = Field(description="At most 1000, those that run first.")
    images: Count
    images_bytes: Count
    dangling_images: Count = Field(description="Without a name.")
    dangling_bytes: Count
    disk: DiskUse | None = Field(description="With `disk_use: true`.")


class Kubernetes(Given):
    """What a cluster says. Of each list null where it could not be read."""

    server: str
    context: str | None
    version: str | None
    namespace: str | None = Field(description="null: all.")
    nodes: Count | None
    nodes_ready: Count | None
    pods: Count | None
    pods_by_phase: dict[str, int] = Field(description="`Running`, `Pending`, `Succeeded`, `Failed`, `Unknown`.")
    pods_not_ready: Count | None = Field(description="Of those that run.")
    restarts: Count | None = Field(description="Of all containers of all pods.")
    deployments: Count | None
    deployments_available: Count | None
    warnings: Count | None = Field(description="Events of type Warning, repeated ones counted.")
    truncated: list[str] = Field(description="Lists of which not all was read.")


class AwsRegion(Given):
    """What AWS says of one region. null where it was not asked or could not be read."""

    region: str
    instances: Count | None = Field(description="EC2 instances that are not terminated.")
    instances_running: Count | None
    instances_impaired: Count | None = Field(description="Which fail a status check.")
    ecs_clusters: Count | None
    ecs_services: Count | None
    ecs_tasks_desired: Count | None
    ecs_tasks_running: Count | None
    databases: Count | None = Field(description="DB instances of RDS.")
    databases_available: Count | None
    alarms: Count | None
    alarms_in_alarm: Count | None
    alarms_without_data: Count | None
    truncated: list[str] = Field(description="Lists of which not all was read.")


class Aws(Given):
    """What AWS says."""

    regions: list[AwsRegion]
    health_events: Count | None = Field(description="Open events of AWS Health; null where it could not be asked.")


class Certificate(Given):
    """One certificate."""

    source: str = Field(description="`example.com:443`, or the file's path.")
    subject: str
    issuer: str
    names: list[str] = Field(description="Names and addresses that it holds for; at most 100.")
    not_before: str
    not_after: str
    days_left: float = Field(description="Negative: expired.")
    trusted: bool | None = Field(description="Whether its chain leads to an authority of this machine; null of a file.")
    name_matches: bool | None = Field(description="Whether it holds for the host's name; null of a file.")
    self_signed: bool
    authority: bool = Field(description="Whether it may sign others.")


class RegisteredDomain(Given):
    """One domain."""

    domain: str
    expires: str | None
    days_left: float | None
    registrar: str | None
    status: list[str]


class Certificates(Given):
    """What ends some day."""

    certificates: list[Certificate]
    domains: list[RegisteredDomain]


class InfrastructureMeasurements(Given):
    """Each null where it was not looked at, or could not be measured."""

    services: Services | None
    containers: Containers | None
    kubernetes: Kubernetes | None
    aws: Aws | None
    certificates: Certificates | None


class InfrastructureResult(Result):
    """The output of `agent: infrastructure`."""

    measurements: InfrastructureMeasurements
