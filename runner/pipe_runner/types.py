"""The words of the runner: ids, statuses, kinds and values, without behaviour."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
"""A JSON value; the only kind of data that flows through a pipeline."""

JsonObject: TypeAlias = Mapping[str, Json]
PathStep: TypeAlias = str | int
Path_: TypeAlias = tuple[PathStep, ...]
"""Where a value stands in a document: keys and list indexes, from the root."""

IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
"""What a node id, an input name or an output name may be."""


ReadBlob: TypeAlias = Callable[[Mapping[str, Json]], Json]
"""Gives what the log keeps beside itself, by the reference that stands in its place; raises StorageError."""

BASE_ENVIRONMENT: Final = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR")
"""What a command gets of the runner's environment, and every LC_… variable; all else is given by the file."""
DEFAULT_PATH: Final = "/usr/local/bin:/usr/bin:/bin"
YAML_ENDINGS: Final = (".yml", ".yaml")


class RunStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


class NodeStatus(StrEnum):
    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


def standing(status: RunStatus | NodeStatus) -> str:
    """How a sentence says it of a run or node: `has failed`, `is waiting`."""
    return f"{'has' if status in ('succeeded', 'failed') else 'is'} {status}"


FINAL_NODE_STATUSES: Final = frozenset(
    {
        NodeStatus.SUCCEEDED,
        NodeStatus.CACHED,
        NodeStatus.FAILED,
        NodeStatus.SKIPPED,
        NodeStatus.BLOCKED,
        NodeStatus.CANCELLED,
        NodeStatus.UNKNOWN,
    }
)


ENDED_WELL: Final = (NodeStatus.SUCCEEDED, NodeStatus.CACHED)


class ErrorKind(StrEnum):
    """Why a node failed; `error.kind` in the log and in expressions."""

    EXIT = "exit"
    SIGNAL = "signal"
    TIMEOUT = "timeout"
    RUN_TIMEOUT = "run_timeout"
    NOT_FOUND = "not_found"
    EXCEPTION = "exception"
    HTTP = "http"
    INVALID_OUTPUT = "invalid_output"
    OUTPUT_TOO_LARGE = "output_too_large"
    CONDITION = "condition"
    TEMPLATE = "template"
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    REFUSED = "refused"
    CREDENTIALS = "credentials"
    BUDGET = "budget"
    TOOL = "tool"
    STORAGE = "storage"
    LOST = "lost"
    CANCELLED = "cancelled"


class RunOn(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    ALWAYS = "always"


class Effect(StrEnum):
    NONE = "none"
    IDEMPOTENT = "idempotent"
    ONCE = "once"


class Durability(StrEnum):
    FULL = "full"
    OS = "os"


class Phase(StrEnum):
    """Which node map of the file a node stands in; phases run one after the other."""

    NODES = "nodes"
    ON_FAILURE = "on_failure"
    FINALLY = "finally"


AUTO: Final = "auto"
"""The agent that has others chosen for a task."""


class EventKind(StrEnum):
    """Every event that this version writes; readers ignore those they don't know."""

    RUN_STARTED = "run.started"
    RUN_RESUMED = "run.resumed"
    RUN_FINISHED = "run.finished"
    NODE_STARTED = "node.started"
    NODE_OUTPUT = "node.output"
    NODE_RETRYING = "node.retrying"
    NODE_SUCCEEDED = "node.succeeded"
    NODE_FAILED = "node.failed"
    NODE_SKIPPED = "node.skipped"
    NODE_BLOCKED = "node.blocked"
    NODE_CACHED = "node.cached"
    NODE_WAITING = "node.waiting"
    NODE_CANCELLED = "node.cancelled"
    NODE_UNKNOWN = "node.unknown"
    MODEL_RESERVED = "model.reserved"
    MODEL_CALLED = "model.called"
    TOOL_CALLED = "tool.called"
    MESSAGE_PUBLISHED = "message.published"
