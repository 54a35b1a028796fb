"""`agent: log_analysis`: reads logs, counts what is in them, and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.errors import NodeFault
from pipe_runner.ports import AgentDescription, Attempt, Capability, Context, Earlier, Outcome
from pipe_runner.types import ErrorKind, EventKind, JsonObject

if TYPE_CHECKING:
    from pydantic import BaseModel

    from pipe_agents.logs.analysis import Asked, Read
    from pipe_agents.logs.journal import Journal
    from pipe_agents.threads import Threads

CAPABILITIES: Final = (
    Capability(
        "logs.levels",
        "Entries by level, and the errors that come most often.",
        ("log", "logs", "error", "errors", "fatal", "warning", "exception", "exceptions", "stack trace", "traceback",
            "log file", "logged"),
    ),
    Capability(
        "logs.templates",
        "Kinds of messages, with counts, first and last time.",
        ("template", "templates", "messages", "kinds of messages", "most frequent", "patterns", "log lines", "parse",
            "parse log", "summarize logs", "what is logged"),
    ),
    Capability(
        "logs.rates",
        "How much is logged when, and bursts.",
        ("burst", "bursts", "spike", "flood", "log rate", "rate", "per minute", "noisy", "storm", "sudden"),
    ),
    Capability(
        "logs.gaps",
        "Logs that were silent, or have stopped.",
        ("gap", "gaps", "silent", "stopped logging", "silence", "no logs", "missing logs", "quiet"),
    ),
    Capability(
        "logs.security",
        "Failed logins by source, logins after many failures, sudo, new users, certificates, refused accesses.",
        ("failed login", "failed logins", "brute force", "ssh", "sshd", "auth.log", "intrusion", "sudo", "attack",
            "break-in", "login", "logins", "password", "suspicious", "who logged in", "permission denied"),
    ),
    Capability(
        "logs.kernel",
        "Out of memory, disks, file systems, crashes, panics, hardware.",
        ("oom", "out of memory", "killed", "segfault", "crash", "crashed", "kernel", "panic", "reboot", "disk error",
            "i/o error", "dmesg", "hardware error", "read-only", "journal"),
    ),
    Capability(
        "logs.services",
        "Services that failed or restart in a loop, limits that were hit.",
        ("service failed", "failed to start", "restart loop", "too many open files", "crash loop", "syslog",
            "journald", "journalctl", "systemd"),
    ),
    Capability(
        "logs.http",
        "Web requests by status, path, client and time.",
        ("access log", "nginx", "apache", "5xx", "500", "502", "503", "status codes", "requests", "web server",
            "http errors", "slow requests", "404"),
    ),
    Capability(
        "logs.baseline",
        "What is new, or comes more or less often than in the last run.",
        ("anomaly", "anomalies", "unusual", "new errors", "changed since", "baseline", "compare", "since yesterday",
            "different", "since the last run"),
    ),
)  # fmt: skip


class LogAnalysisAgent:
    """Reads in a thread of its own, which ends with the attempt."""

    name = "log_analysis"
    version = "1"

    def __init__(self) -> None:
        self._threads: Threads | None = None

    def describe(self) -> AgentDescription:
        return AgentDescription(
            summary="Reads logs (files, the journal, text): errors, bursts, silences, intrusions, and what is new.",
            capabilities=CAPABILITIES,
            asks_models=True,
        )

    def may_ask(self, options: JsonObject) -> bool:
        from pipe_agents.findings import explains

        return explains(options)

    def options_model(self) -> type[BaseModel]:
        from pipe_schemas.logs import LogAnalysisOptions

        return LogAnalysisOptions

    def output_schema(self, options: JsonObject) -> JsonObject:
        from pipe_schemas.logs import LogAnalysisResult

        return LogAnalysisResult.model_json_schema()

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        from pipe_agents.explaining import finished
        from pipe_agents.findings import result
        from pipe_agents.logs.analysis import options_of
        from pipe_agents.logs.pacing import deadline

        options: Mapping[str, Any] = attempt.options
        began, started = context.clock.now_ns(), context.clock.monotonic()
        try:
            until = deadline(started, attempt.timeout)
            asked = options_of(options, attempt.workspace or attempt.root, began / 1e9, until, context.masker.mask_text)
        except ValueError as error:
            raise NodeFault(ErrorKind.REFUSED, context.masker.mask_text(str(error))) from None
        journal = await self._journal(attempt, context, asked)
        try:
            findings, measurements = await self._in_thread(
                partial(self._work, options, asked, journal, context, self._say(context)), context
            )
        finally:
            if journal is not None and journal.path is not None:
                with contextlib.suppress(OSError):
                    os.remove(journal.path)
        made = result(
            self.name, findings, measurements, began_ns=began, seconds=context.clock.monotonic() - started, summary=None
        )
        masked: Any = context.masker.mask_json(made)
        return await finished(masked, attempt, context)

    async def close(self) -> None:
        """Let threads go; at the end of the run."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.close()

    async def _journal(self, attempt: Attempt, context: Context, asked: Asked) -> Journal | None:
        given: Any = attempt.options.get("journal")
        if not given:
            return None
        from pipe_agents.logs.journal import asked as ask
        from pipe_agents.logs.times import moment

        own = given.get("since") if isinstance(given, Mapping) else None
        try:
            since = moment(own, asked.now, asked.zone) if own else asked.window.since
        except ValueError as error:
            raise NodeFault(ErrorKind.REFUSED, context.masker.mask_text(f"journal.since: {error}")) from None
        seconds = None if asked.deadline is None else (asked.deadline - context.clock.monotonic()) / 2
        return await ask(attempt, context, given, since, asked.window.until, asked.now, asked.max_bytes, seconds)

    async def _in_thread(self, work: Any, context: Context) -> Any:
        """Work in a thread that ends when the attempt is cancelled."""
        from pipe_agents.threads import Threads

        if self._threads is None:
            self._threads = Threads("logs")
        call = self._threads.start(work)
        try:
            await call.ended()
        except asyncio.CancelledError:
            call.interrupt()
            await call.ended(1.0)
            raise
        if isinstance(call.error, NodeFault):
            raise NodeFault(call.error.kind, context.masker.mask_text(call.error.message)) from None
        if call.error is not None:
            raise call.error
        return call.result

    def _say(self, context: Context) -> Any:
        """Emits a line, from any thread."""
        loop = asyncio.get_running_loop()

        def say(text: str) -> None:
            data = {"stream": "stdout", "text": context.masker.mask_text(text) + "\n"}
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(context.emit, EventKind.NODE_OUTPUT, data)

        return say

    def _work(
        self, options: Mapping[str, Any], asked: Asked, journal: Journal | None, context: Context, say: Any
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """All that takes long; in the thread."""
        from pipe_agents.logs.analysis import analyse
        from pipe_agents.logs.judging import judged
        from pipe_agents.logs.measured import measured
        from pipe_agents.logs.sources import Unread

        read = analyse(asked, say, context.clock.monotonic, journal)
        if journal is not None and journal.why is not None:
            read.unread.append(Unread("journal", journal.why, journal.needs or ""))
        if journal is not None and journal.note is not None:
            read.unread.append(Unread("journal", journal.note, journal.needs or ""))
        measurements = measured(read, asked, 1000)
        compared = _compared(options, asked, read, measurements, context)
        findings, beyond = judged(read, asked, measurements, options.get("thresholds") or {}, compared)
        measurements["templates"] = measurements["templates"][: options.get("top_templates", 300)]
        measurements["findings_beyond"] = beyond
        return findings, measurements


def _compared(
    options: Mapping[str, Any], asked: Asked, read: Read, measurements: dict[str, Any], context: Context
) -> Any:
    """Against the last run, or the result that is given."""
    from pipe_agents.logs.baseline import compare, earlier_of
    from pipe_agents.logs.sources import Unread

    given = options.get("baseline", "last")
    if "baseline" not in asked.checks or given == "none":
        return None
    run = at = None
    if given == "last":
        earlier: Earlier | None = context.earlier() if context.earlier is not None else None
        if earlier is None:
            return None
        run, at, given = earlier.run, earlier.at, earlier.output
    found = earlier_of(given)
    if found is None:
        if run is None:
            why = "it is no output of log_analysis that says which logs it read"
            read.unread.append(Unread("baseline", why, "an earlier output, or its measurements"))
        return None
    factor = (options.get("thresholds") or {}).get("rate_factor", 3.0)
    compared = compare(measurements, found, factor, run, at)
    if compared is None:
        return None
    measurements["baseline"] = {
        "run": compared.run,
        "at": compared.at,
        "logs": compared.logs,
        "logs_only_now": compared.logs_only_now,
        "logs_only_earlier": compared.logs_only_earlier,
        "span_s": compared.earlier_span_s,
        "complete": compared.complete,
        "new_templates": compared.new_total,
        "new": [one["template"] for one in compared.new[:20]],
        "changed_templates": compared.changed_total,
        "changed": [one._asdict() for one in compared.changed[:20]],
    }
    return compared
