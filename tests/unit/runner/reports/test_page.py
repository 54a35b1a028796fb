"""The page of a run: what it tells, how little it takes, and that nothing in it is obeyed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.plan import NO_VALUES, Plan, PlannedNode
from pipe_runner.ports import Event
from pipe_runner.reports.marks import shown
from pipe_runner.reports.page import POLICY, page
from pipe_runner.reports.story import Story
from pipe_runner.types import EventKind, Phase

HOSTILE = (
    "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\u202e::error::x ##[e]'\"&\ud800"
)
TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "h1", "h2", "h3", "h4", "small", "span", "p",
    "code", "pre", "samp", "b", "i", "br", "a", "dl", "div", "dt", "dd", "ul", "li", "table", "thead", "tbody", "tr",
    "th", "td", "details", "summary", "section", "footer", "svg", "rect", "path", "text", "polygon",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "id", "href", "title", "style", "open", "aria-label",
    "aria-hidden", "role", "viewbox", "width", "height", "x", "y", "rx", "d", "points", "xmlns", "preserveaspectratio",
}  # fmt: skip


class Reader(HTMLParser):
    """Holds every tag and attribute against the list of those that can do no harm, and gathers text and links."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.pieces: list[str] = []

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            if name == "href":
                assert re.fullmatch(r"#[gn][a-z0-9-]*", value or ""), value
                self.links.append((value or "")[1:])
            if name == "id":
                self.ids.append(value or "")
            if name == "style":
                assert re.fullmatch(r"(left|width|flex):[\d.]+%?(;width:[\d.]+%)?", value or ""), value

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)


class Log:
    """Events of one run, a tenth of a second apart."""

    def __init__(self, nodes: Mapping[str, str], **data: Any) -> None:
        self.story = Story("r1")
        self.seq = 0
        start = {"pipeline": "demo", "path": "demo.yml", "root": "/p", "inputs": {}, "nodes": dict(nodes), **data}
        self.add(EventKind.RUN_STARTED, **start)

    def add(self, kind: EventKind, node: str | None = None, attempt: int | None = None, /, **data: Any) -> Log:
        self.seq += 1
        minutes, tenths = divmod(self.seq, 600)
        at = f"2026-11-24T{minutes // 60:02d}:{minutes % 60:02d}:{tenths // 10:02d}.{tenths % 10}00000Z"
        self.story.apply(Event(self.seq, at, "r1", kind, node, attempt, data))
        return self

    def ok(self, node: str, output: Any = "", **data: Any) -> Log:
        self.add(EventKind.NODE_STARTED, node, 1)
        return self.add(EventKind.NODE_SUCCEEDED, node, 1, output=output, duration_s=0.1, **data)

    def fails(self, node: str, attempt: int = 1, kind: EventKind = EventKind.NODE_FAILED, **data: Any) -> Log:
        self.add(EventKind.NODE_STARTED, node, attempt)
        error = {"kind": "exit", "message": f"exited with {attempt}"}
        return self.add(kind, node, attempt, **{"error": error, "duration_s": 0.1, **data})


def planned(*nodes: tuple[str, tuple[int, ...]]) -> Plan:
    """A plan in which each node's digest is `=` and its name."""
    made = [
        PlannedNode(
            name, at, Phase.NODES, "shell", NO_VALUES, needs, (), f"={name}", at + 1, 1, priority=9 - at, title=name
        )
        for at, (name, needs) in enumerate(nodes)
    ]
    return Plan("demo", "demo.yml", "/p", "d", tuple(made))


def read(log: Log, plan: Plan | None = None, **how: Any) -> tuple[str, Reader]:
    text = "".join(page(log.story, plan, **how))
    text.encode("utf-8")
    reader = Reader()
    reader.feed(text)
    assert set(reader.links) <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    return text, reader


def hostile_log() -> Log:
    names = {name: f"={name}" for name in (HOSTILE, "b[</script>]", "c", "d", "e")}
    log = Log(names, pipeline=HOSTILE, path=HOSTILE, inputs={HOSTILE: HOSTILE}, git_sha=HOSTILE, only=[HOSTILE])
    log.ok(HOSTILE, {HOSTILE: [HOSTILE]}, usage={HOSTILE: HOSTILE, "cost": 1.5})
    log.add(EventKind.NODE_STARTED, "c", 1).add(EventKind.NODE_OUTPUT, "c", 1, stream="stdout", text=HOSTILE)
    log.add(EventKind.MODEL_CALLED, "c", 1, provider=HOSTILE, tokens=3)
    error = {"kind": HOSTILE, "message": HOSTILE, "tail": HOSTILE}
    log.add(EventKind.NODE_FAILED, "c", 1, error=error, output_ref={"sha256": HOSTILE, "bytes": 9, "excerpt": HOSTILE})
    log.add(EventKind.NODE_SKIPPED, "d", when=HOSTILE, values={HOSTILE: HOSTILE})
    log.add(EventKind.NODE_BLOCKED, "e", by=[HOSTILE, "nobody" + HOSTILE], reason=HOSTILE)
    return log.add(EventKind.RUN_FINISHED, status="failed", outputs={HOSTILE: HOSTILE}, error=error, duration_s=1.0)


def test_s7_whatever_names_and_outputs_say_no_tag_and_no_attribute_comes_from_them() -> None:
    text, reader = read(hostile_log())
    assert "<script" not in text and "onerror=alert" not in re.sub(
        "&[^;]*;", "", text.replace("&lt;img src=x onerror", "")
    )
    assert "<script>alert(1)</script>" in reader.text
    assert f'content="{POLICY}"' in text
    assert text.index(POLICY) < text.index("<title>")


def test_s8_control_and_bidi_characters_are_shown_escaped_and_no_line_is_a_command_of_a_ci() -> None:
    text, reader = read(hostile_log())
    assert not {"\x1b", "\u202e", "\ud800"} & set(text)
    assert r"\x1b[31m\u202e" in reader.text
    assert "##[" not in text
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


@given(st.text(max_size=60))
def test_s7_data_stays_text(data: str) -> None:
    reader = Reader()
    reader.feed(f'<p title="{shown(data)}">{shown(data)}</p>')
    reader.close()
    assert reader.text.replace("\r", "") == "".join(shown_plain(data))


def shown_plain(data: str) -> str:
    from pipe_runner.text import printable

    return printable(data, newlines=True, tabs=True)


def test_it_tells_how_each_node_ended_and_why() -> None:
    nodes = {name: f"={name}" for name in ("a", "b", "c", "d", "e")}
    log = Log(nodes, inputs={"host": "h1"}, git_sha="0123456789abcdef").ok("a", {"deep": [1, 2]})
    log.fails("b", 1, EventKind.NODE_RETRYING, delay_s=2.0).add(EventKind.NODE_STARTED, "b", 2)
    log.add(EventKind.NODE_OUTPUT, "b", 2, stream="stderr", text="last words\n")
    log.add(EventKind.NODE_FAILED, "b", 2, error={"kind": "exit", "message": "exited with 7"}, duration_s=0.1)
    log.add(EventKind.NODE_BLOCKED, "c", by=["b"])
    log.add(EventKind.NODE_SKIPPED, "d", when="nodes.a.output.x", values={"nodes.a.output.x": False})
    log.ok("e", output_ref={"sha256": "ab12", "bytes": 70000, "type": "text", "excerpt": "begins so"})
    log.add(EventKind.RUN_FINISHED, status="failed", outputs={}, duration_s=3.0)
    plan = planned(("a", ()), ("b", (0,)), ("c", (1,)), ("d", (0,)), ("e", ()))
    text, reader = read(log, plan, blobs=".pipe/runs/r1/blobs")
    for said in (
        "✗ failed", "run r1 of demo.yml", "0123456789", "exited with 1 then 2.00s of wait", "exited with 7",
        "last words", "blocked by b", "The condition was false: when: nodes.a.output.x", "false", '"deep": [',
        "begins so", "the beginning of 70000 bytes; the whole is .pipe/runs/r1/blobs/ab12", "5 nodes, 4 attempts", "h1",
    ):  # fmt: skip
        assert said in reader.text, said
    assert text.count('class="edge') == 3
    assert text.count('class="bar') == 4
    assert text.count('class="wait"') == 1
    assert "nobody could read it" not in text


@pytest.mark.parametrize(("live", "word"), [(False, "interrupted"), (True, "running")])
def test_a_run_without_an_end_is_told_as_it_stands(live: bool, word: str) -> None:
    log = Log({"a": "=a", "b": "=b"}).ok("a").add(EventKind.NODE_STARTED, "b", 1)
    text, reader = read(log, live=live)
    assert re.search(rf'class="badge[^>]*>. {word}<', text)
    assert "This is how it stood at 2026-11-24 00:00:00" in reader.text
    assert text.count('class="bar') == 2
    assert f"b, attempt 1: {word}" in text


def test_a_log_of_nothing_yet_has_a_page() -> None:
    _, reader = read(Log({}))
    assert "The log says nothing of the run's nodes yet." in reader.text
    assert "The log says nothing" in "".join(page(Story("r1"), None))


def test_what_the_file_no_longer_says_is_left_out_and_that_is_told() -> None:
    log = Log({"a": "=a", "b": "=changed", "gone": "=gone"}).ok("a").ok("b").ok("gone")
    text, reader = read(log, planned(("a", ()), ("b", (0,))))
    assert "2 nodes of it are no longer what it was" in reader.text
    assert 'class="edge' not in text
    text, reader = read(log, None, missing="The pipeline file is gone")
    assert "The pipeline file is gone: the nodes are shown as the log has them" in reader.text


def test_an_edge_is_drawn_to_a_node_that_changed_but_not_from_what_it_needs() -> None:
    log = Log({"a": "=a", "b": "=changed", "c": "=c"}).ok("a").ok("b").ok("c")
    text, _ = read(log, planned(("a", ()), ("b", (0,)), ("c", (1,))))
    assert text.count('class="edge') == 1


def test_a_resume_has_a_timeline_of_its_own_and_forgets_what_runs_again() -> None:
    log = Log({"a": "=a", "b": "=b"}).ok("a").fails("b")
    log.add(EventKind.RUN_FINISHED, status="failed", outputs={}, duration_s=1.0)
    log.add(EventKind.RUN_RESUMED, nodes={"a": "=a", "b": "=b"}, rerun=["b"], digest="d")
    log.add(EventKind.NODE_STARTED, "b", 2).add(EventKind.NODE_SUCCEEDED, "b", 2, output="now", duration_s=0.1)
    log.add(EventKind.RUN_FINISHED, status="succeeded", outputs={}, duration_s=1.0)
    text, reader = read(log)
    assert "2, resumed once" in reader.text
    assert text.count('class="times"') == 2
    assert "What failed" not in text
    assert "exited with 1" in reader.text and "now" in reader.text


def test_c3_a_clock_that_was_set_back_bends_no_bar() -> None:
    log = Log({"a": "=a"})
    log.add(EventKind.NODE_STARTED, "a", 1)
    log.seq = 0
    log.story.apply(
        Event(9, "2026-11-23T00:00:00.000000Z", "r1", EventKind.NODE_SUCCEEDED, "a", 1, {"duration_s": 0.5})
    )
    _, reader = read(log)
    assert "1 attempt of 1 node in 0.60s" in reader.text


@pytest.mark.parametrize("count", [62, 400])
def test_many_nodes_share_lanes_as_many_as_ran_at_once(count: int) -> None:
    log = Log({f"n{i}": f"=n{i}" for i in range(count)})
    for i in range(0, count - 1, 2):
        log.add(EventKind.NODE_STARTED, f"n{i}", 1).add(EventKind.NODE_STARTED, f"n{i + 1}", 1)
        for j in (i, i + 1):
            log.add(EventKind.NODE_SUCCEEDED, f"n{j}", 1, output="", duration_s=0.2)
    text, reader = read(log)
    assert "at most 2 at the same time" in reader.text
    lanes = text[text.index('class="tl lanes"') :]
    assert lanes.count('<div class="track">') == 2


def test_r1_ten_thousand_nodes_make_a_page_of_a_sane_size() -> None:
    count = 10_000
    log = Log({f"n{i}": f"=n{i}" for i in range(count)})
    for i in range(count):
        if i % 20:
            log.ok(f"n{i}", {"text": "x" * 3000})
        else:
            log.add(EventKind.NODE_STARTED, f"n{i}", 1)
            log.add(EventKind.NODE_OUTPUT, f"n{i}", 1, stream="stdout", text="line\n" * 3000)
            log.add(
                EventKind.NODE_FAILED, f"n{i}", 1, error={"kind": "exit", "message": "exited with 1"}, duration_s=0.1
            )
    kept = sum(len(told.lines) + len(told.output or "") for told in log.story.nodes.values())
    assert kept < 12 * 2**20
    text, reader = read(log)
    assert len(text) < 6 * 2**20
    assert "The graph is left out: with 10000 nodes nobody could read it." in reader.text
    assert "too many attempts to draw each" in reader.text
    assert reader.text.count("exited with 1") >= 500


FIELDS = [
    "output", "output_ref", "error", "usage", "values", "when", "by", "reason", "duration_s", "truncated", "tolerated",
    "exit_code", "delay_s", "stream", "text", "provider", "tokens", "outputs", "outputs_ref", "inputs", "only",
    "git_sha", "pipeline", "path", "root", "digest",
]  # fmt: skip
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*EventKind, "of.later"]),
            st.sampled_from([None, "a", "b", "c[1]"]),
            st.dictionaries(st.sampled_from(FIELDS), values, max_size=5),
        ),
        max_size=12,
    )
)
@pytest.mark.slow
def test_s11_whatever_a_log_says_it_is_told_or_refused(told: Any) -> None:
    log = Log({"a": "=a", "b": "=b"})
    for kind, node, data in told:
        try:
            log.add(kind, node, 1 if node else None, **data)
        except (KeyError, ValueError, TypeError, AttributeError):
            return  # damage, for whoever folds the log
    read(log, planned(("a", ()), ("b", (0,))))


def test_the_items_of_a_repeated_node_have_bars_and_rows_of_their_own() -> None:
    log = Log({"a": "=a"}).add(EventKind.NODE_STARTED, "a", 1, items=2)
    log.ok("a[<x>]", "fine").fails("a[y]")
    log.add(EventKind.NODE_FAILED, "a", 1, error={"kind": "exit", "message": "1 of 2 items failed"}, duration_s=0.4)
    _, reader = read(log)
    assert "1 node, 2 attempts, 0.20s of work" in reader.text
    assert "2 attempts of 2 nodes" in reader.text
    at = reader.text.index("Items")
    assert reader.text.index("y", at) < reader.text.index("<x>", at)  # what failed stands first
    assert "fine" in reader.text[at:] and "exited with 1" in reader.text[at:]


def drawn(log: Log, *edges: tuple[str, tuple[int, ...]]) -> str:
    """The picture of the graph, as it stands in the page."""
    html, _ = read(log, planned(*edges))
    return html[html.index('<div class="graph') : html.index("</svg>", html.index('<div class="graph'))]


def test_the_graph_names_the_items_of_a_node_where_they_are_few() -> None:
    log = Log({"a": "=a", "b": "=b"}).add(EventKind.NODE_STARTED, "a", 1, items=2)
    log.ok("a[<x>]", "fine").fails("a[y]")
    log.add(EventKind.NODE_FAILED, "a", 1, error={"kind": "exit", "message": "1 of 2 items failed"}, duration_s=0.4)
    picture = drawn(log, ("a", ()), ("b", (0,)))
    assert '<text class="item s-succeeded"' in picture and "✓ &lt;x&gt;</text>" in picture
    assert '<text class="item s-failed"' in picture and "✗ y</text>" in picture
    assert "2 items: 1 succeeded, 1 failed" in picture
    heights = [float(found) for found in re.findall(r'height="([\d.]+)" rx="6"', picture)]
    assert sorted(heights) == [34, 66], "as tall as there are lines"


def test_the_graph_counts_the_items_of_a_node_where_they_are_many() -> None:
    log = Log({"a": "=a"}).add(EventKind.NODE_STARTED, "a", 1, items=40)
    for number in range(40):
        log.fails(f"a[{number}]") if number % 10 == 3 else log.ok(f"a[{number}]", "x")
    picture = drawn(log, ("a", ()))
    lines = re.findall(r'<text class="item[^>]*>([^<]*)</text>', picture)
    assert lines == ["40 items", "✗ 4 failed", "✓ 36 succeeded"]


def test_the_work_of_a_sub_pipeline_counts_once() -> None:
    log = Log({"d": "=d", "d.a": "=a"}).add(EventKind.NODE_STARTED, "d", 1, pipeline="s.yml", given="1")
    log.ok("d.a", "fine")
    log.add(EventKind.NODE_SUCCEEDED, "d", 1, output={}, duration_s=0.4)
    log.add(EventKind.NODE_STARTED, "m", 1, items=1).add(EventKind.NODE_STARTED, "m[x]", 1, pipeline="s.yml", given="1")
    log.ok("m[x].a", "fine")
    log.add(EventKind.NODE_SUCCEEDED, "m[x]", 1, output={}, duration_s=0.4)
    _, reader = read(log)
    assert "2 attempts, 0.20s of work" in reader.text
    assert "2 attempts of 2 nodes" in reader.text
