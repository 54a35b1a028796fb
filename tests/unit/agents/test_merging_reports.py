"""The report of `agent: findings`: what it says and in which order, and that no data in it acts on a reader."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pipe_agents.findings import finding, result, unavailable
from pipe_agents.findings_report import merge
from pipe_agents.merging import markdown, page, texts
from pipe_agents.merging.gather import Given, taken_in
from pipe_agents.merging.telling import Report
from pipe_agents.merging.texts import quantity
from pipe_agents.merging.writing import write
from pipe_runner.errors import NodeFault
from pipe_schemas.merging import MergeOptions

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "[click](http://evil.example/) ![x](http://evil.example/x.png) <http://evil.example>",
    "http://evil.example/ www.evil.example mail root@evil.example @somebody",
    "`code` ``more`` ``` fence",
    "| a | b |\n|---|---|\n# heading\n- item\n> quote\n---\n    code",
    "\x1b[31mred\x1b[0m \x00 \u202e reversed \u2066 \u200b \ud800",
    "**bold** _it_ ~~gone~~ $x$ &lt;b&gt; &#60;b&#62; \\",
    '"><svg onload=alert(1)> </style></title></main>',
)
EXPLAINED: dict[str, Any] = {
    "status": "given",
    "summary": "It is the disk.",
    "claims": [
        {"text": "The disk is full.", "findings": ["disk.full:/var"], "supported": True, "doubt": None},
        {"text": "It took 40 days.", "findings": ["disk.full:/var"], "supported": False, "doubt": "no finding has 40"},
    ],
    "ranking": ["disk.full:/var"],
    "next_checks": [{"task": "look at /var/log", "agent": "log_analysis", "why": "what grew"}],
    "provider": "p",
    "model": "m",
    "why": None,
    "needs": None,
}


def report(*findings: dict[str, Any], explained: dict[str, Any] | None = None, title: str = "Night") -> Report:
    measured = {"memory": {"used_percent": 41.5, "total_bytes": 8_000_000_000}, "disks": [{"mount": "/", "free_s": 3}]}
    taken = list(taken_in({"here": result("system_monitoring", findings, measured, began_ns=0, seconds=1.25)}))
    output = {**merge(taken, 60, 0), "explanation": explained, "reports": {"markdown": None, "html": None}}
    return Report(title, output, [one for one in taken if isinstance(one, Given)])


FULL = finding(
    "disk.full", "/var", "critical", "/var is 99 % full", {"used_percent": 99.2, "free_bytes": 5 * 10**8}, "Free space"
)
DRIFT = finding("time.drift", "clock", "low", "the clock is 2 s ahead", {"offset_s": 2.0})
BLIND = unavailable("system.temperature", "cpu", "no sensor", "a sensor")


def in_order(text: str, *parts: str) -> bool:
    place = text.find("<main>") + 1
    for part in parts:
        place = text.find(part, place)
        if place < 0:
            return False
    return True


@pytest.mark.parametrize("form", [markdown, page])
def test_what_to_do_comes_first_then_evidence_then_what_was_not_seen_then_the_rest(form: Any) -> None:
    text = form.document(report(DRIFT, FULL, BLIND, explained=EXPLAINED))
    assert in_order(text, "1 critical, 1 low; 1 thing could not be looked at", "What is wrong, and what to do",
                    "/var is 99 % full", "Free space", "the clock is 2 s ahead", "What a model makes of it",
                    "Not supported", "Evidence", "99.2 %", "What could not be looked at", "no sensor", "a sensor",
                    "Measurements", "41.5 %")  # fmt: skip
    assert "500 MB (500,000,000)" in text
    assert "no finding has 40" in text


@pytest.mark.parametrize("form", [markdown, page])
def test_a_quiet_night_says_so_and_what_was_not_seen(form: Any) -> None:
    text = form.document(report(BLIND))
    assert "Nothing wrong was found, but 1 thing could not be looked at" in text
    assert "Nothing that was looked at is wrong" in text


@pytest.mark.parametrize("form", [markdown, page])
def test_without_an_explanation_it_says_why(form: Any) -> None:
    none = {**EXPLAINED, "status": "unavailable", "why": "no key is set", "needs": "OPENAI_API_KEY"}
    text = form.document(report(FULL, explained=none)).replace("\\", "")
    assert "No explanation: no key is set." in text
    assert "OPENAI_API_KEY" in text


def hostile(text: str) -> Report:
    evidence = {text[:40]: text, "list": [text], "map": {text: text}}
    one = {**finding(text, text, "high", text, evidence, text), "id": text or "x"}
    blind = {**unavailable(text, text, text, text), "id": f"{text}2"}
    said = {**EXPLAINED, "summary": text, "provider": text, "model": text,
            "claims": [{"text": text, "findings": [text], "supported": False, "doubt": text},
                       {"text": text, "findings": [text], "supported": True, "doubt": None}],
            "ranking": [text], "next_checks": [{"task": text, "agent": text, "why": text}]}  # fmt: skip
    return report(FULL, one, blind, explained=said, title=text or "x")


class Tags(HTMLParser):
    """Tags and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, str]] = set()
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {(tag, name) for name, _ in attrs} | {(tag, "")}
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "href" or re.fullmatch(r"#\w+", value or "")

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def tags(text: str) -> Tags:
    found = Tags()
    found.feed(page.document(hostile(text)))
    return found


PLAIN = {tag for tag, _ in tags("word").seen} | {"em", "br", "details", "summary", "span", "table", "tbody"}


def assert_inert_page(text: str) -> None:
    found = tags(text)
    assert {tag for tag, _ in found.seen} <= PLAIN
    assert not {"script", "img", "svg", "iframe", "link"} & {tag for tag, _ in found.seen}
    assert_inert_text("".join(found.said))


def assert_inert_text(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", text)


def assert_inert_markdown(text: str) -> None:
    written = markdown.document(hostile(text))
    assert_inert_text(written)
    tokens = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(written)
    inner = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in [*tokens, *inner]}
    assert kinds <= {
        "heading_open", "heading_close", "paragraph_open", "paragraph_close", "bullet_list_open", "bullet_list_close",
        "list_item_open", "list_item_close", "blockquote_open", "blockquote_close", "inline", "text", "strong_open",
        "strong_close", "code_inline", "text_special",
    }, kinds  # fmt: skip
    shape = [(token.type, token.tag) for token in tokens if token.type == "heading_open"]
    plain = MarkdownIt("commonmark").parse(markdown.document(hostile("word")))
    assert shape == [(token.type, token.tag) for token in plain if token.type == "heading_open"]
    for child in inner:
        if child.type in ("text", "text_special"):
            assert "@" not in child.content
    assert not re.search(r"(?<!\\):" + r"//|\bwww\.", re.sub(r"(`+).*?(?<!`)\1(?!`)", "", written))


@pytest.mark.parametrize("text", ["1. x", "1) x", "- x", "+ x", "---", "--", "- - -", "+", "===", "12.", "-", " - x"])
def test_s7_what_begins_like_a_list_is_text(text: str) -> None:
    assert_inert_markdown(text)
    assert MarkdownIt("commonmark").renderInline(texts.markdown(text)) == text.strip()


@pytest.mark.parametrize("text", HOSTILE)
def test_s7_hostile_texts_are_inert_in_both_forms(text: str) -> None:
    assert_inert_page(text)
    assert_inert_markdown(text)


@given(st.text(st.sampled_from("ab `*_[]()<>#|~!\\&;@:/.\"'\n\r\t-+1$={}\x1b\u202e\u2028"), max_size=40))
@settings(max_examples=80)
def test_s7_no_mixture_of_marks_becomes_mark_up(text: str) -> None:
    assert_inert_page(text)
    assert_inert_markdown(text)


def test_s7_the_page_may_load_nothing_and_run_nothing() -> None:
    text = page.document(report(FULL))
    assert "default-src 'none'; style-src 'unsafe-inline'" in text
    assert "http" not in re.sub(r'http-equiv="', "", text)
    assert "url(" not in text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("used_percent", 97.3, "97.3 %"),
        ("free_bytes", 2_147_483_648, "2.15 GB (2,147,483,648)"),
        ("free_bytes", 12, "12"),
        ("read_bytes_per_s", 1500, "1.5 kB/s (1,500)"),
        ("connect_ms", 1.23456789, "1.23457 ms"),
        ("errors", 1234567, "1,234,567"),
        ("ok", True, "yes"),
        ("ports", [22, 80], "22, 80"),
        ("none", None, "unknown"),
        ("map", {"a": 1, "b": 2.5}, "a 1, b 2.5"),
        ("map", {"a": {}}, '{"a": {}}'),
    ],
)
def test_values_are_shown_with_their_units(name: str, value: Any, said: str) -> None:
    assert quantity(name, value) == said


# ---------------------------------------------------------------- files


def test_a_report_takes_the_place_of_the_last_one_whole(tmp_path: Path) -> None:
    write(str(tmp_path), "a/b/r.md", "one")
    write(str(tmp_path), "a/b/r.md", "two")
    assert (tmp_path / "a/b/r.md").read_text() == "two"
    assert os.listdir(tmp_path / "a/b") == ["r.md"]


@pytest.mark.parametrize("path", ["../x.md", "a/../../x.md", "/tmp/x.md", "a//b", "", ".", "a/..", "x\0"])
def test_s9_a_path_that_leaves_the_root_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(NodeFault, match="stays in it"):
        write(str(tmp_path), path, "x")
    with pytest.raises(ValueError, match="stays in it"):
        MergeOptions.model_validate({"results": [], "html": path})
    assert list(tmp_path.iterdir()) == []


def test_s9_no_report_is_written_through_a_link(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "kept.md").write_text("kept")
    (root / "folder").symlink_to(outside)
    (root / "file.md").symlink_to(outside / "kept.md")
    (root / "taken").mkdir()
    for path in ("folder/x.md", "file.md", "taken"):
        with pytest.raises(NodeFault, match="no report is written"):
            write(str(root), path, "x")
    assert (outside / "kept.md").read_text() == "kept"
    assert os.listdir(outside) == ["kept.md"]
    assert sorted(os.listdir(root)) == ["file.md", "folder", "taken"]


def test_a_file_on_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    with pytest.raises(NodeFault, match=r"a/r\.md: a link or a file stands on the way"):
        write(str(tmp_path), "a/r.md", "x")
