"""What a scheduler asks about nodes with `cache:`: whether there is a result already, and to keep a new one."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipe_runner.artifacts import kept, put_back
from pipe_runner.errors import NodeFault
from pipe_runner.halts import Halted
from pipe_runner.plan import NOTHING, CachePolicy, Plan, PlannedNode, files_of
from pipe_runner.ports import Attempt, Clock, Masker, Outcome
from pipe_runner.resultcache.around import tools_around
from pipe_runner.resultcache.bound import Bound
from pipe_runner.resultcache.entries import Entries, Entry
from pipe_runner.resultcache.files import Known, NotRead, digests, idle
from pipe_runner.resultcache.host import Host
from pipe_runner.resultcache.key import Parts, differences, make_parts, told
from pipe_runner.resultcache.misses import Misses, counts
from pipe_runner.resultcache.room import Hold
from pipe_runner.scope import Scope
from pipe_runner.types import EventKind, Json
from pipe_runner.workspaces import KEPT, counted_for

_PAUSE: Final = 0.005
PATIENCE: Final = 5.0
"""Seconds to wait for somebody who removes results; then a node does without the cache."""


class CacheSettings(NamedTuple):
    """Where the cache is, and how this run uses it."""

    state_dir: str
    run: str
    rundir: str
    durable: bool = True
    """Artifacts reach the disk before their node's success is told."""
    domain: str = ""
    """Entries of another domain are never read."""
    explain: bool = False
    """Say of each result that was not found what is not as it was."""
    pins: Mapping[str, Any] = NOTHING
    """What pipe.lock pins the tools of MCP servers to."""


class Keeper:
    """The cache of one run. Nothing that goes wrong in it fails a node: the node runs, and a note says why."""

    def __init__(
        self,
        plan: Plan,
        settings: CacheSettings,
        secrets: Mapping[str, str],
        masker: Masker,
        scope: Scope,
        clock: Clock,
        note: Callable[[str], None],
        bound: Bound | None = None,
    ) -> None:
        """`bound` is the one of the run, if somebody in it has used the cache already."""
        self._plan, self._settings, self._secrets = plan, settings, secrets
        self._masker, self._scope, self._clock = masker, scope, clock
        self._note: Callable[[str], None] = lambda line: note(masker.mask_text(line))
        """Names of files may hold a secret."""
        self._entries = Entries(settings.state_dir)
        self._salt: bytes | None = None
        self._wanted: dict[int, Parts] = {}
        """Of nodes that run: the key under which their result belongs."""
        self._taken_along: dict[int, tuple[str, ...]] = {}
        """Of nodes that ask models: the files that go with their questions."""
        self._known_files: Known = {}
        self.bound = Bound(self._entries, plan.cache_limit) if bound is None else bound
        self._told: set[tuple[str, ...]] = set()
        """Globs of which was said that they match nothing."""
        self._given_up = False
        """Somebody held the cache for too long, and nobody has had it since: it is tried, not waited for."""
        self._misses = Misses(self._entries, settings.domain)

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
            files = await self._files(host, policy, self._along(node, attempt))
            parts = self._parts(node, policy, attempt, text, files)
        except (NotRead, OSError) as error:
            return self._without(host, node, error)
        if host.stopped is not None:
            host.cancel(node)
            return True
        try:
            hold = await self._hold(host)
        except BlockingIOError as error:
            return self._without(host, node, error)
        with hold:
            return await self._taken(host, node, attempt, data, parts, began)

    def _without(self, host: Host, node: PlannedNode, error: Exception) -> bool:
        """Whether a node whose result can't be looked for has ended, since the run was stopped; else it runs."""
        if host.stopped is None:
            self._note(f"{node.id} is not cached: {_why(error)}")
            return False
        host.cancel(node)
        return True

    async def _hold(self, host: Host) -> Hold:
        """Nothing is removed from the cache meanwhile. Waits without a thread, which those that hold it may need.

        Raises BlockingIOError where others hold it for long, or the run stops meanwhile.
        """
        until = self._clock.monotonic() + (0.0 if self._given_up else PATIENCE)
        while True:
            try:
                hold = self._entries.room.hold(patience=0.0)
                self._given_up = False
                return hold
            except BlockingIOError:
                if host.stopped is not None or self._clock.monotonic() >= until:
                    self._given_up = True
                    raise
                await asyncio.sleep(_PAUSE)

    async def _taken(
        self, host: Host, node: PlannedNode, attempt: Attempt, data: Mapping[str, Any], parts: Parts, began: float
    ) -> bool:
        policy, key = node.cache, parts.digest()
        assert policy is not None
        entry = self._entries.read(key)
        now = self._clock.now_ns() / 1e9
        if entry is None or not counts(entry, policy, now):
            self._wanted[node.index] = parts
            if self._settings.explain:
                self._note(f"{node.id} runs: {self._misses.why(self._plan.path, node.id, parts, entry, now)}")
            return False
        if entry.artifacts and not await self._put_back(host, node, attempt, entry):
            if host.stopped is not None:
                host.cancel(node)
                return True
            self._wanted[node.index] = parts
            return False
        await self._tell_idle(host, node, policy, parts.files)  # before its end: with that the run may be over
        self._entries.used(key)
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

    async def keep(self, host: Host, node: PlannedNode, outcome: Outcome) -> None:
        """Keep what a node that succeeded gave, if the files that count are as they were when it started."""
        policy = node.cache
        assert policy is not None
        parts = self._wanted.pop(node.index, None)
        if parts is None or outcome.truncated:
            return
        try:
            along = self._taken_along.pop(node.index, ())
            files = await self._files(host, policy, along) if policy.files or along else parts.files
            if files != parts.files:
                changes = told(differences(parts, parts._replace(files=files)))
                self._note(
                    f"{node.id} is not kept in the cache: files that its key counts changed while it ran: {changes}"
                )
                return
            await self._write(
                host,
                Entry(
                    parts.digest(),
                    parts,
                    self._plan.path,
                    node.id,
                    self._settings.run,
                    self._clock.now_ns() / 1e9,
                    outcome.output,
                    None,
                    outcome.exit_code,
                    tuple(outcome.artifacts),
                ),
            )
            await self._tell_idle(host, node, policy, parts.files)
        except (NotRead, OSError, ValueError, RecursionError) as error:
            self._note(f"{node.id} is not kept in the cache: {_why(error)}")

    async def _write(self, host: Host, entry: Entry) -> None:
        """Keep an entry within the bound; what was used least recently goes where there is too much. Raises OSError."""
        entries, most = self._entries, self.bound.most
        size = sum(entry.blobs().values()) + len(json.dumps(entry.output))
        if size > most:
            self._note(f"{entry.node} is not kept in the cache: it has {size} bytes, and limits.cache is {most}")
            return
        with await self._hold(host):
            size = sum(entries.take_file(os.path.join(self._folder, digest), digest) for digest in entry.blobs())
            size += entries.write(entry)
            total = entries.room.add(size)  # before anybody can count all: else it would count twice
        await self.bound.stored(total)

    # ------------------------------------------------------------ artifacts

    @property
    def _folder(self) -> str:
        return os.path.join(self._settings.rundir, KEPT)

    async def _put_back(self, host: Host, node: PlannedNode, attempt: Attempt, entry: Entry) -> bool:
        """Give the run the artifacts of a cached result, and the project, if it works there; False where that fails, or
        the run stops."""

        durable = self._settings.durable

        def halted() -> bool:
            return host.stopped is not None

        def put() -> str | None:
            for item in entry.artifacts:
                source = self._entries.file(str(item["sha256"]))
                if not kept(source, str(item["sha256"]), self._folder, durable=durable, halted=halted):
                    return f"artifact {item['name']} is damaged or gone"
            if node.own_workspace:
                return None
            try:
                put_back(attempt, entry.artifacts, self._folder, halted=halted)
            except OSError as error:
                return _why(error)
            except NodeFault as fault:
                return fault.message
            return None

        try:
            why = await asyncio.to_thread(put)
        except Halted:
            return False
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

    def _along(self, node: PlannedNode, attempt: Attempt) -> tuple[str, ...]:
        """Globs of the files that a question takes along, by paths that only the run knows."""
        if attempt.agent != "llm":
            return ()
        from glob import escape

        known = node.cache.files if node.cache is not None else ()
        along = tuple(glob for path in files_of(attempt.options) if (glob := escape(path)) not in known)
        self._taken_along[node.index] = along
        return along

    async def _files(self, host: Host, policy: CachePolicy, along: tuple[str, ...] = ()) -> dict[str, str]:
        """In a thread: what a node lists may take long to read, and signals are acted on meanwhile."""
        globs = (*policy.files, *along)
        if not globs:
            return {}
        root, left_out = self._plan.root, self._settings.state_dir
        return await asyncio.to_thread(
            digests, root, globs, left_out, lambda: host.stopped is not None, self._known_files
        )

    async def _tell_idle(self, host: Host, node: PlannedNode, policy: CachePolicy, files: Mapping[str, str]) -> None:
        """Say it of a result in which no file counts; with `explain` also of each glob that matches none."""
        globs = tuple(policy.files)
        if not globs or globs in self._told or (files and not self._settings.explain):
            return
        self._told.add(globs)
        root, left_out = self._plan.root, self._settings.state_dir
        try:
            found = await asyncio.to_thread(idle, root, globs, left_out, lambda: host.stopped is not None)
        except NotRead:
            return
        if found:
            self._note(f"{node.id}: cache.files matches no file: {', '.join(found)}")

    def _parts(
        self, node: PlannedNode, policy: CachePolicy, attempt: Attempt, text: str, files: Mapping[str, str]
    ) -> Parts:
        if node.secrets and self._salt is None:
            self._salt = self._entries.salt()
        return make_parts(
            attempt,
            domain=self._settings.domain,
            node=policy.digest,
            agent=self._plan.agent_of(node),
            key=text,
            files=files,
            artifacts=counted_for(node, self._plan, self._scope.run, self._scope.output),
            secrets=self._secrets,
            salt=self._salt or b"",
            around=tools_around(attempt, self._plan, self._settings.pins),
        )


def _why(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
