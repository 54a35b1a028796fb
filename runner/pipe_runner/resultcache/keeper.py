"""What a scheduler asks about nodes with `cache:`: whether there is a result already, and to keep a new one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipe_runner.artifacts import collect, kept, put_back
from pipe_runner.errors import NodeFault
from pipe_runner.plan import CachePolicy, Plan, PlannedNode
from pipe_runner.ports import Attempt, Clock, Masker, NodeError, Outcome
from pipe_runner.resultcache.entries import Entries, Entry
from pipe_runner.resultcache.files import NotRead, digests
from pipe_runner.resultcache.host import Host
from pipe_runner.resultcache.key import Parts, differences, make_parts, told
from pipe_runner.scope import Scope
from pipe_runner.types import EventKind, Json, NodeStatus


class CacheSettings(NamedTuple):
    """Where the cache is, and how this run uses it."""

    state_dir: str
    rundir: str
    durable: bool = True
    """Artifacts reach the disk before their node's success is told."""
    domain: str = ""
    """Entries of another domain are never read."""
    explain: bool = False
    """Say of each result that was not found what is not as it was."""


class Keeper:
    """The cache of one run. Nothing that goes wrong in it fails a node: the node runs, and a note says why."""

    def __init__(
        self,
        plan: Plan,
        run: str,
        settings: CacheSettings,
        secrets: Mapping[str, str],
        masker: Masker,
        scope: Scope,
        clock: Clock,
        note: Callable[[str], None],
    ) -> None:
        self._plan, self._run, self._settings, self._secrets = plan, run, settings, secrets
        self._masker, self._scope, self._clock, self._note = masker, scope, clock, note
        self._entries = Entries(settings.state_dir)
        self._salt: bytes | None = None
        self._wanted: dict[int, Parts] = {}
        """Of nodes that run: the key under which their result belongs."""
        self._earlier: dict[tuple[str, str], list[Entry]] | None = None

    async def found(
        self,
        host: Host,
        node: PlannedNode,
        attempt: Attempt,
        names: Mapping[str, Json] | None,
        data: Mapping[str, Any],
    ) -> bool:
        """Whether the node has ended without an attempt: from the cache, or since the run was stopped meanwhile.

        Raises ExpressionFault for a `key` that can't be evaluated.
        """
        policy = node.cache
        assert policy is not None
        began = self._clock.monotonic()
        self._wanted.pop(node.index, None)
        text = self._key_text(node, policy, names)
        try:
            files = await self._files(host, policy)
            parts = self._parts(node, policy, attempt, text, files)
        except (NotRead, OSError) as error:
            if host.stopped is None:
                self._note(f"{node.id} is not cached: {_why(error)}")
                return False
            host.cancel(node)
            return True
        if host.stopped is not None:
            host.cancel(node)
            return True
        key = parts.digest()
        entry = self._entries.read(key)
        if entry is None or not self._counts(entry, policy):
            self._wanted[node.index] = parts
            if self._settings.explain:
                self._note(self._explained(node, parts, entry))
            return False
        if entry.artifacts and not await self._put_back(node, attempt, entry):
            self._wanted[node.index] = parts
            return False
        output = self._masker.mask_json(entry.output)  # it may hold what was no secret when it was kept
        fields = {**data, **host.output_fields(output), "key": key, "from": entry.run}
        if entry.exit_code is not None:
            fields["exit_code"] = entry.exit_code
        if entry.artifacts:
            fields["artifacts"] = list(entry.artifacts)
        fields["duration_s"] = round(self._clock.monotonic() - began, 6)
        host.final(EventKind.NODE_CACHED, node, None, fields)
        host.release(node.index)
        return True

    async def keep(self, host: Host, node: PlannedNode, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Keep what a node that succeeded gave, and copy its artifacts; how it ended then.

        Raises StorageError where they can't be written.
        """
        if node.artifacts:
            outcome = await asyncio.to_thread(self._collected, node, attempt, outcome)
        if outcome.status is NodeStatus.SUCCEEDED and node.cache is not None:
            await self._keep(host, node, node.cache, outcome)
        return outcome

    async def _keep(self, host: Host, node: PlannedNode, policy: CachePolicy, outcome: Outcome) -> None:
        """If the files that count are as they were when it started."""
        parts = self._wanted.pop(node.index, None)
        if parts is None or outcome.truncated:
            return
        try:
            if policy.files and await self._files(host, policy) != parts.files:
                self._note(f"{node.id} is not kept in the cache: files that its key counts changed while it ran")
                return
            now = self._clock.now_ns() / 1e9
            for item in outcome.artifacts:
                self._entries.take_file(os.path.join(self._folder, str(item["sha256"])), str(item["sha256"]))
            self._entries.write(
                Entry(
                    parts.digest(),
                    parts,
                    self._plan.path,
                    node.id,
                    self._run,
                    now,
                    outcome.output,
                    None,
                    outcome.exit_code,
                    tuple(outcome.artifacts),
                )
            )
        except (NotRead, OSError, ValueError, RecursionError) as error:
            self._note(f"{node.id} is not kept in the cache: {_why(error)}")

    # ------------------------------------------------------------ artifacts

    @property
    def _folder(self) -> str:
        return os.path.join(self._settings.rundir, "artifacts")

    def _collected(self, node: PlannedNode, attempt: Attempt, outcome: Outcome) -> Outcome:
        try:
            copied = collect(attempt, node.artifacts, self._folder, durable=self._settings.durable)
        except NodeFault as fault:
            message = self._masker.mask_text(fault.message)
            return outcome._replace(status=NodeStatus.FAILED, error=NodeError(fault.kind, message))
        files: Any = self._masker.mask_json([item.to_json() for item in copied])  # a file's name may hold a secret
        return outcome._replace(artifacts=files)

    async def _put_back(self, node: PlannedNode, attempt: Attempt, entry: Entry) -> bool:
        """Give the run the artifacts of a cached result, and the working directory, too; False where that fails."""

        def put() -> str | None:
            for item in entry.artifacts:
                source = self._entries.file(str(item["sha256"]))
                if not kept(source, str(item["sha256"]), self._folder, durable=self._settings.durable):
                    return f"artifact {item['name']} is damaged or gone"
            try:
                put_back(attempt, entry.artifacts, self._folder)
            except OSError as error:
                return _why(error)
            except NodeFault as fault:
                return fault.message
            return None

        why = await asyncio.to_thread(put)
        if why is not None:
            self._note(f"{node.id} runs: its cached result can't be used: {why}")
        return why is None

    # ------------------------------------------------------------ keys

    def _key_text(self, node: PlannedNode, policy: CachePolicy, names: Mapping[str, Json] | None) -> str:
        if policy.key.static:
            return str(policy.key.data)
        if names is None:
            names = self._scope.names_of(node)
        return str(self._scope.render(policy.key, names))

    async def _files(self, host: Host, policy: CachePolicy) -> dict[str, str]:
        """In a thread: what a node lists may take long to read, and signals are acted on meanwhile."""
        if not policy.files:
            return {}
        root, left_out = self._plan.root, self._settings.state_dir
        return await asyncio.to_thread(digests, root, policy.files, left_out, lambda: host.stopped is not None)

    def _parts(
        self, node: PlannedNode, policy: CachePolicy, attempt: Attempt, text: str, files: Mapping[str, str]
    ) -> Parts:
        if node.secrets and self._salt is None:
            self._salt = self._entries.salt()
        return make_parts(
            attempt,
            domain=self._settings.domain,
            node=policy.digest,
            agent=f"{node.agent} {self._plan.agent_versions.get(node.agent, '')}",
            key=text,
            files=files,
            secrets=self._secrets,
            salt=self._salt or b"",
        )

    def _counts(self, entry: Entry, policy: CachePolicy) -> bool:
        """Whether an entry is young enough; one from the future, by a clock that was wrong, isn't."""
        return policy.ttl is None or 0 <= self._clock.now_ns() / 1e9 - entry.made < policy.ttl

    # ------------------------------------------------------------ why not

    def _explained(self, node: PlannedNode, parts: Parts, expired: Entry | None) -> str:
        """What is not as it was in the entry of this node that is nearest: the fewest differences, then the newest."""
        if expired is not None:
            made = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(expired.made))
            return f"{node.id} runs: its cached result, of {made} UTC, is older than its ttl"
        if self._earlier is None:
            self._earlier = {}
            for entry, _ in self._entries.all():
                if entry.parts.domain == self._settings.domain:
                    self._earlier.setdefault((entry.pipeline, entry.node), []).append(entry)
        earlier = self._earlier.get((self._plan.path, node.id))
        if not earlier:
            return f"{node.id} runs: the cache holds no result of it"
        near = min(earlier, key=lambda entry: (len(differences(entry.parts, parts)), -entry.made))
        changes = differences(near.parts, parts)
        if not changes:
            return f"{node.id} runs: its cached result is damaged"
        return f"{node.id} runs: since run {near.run} there changed {told(changes)}"


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
