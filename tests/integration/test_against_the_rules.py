"""Whole runs of random pipelines, killed, decided on and resumed, held against the rules of statuses written down once
more, naively."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe_runner.compiler import check_inputs, compile_text
from pipe_runner.engine import RunSettings, open_resume, open_run
from pipe_runner.engine.decisions import Decision, decide
from pipe_runner.ports import Attempt, Context, Event, Outcome
from pipe_runner.registry import Registry
from pipe_runner.run import Run, fold
from pipe_runner.runlog import RunDir, read_log
from pipe_runner.testing import FakeAgent, failed, succeeded
from pipe_runner.types import EventKind

ENDS = (EventKind.NODE_SUCCEEDED, EventKind.NODE_FAILED, EventKind.NODE_SKIPPED, EventKind.NODE_BLOCKED)
BROKEN = "1 // inputs.zero == 1"
NO_BOOLEAN = "inputs.zero"


@dataclass
class Drawn:
    """One node as it is drawn: its file's words, and how each of its attempts or items ends in the first run."""

    name: str
    needs: list[str] = field(default_factory=list)
    run_on: str = "success"
    when: str | None = None
    tolerated: bool = False
    attempts: int = 1
    items: list[str] | None = None
    least: int | None = None
    """`min_success`."""
    inner: list[Drawn] | None = None
    """The nodes of the sub-pipeline that it runs, by their names in its file."""
    asks: bool = False
    """It is an approval, and so is each of its items."""
    version: int = 0
    """Counts the changes of the file that concern it."""

    def spec(self, folder: Path) -> dict[str, Any]:
        what: dict[str, Any] = {"agent": "work", "with": {"version": self.version}}
        if self.asks:
            what = {"agent": "approval", "with": {"message": f"version {self.version}"}}
        if self.inner is not None:
            (folder / f"{self.name}.yml").write_text(file_of(self.inner, folder))
            what = {"pipeline": f"{self.name}.yml"}
        if self.items is not None:
            what["for_each"] = {"items": self.items, "key": "{{ item }}"}
            if self.least is not None:
                what["for_each"]["min_success"] = self.least
        if self.attempts > 1:
            what["retry"] = {"max_attempts": self.attempts, "delay": "0s"}
        return what | {
            "needs": self.needs,
            "run_on": self.run_on,
            "continue_on_error": self.tolerated,
            **({} if self.when is None else {"when": self.when}),
        }


def file_of(nodes: list[Drawn], folder: Path, **more: Any) -> str:
    """A pipeline file with these nodes; those that it runs are written into the folder."""
    spec = {"version": 1, "inputs": {"zero": {"type": "integer", "default": 0}}}
    return yaml.safe_dump({**spec, "nodes": {node.name: node.spec(folder) for node in nodes}, **more})


ON_FAILURE, FINALLY = Drawn("on_failure_one"), Drawn("finally_one", attempts=2)
Fates = Mapping[str, int]
"""How often each node, or item, fails before it succeeds."""


class Rules:
    """What the language's pages say becomes of nodes; knows no code of the runner."""

    def __init__(
        self, fates: Fates, before: Mapping[str, str], changed: Mapping[str, int], refused: Collection[str] = ()
    ) -> None:
        """`changed`: the versions that the nodes had before, by their path; `refused`: what a person said no to."""
        self.refused = refused
        self.fates, self.before, self.changed = fates, before, changed
        self.status: dict[str, str] = {}
        self.tolerated: set[str] = set()
        self.starts: dict[str, int] = {}
        """How often each is started in this part of the run."""
        self.again: set[str] = set()
        """What counts no more of before."""
        self.decided_now: set[str] = set()

    def nodes(self, nodes: list[Drawn], above: str = "", *, anew: bool = False, failed: bool = True) -> bool | None:
        """Whether none failed whose failure isn't tolerated; None where one waits for a person.

        `anew`: nothing of before counts; `failed`: what these are all of had come to its end, and failed."""
        again: set[str] = set()
        new: set[str] = set()
        for node in nodes:
            name = above + node.name
            before = None if anew else self.before.get(name)
            whole = anew or bool(new.intersection(node.needs))
            if whole or is_changed(node, self.changed):
                new.add(node.name)
                whole = whole or node.inner is None or node.items is not None
            elif before == "succeeded" or (before == "skipped" and not again.intersection(node.needs)):
                self.keep(name)
                continue
            elif before == "failed" and (name in self.refused or (node.tolerated and not failed)):
                self.keep(name)
                if node.tolerated:
                    self.tolerated.add(name)
                continue
            again.add(node.name)
            self.decided_now.add(name)
            fresh = [name] if whole else [f"{name}.{one}" for one in changed_inside(node, self.changed)]
            self.again |= {
                one for one in self.before if one == name or any(is_under(one, f) or one == f for f in fresh)
            }
            self.status[name] = status = self.decided(node, name, above, anew=whole)
            if status == "failed" and node.tolerated:
                self.tolerated.add(name)
        if any(self.status[above + n.name] == "waiting" for n in nodes):
            return None
        return not any(self.status[above + n.name] == "failed" and above + n.name not in self.tolerated for n in nodes)

    def run(self, nodes: list[Drawn], *, failed: bool) -> bool | None:
        """The whole run with its handlers, a node each; whether it succeeds, None when it waits."""
        good = self.nodes(nodes, failed=failed)
        some = any(node.name in self.decided_now for node in nodes)
        if good is None:
            self.again |= {ON_FAILURE.name, FINALLY.name} if some else set()
            return None
        for handler, wanted in ((ON_FAILURE, not good), (FINALLY, True)):
            before = self.before.get(handler.name)
            if not wanted:
                continue
            if some or before != "succeeded":
                self.again.add(handler.name)
                self.status[handler.name] = self.performed(handler, handler.name, anew=False)
            else:
                self.status[handler.name] = before
        return good and self.status[FINALLY.name] == "succeeded"

    def keep(self, name: str) -> None:
        under = self.before[name] != "skipped"
        self.status |= {k: s for k, s in self.before.items() if k == name or (under and is_under(k, name))}

    def decided(self, node: Drawn, name: str, above: str, *, anew: bool) -> str:
        needs = [(self.status[above + need], above + need in self.tolerated) for need in node.needs]
        if any(status in ("waiting", "pending") for status, _ in needs):
            return "pending"
        if node.run_on == "success":
            if any(status == "blocked" or (status == "failed" and not fine) for status, fine in needs):
                return "blocked"
            if any(status == "skipped" for status, _ in needs):
                return "skipped"
        if node.run_on == "failure" and not any(status in ("failed", "blocked") for status, _ in needs):
            return "skipped"
        if node.when == "false":
            return "skipped"
        if node.when in (BROKEN, NO_BOOLEAN):
            return "failed"
        if node.when is not None and node.when != "true":
            read, _, wanted = node.when.removeprefix("nodes.").replace("'", "").partition(".status == ")
            if self.status[above + read] != wanted:
                return "skipped"
        if node.items is None:
            return self.performed(node, name, anew=anew)
        good = 0
        for item in node.items:
            one = f"{name}[{item}]"
            if not anew and (self.before.get(one) == "succeeded" or one in self.refused):
                self.keep(one)
            else:
                self.status[one] = self.performed(node, one, anew=anew)
            good += self.status[one] == "succeeded"
        if any(self.status[f"{name}[{item}]"] == "waiting" for item in node.items):
            return "waiting"
        return "succeeded" if good >= (len(node.items) if node.least is None else node.least) else "failed"

    def performed(self, node: Drawn, name: str, *, anew: bool) -> str:
        if node.inner is not None:
            good = self.nodes(node.inner, f"{name}.", anew=anew, failed=self.before.get(name) == "failed")
            return "waiting" if good is None else "succeeded" if good else "failed"
        if node.asks:
            return "waiting"
        fails = self.fates.get(name, 0)
        self.starts[name] = min(fails + 1, node.attempts)
        return "failed" if fails >= node.attempts else "succeeded"


def is_under(one: str, name: str) -> bool:
    """Whether it is an item of this node, or runs inside it."""
    return one.startswith((f"{name}.", f"{name}["))


def is_changed(node: Drawn, before: Mapping[str, int]) -> bool:
    return any(before.get(one, version) != version for one, version in versions([node]).items())


def changed_inside(node: Drawn, before: Mapping[str, int]) -> list[str]:
    """The nodes that it runs which have changed, or need one that has."""
    found: list[str] = []
    for one in node.inner or ():
        if is_changed(one, before) or any(need in found for need in one.needs):
            found.append(one.name)
    return found


def versions(nodes: list[Drawn]) -> dict[str, int]:
    """Of nodes without an inside, whose names are their own."""
    found: dict[str, int] = {}
    for node in nodes:
        found |= {node.name: node.version} if node.inner is None else versions(node.inner)
    return found


def each(nodes: list[Drawn]) -> list[Drawn]:
    return [one for node in nodes for one in ([node] if node.inner is None else each(node.inner))]


def is_of(name: str, node: Drawn) -> bool:
    """Whether what the log calls so is the node, or an item of it."""
    return name.endswith(node.name) or name.rpartition("[")[0].endswith(node.name)


@st.composite
def drawn(draw: st.DrawFn, prefix: str = "n", depth: int = 0) -> list[Drawn]:
    nodes: list[Drawn] = []
    for number in range(draw(st.integers(1, 7 if depth == 0 else 3))):
        node = Drawn(f"{prefix}{number}")
        earlier = [one.name for one in nodes]
        node.needs = draw(st.lists(st.sampled_from(earlier), max_size=3, unique=True)) if earlier else []
        node.run_on = draw(st.sampled_from(["success", "success", "success", "failure", "always"]))
        whens = [None, None, None, "true", "false", BROKEN, NO_BOOLEAN]
        whens += [f"nodes.{n}.status == '{s}'" for n in node.needs for s in ("failed", "succeeded")]
        node.when = draw(st.sampled_from(whens))
        node.tolerated = draw(st.sampled_from([False, False, True]))
        if depth == 0 and draw(st.integers(0, 3)) == 0:
            node.inner = draw(drawn(f"{node.name}i", 1))
        else:
            node.asks = draw(st.integers(0, 3)) == 0
            node.attempts = 1 if node.asks else draw(st.sampled_from([1, 1, 2]))
        if draw(st.integers(0, 2)) == 0:
            node.items = draw(st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True))
            node.least = draw(st.none() | st.integers(0, len(node.items))) if node.items else None
        nodes.append(node)
    return nodes


def leaves(nodes: list[Drawn], above: str = "") -> list[str]:
    """What is performed, as the log calls it."""
    found: list[str] = []
    for node in nodes:
        name = above + node.name
        for one in [name] if node.items is None else [f"{name}[{item}]" for item in node.items]:
            found += [one] if node.inner is None else leaves(node.inner, f"{one}.")
    return found


class Work(FakeAgent):
    """Fails as often as it was told for the node, then succeeds."""

    def __init__(self, fates: Fates) -> None:
        super().__init__("work", lambda options: None)
        self.fates = fates
        self.failures: dict[str, int] = {}

    async def perform(self, attempt: Attempt, context: Context) -> Outcome:
        name = attempt.node
        self.failures[name] = self.failures.get(name, 0) + 1
        return failed() if self.failures[name] <= self.fates.get(name, 0) else succeeded("done")


@dataclass
class World:
    """A project with one pipeline, and one run of it."""

    root: Path
    nodes: list[Drawn]
    seen: int = 0
    """Events of the parts before."""
    part: Sequence[Event] = ()
    """Those of the last part."""

    def performed(self, fates: Fates) -> Run:
        """Begin the run, or go on with it."""
        registry = Registry.installed()
        work = Work(fates)
        registry.register("work", lambda: work)
        text = file_of(
            self.nodes,
            self.root,
            on_failure={ON_FAILURE.name: ON_FAILURE.spec(self.root)},
            **{"finally": {FINALLY.name: FINALLY.spec(self.root)}},
        )
        done = compile_text(text, path=str(self.root / "p.yml"), root=self.root, registry=registry)
        assert done.plan is not None, done.diagnostics
        state = self.root / ".pipe"
        if self.seen:
            active = open_resume("r", done.plan, RunSettings(state), registry=registry)
        else:
            given = check_inputs(done.plan, {})
            active = open_run(done.plan, given, RunSettings(state, run_id="r"), registry=registry)
        run = anyio.run(active.perform)
        events = read_log(RunDir.open(state, "r").log_path).events
        assert fold(events) == run
        self.part, self.seen = events[self.seen :], len(events)
        return run

    def starts(self) -> dict[str, int]:
        """How often each was started in the last part."""
        told = [str(event.node) for event in self.part if event.event == EventKind.NODE_STARTED]
        return {name: told.count(name) for name in told}

    def decided(self, name: str, word: str) -> str:
        """Have a person approve or reject, or do nothing; what the node is then."""
        if word:
            decide(self.root / ".pipe", "r", name, Decision("approve" if word == "approve" else "reject", "ada"))
            self.seen = len(read_log(RunDir.open(self.root / ".pipe", "r").log_path).events)
        return {"": "waiting", "approve": "succeeded", "reject": "failed"}[word]

    def cut(self, lost: int) -> dict[str, str]:
        """Kill the runner before it wrote the last events; what is told of nodes in those before."""
        path = Path(RunDir.open(self.root / ".pipe", "r").log_path)
        self.seen -= lost
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[: self.seen]))
        told = self.part[: len(self.part) - lost]
        return {str(event.node): event.event.partition(".")[2] for event in told if event.event in ENDS}


def statuses(run: Run, rules: Rules) -> dict[str, str]:
    """As the run has them: of nodes, and of items."""
    found = {name: str(state.status) for name, state in run.nodes.items()}
    found |= {f"{node}[{key}]": str(item.status) for node, items in run.items.items() for key, item in items.items()}
    return {name: found.get(name, "nothing is known") for name in rules.status}


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(drawn(), st.data())
def test_a_run_and_its_resumes_end_as_the_language_says(nodes: list[Drawn], data: st.DataObject) -> None:
    every = leaves([*nodes, ON_FAILURE, FINALLY])
    asked = {name for name in every if any(one.asks and is_of(name, one) for one in each(nodes))}
    with TemporaryDirectory() as folder:
        world = World(Path(folder), nodes)
        before: dict[str, str] = {}
        refused: set[str] = set()
        were, failed = versions(nodes), True
        for part in ("run", "resume", "resume again", "last resume"):
            fates = {name: data.draw(st.sampled_from([0, 0, 1, 2]), f"{part} {name}") for name in every}
            rules = Rules(fates, before, were, refused)
            good = rules.run(nodes, failed=failed)
            run = world.performed(fates)
            assert statuses(run, rules) == rules.status, part
            assert {name: n for name, n in world.starts().items() if name in {*every} - asked} == rules.starts, part
            assert str(run.status) == ("waiting" if good is None else "succeeded" if good else "failed"), part
            lost = data.draw(st.just(0) | st.integers(0, len(world.part) - 1), "lost")
            if good and not lost:
                return
            before = {name: status for name, status in before.items() if name not in rules.again}
            before |= world.cut(lost) if lost else rules.status
            refused -= rules.again
            were, failed = versions(nodes), good is False and not lost
            for name in sorted(asked):
                if good is None and not lost and before.get(name) == "waiting":
                    word = data.draw(st.sampled_from(["", "approve", "reject"]), f"decided on {name}")
                    before[name] = world.decided(name, word)
                    refused |= {name} if word == "reject" else set()
            for node in data.draw(st.lists(st.sampled_from(each(nodes)), max_size=1), "changed"):
                node.version += 1
