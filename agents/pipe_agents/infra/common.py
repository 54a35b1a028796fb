"""What all checks of the infrastructure share: options with their defaults, surroundings, bounds, moments."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeVar

from pipe_agents.findings import Finding
from pipe_agents.redacting import redacted
from pipe_agents.shell import base_environment
from pipe_runner.ports import Attempt, Command, Context, ProcessEnd

T = TypeVar("T")

LONGEST_TEXT: Final = 500
LONGEST_LIST: Final = 1000

THRESHOLDS: Final[Mapping[str, Any]] = {
    "restarts": 5,
    "memory_percent": 90,
    "recent_hours": 24,
    "pending_seconds": 300,
    "image_days": 365,
    "dangling_bytes": 2**30,
    "certificate_days": 21,
    "certificate_urgent_days": 7,
    "domain_days": 30,
    "storage_free_percent": 10,
}
DEFAULTS: Final[Mapping[str, Any]] = {
    "checks": None,
    "services": [],
    "containers": [],
    "docker_host": None,
    "disk_use": False,
    "kubeconfig": None,
    "context": None,
    "namespace": None,
    "region": None,
    "profile": None,
    "aws_services": ["ec2", "ecs", "rds", "cloudwatch", "health"],
    "hosts": [],
    "files": [],
    "domains": [],
    "ca_file": None,
    "rdap_url": None,
    "timeout": 20,
    "fail_on": None,
}
"""As the model of the options has them; a test compares."""
_PASSED: Final = (
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
    "DOCKER_CERT_PATH",
    "CONTAINER_HOST",
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "XDG_RUNTIME_DIR",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
)
"""Variables of the runner that say where something is; none holds a key."""


class Look(NamedTuple):
    """What a check is given."""

    options: Mapping[str, Any]
    """With all defaults."""
    thresholds: Mapping[str, Any]
    env: Mapping[str, str]
    """What a command of the node would get, and where things are."""
    asked: bool
    """Whether the file asks for this check; else it is there because the machine has what it looks at."""
    attempt: Attempt
    context: Context
    until: float | None = None
    """When the attempt's time is up (monotonic)."""

    @property
    def timeout(self) -> float:
        """Seconds for one answer; less where the attempt has not so much left, so that what is silent is told."""
        most = float(self.options["timeout"])
        return most if self.until is None else min(most, max(0.1, round(0.45 * (self.until - monotonic()), 1)))

    @property
    def now(self) -> float:
        """Seconds since 1970."""
        return self.context.clock.now_ns() / 1e9

    def recent(self, seconds: float | None) -> bool:
        """Whether that long ago is recent; what nobody knows is."""
        return seconds is None or seconds <= self.thresholds["recent_hours"] * 3600

    async def command(self, *argv: str, env: Mapping[str, str] = MappingProxyType({})) -> ProcessEnd:
        """Run a program that reads; raises TimeoutError. What it prints goes to nobody else."""
        plain = {**self.env, "LC_ALL": "C", **env}
        command = Command(argv, plain, self.attempt.root)
        async with asyncio.timeout(self.timeout):
            return await self.context.launcher.run(command, self.attempt, _quiet, self.context.masker)


class Unreached(Exception):
    """Something could not be asked: why, and what it would take."""

    def __init__(self, why: str, needs: str) -> None:
        super().__init__(why)
        self.why, self.needs = why, needs


class Silent(Unreached):
    """It gave no answer in time."""


class Absent(Unreached):
    """It is not here at all."""


class Looked(NamedTuple):
    """What a check found."""

    findings: list[Finding]
    measured: dict[str, Any] | None = None
    absent: Unreached | None = None
    """Set where what it looks at isn't here at all; no finding says so."""


def _quiet(kind: Any, data: Any) -> None:
    pass


def with_defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    return {**DEFAULTS, **options}


def surroundings(environ: Mapping[str, str], attempt: Attempt, context: Context) -> dict[str, str]:
    """The environment of a command of this node, and the variables that say where something is."""
    found = {name: environ[name] for name in _PASSED if environ.get(name)}
    found.update((name, value) for name, value in environ.items() if name.startswith("AWS_ENDPOINT_URL") and value)
    return {**found, **base_environment(environ), **attempt.env, **context.secrets}


def shown(value: Any, most: int = LONGEST_TEXT) -> str:
    """Text of others, bounded, one line, without credentials that can be told by their names and shapes."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    cut = redacted(text[: most * 4]).encode("utf-8", "replace").decode("utf-8", "replace")
    cut = " ".join(cut.split())
    if len(cut) <= most and len(text) <= most * 4:
        return cut
    return f"{cut[:most]}… ({len(text)} characters)"


def some(names: Iterable[str], most: int = 20) -> list[str]:
    """The first names, for evidence and sentences."""
    return [shown(name, 200) for name, _ in zip(names, range(most), strict=False)]


def listed(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    first = ", ".join(shown(name, 100) for name in names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most} more"


def plural(number: int, word: str, many: str | None = None) -> str:
    return f"{number} {word if number == 1 else many or word + 's'}"


def bounded(findings: list[Finding], check: str, subject: str) -> list[Finding]:
    """The worst thousand, and that there are more."""
    if len(findings) <= LONGEST_LIST:
        return findings
    from pipe_agents.findings import ordered, unavailable

    why = f"there are {len(findings)} findings, and only the worst {LONGEST_LIST} are told"
    return [*ordered(findings)[:LONGEST_LIST], unavailable(f"{check}.findings", subject, why, "fewer things at a time")]


def mapping(value: Any) -> Mapping[str, Any]:
    """An object of an answer; empty where there is something else."""
    return value if isinstance(value, Mapping) else {}


def objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list of an answer."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """A count of an answer; null where there is none, or one that can't be."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        return None
    return value


def text_or_none(value: Any, most: int = LONGEST_TEXT) -> str | None:
    return shown(value, most) if isinstance(value, str) and value else None


def moment(value: Any) -> float | None:
    """Seconds since 1970 of RFC 3339 text; null where there is none, or the year 1 that stands for none."""
    if isinstance(value, datetime):
        return value.timestamp()
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    text = value.strip().replace("Z", "+00:00").replace("z", "+00:00")
    whole_seconds, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{whole_seconds}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.year <= 1:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def stamp(seconds: float | None) -> str | None:
    """RFC 3339, UTC."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def ago(seconds: float | None) -> str:
    """`2 h`; in words that fit behind `for`."""
    if seconds is None:
        return "a time that is not known"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def of_bytes(number: float) -> str:
    for size, unit in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f} bytes"


async def in_thread(work: Callable[[], T]) -> T:
    """Do what may block in a thread; where the attempt is ended, it is left to itself and holds up nobody."""
    from pipe_agents.threads import Threads

    threads = Threads("pipe-infra")
    try:
        call = threads.start(work)
        await call.ended()
    finally:
        threads.close()
    if call.error is not None:
        raise call.error
    result: T = call.result
    return result


async def resolved(host: str, port: int, timeout: float, where: str) -> list[str]:
    """The addresses of a host, at most eight. Raises Unreached."""
    try:
        async with asyncio.timeout(timeout):
            found = await in_thread(partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM))
    except TimeoutError:
        raise Unreached(
            f"the name of {where} was not resolved within {timeout:g} s", "name servers that answer"
        ) from None
    except (OSError, UnicodeError):
        raise Unreached(f"the name of {where} has no address", "the right name, and name servers that answer") from None
    return list(dict.fromkeys(str(one[4][0]) for one in found))[:8]


async def together(work: Iterable[Callable[[], Awaitable[T]]], at_once: int = 8) -> list[T]:
    """The results in order; a few at a time. All end where one raises.

    Not by anyio: what ends a process when it is cancelled would be cancelled at each of its steps.
    """
    limit = asyncio.Semaphore(at_once)
    found: dict[int, T] = {}

    async def one(number: int, begin: Callable[[], Awaitable[T]]) -> None:
        async with limit:
            found[number] = await begin()

    try:
        async with asyncio.TaskGroup() as group:
            for number, begin in enumerate(work):
                group.create_task(one(number, begin))
    except BaseExceptionGroup as many:
        first: BaseException = many
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
    return [found[number] for number in sorted(found)]
