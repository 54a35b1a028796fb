"""No byte of data acts on a terminal or on a CI."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipe_runner.errors import in_seconds
from pipe_runner.text import ci_safe, ci_safe_json, printable, shown_path, width

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CONTROLS = [chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0))]


@pytest.mark.parametrize("char", [*CONTROLS, *BIDI, "\u2028", "\u2029", "\ud800", "\udfff"], ids=ascii)
def test_s8_what_acts_on_a_terminal_is_escaped(char: str) -> None:
    shown = printable(f"a{char}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert re.fullmatch(r"a\\(x[0-9a-f]{2}|u[0-9a-f]{4})b", shown)


def test_s8_newlines_and_tabs_pass_where_they_may() -> None:
    assert printable("a\n\tb\r\n") == r"a\x0a\x09b\x0d\x0a"
    assert printable("a\n\tb\r\n", newlines=True) == "a\n\\x09b\\x0d\n"
    assert printable("a\n\tb", tabs=True) == "a\\x0a\tb"
    assert printable("a\n\tb", newlines=True, tabs=True) == "a\n\tb"


def test_letters_of_every_script_pass() -> None:
    text = "naïve 日本語 עברית 😀 👨‍👩‍👧 \\x1b é\u0301 a\xa0b"
    assert printable(text) == text


@given(st.text(), st.booleans(), st.booleans())
@example("\x1b]0;title\x07\x1b[2J\x9b31m", True, True)
def test_s8_no_text_keeps_a_control(text: str, newlines: bool, tabs: bool) -> None:
    shown = printable(text, newlines=newlines, tabs=tabs)
    allowed = ("\n" if newlines else "") + ("\t" if tabs else "")
    assert not [char for char in shown if char in [*CONTROLS, *BIDI, "\u2028", "\u2029"] and char not in allowed]
    shown.encode()
    assert printable(shown, newlines=newlines, tabs=tabs) == shown


@pytest.mark.parametrize(
    "line",
    [
        "::error::x",
        "  ::add-mask::x",
        "\t::stop-commands::x",
        "\xa0\u3000::error::x",
        "\ufeff::error::x",
        "\u200b::error::x",
        "##[group]x",
        "text ##[error]x",
        "##vso[task.setvariable variable=a]x",
        "##VSO[task.setvariable variable=a]x",
        "##teamcity[buildStatus]",
        "###[error]x",
        "::::",
    ],
)
@pytest.mark.parametrize("before", ["", "fine\n", "fine\r", "fine\r\n", "\n\n\n"])
def test_s8_no_line_is_a_command_of_a_ci(line: str, before: str) -> None:
    safe = ci_safe(before + line)
    assert safe != before + line
    for one in re.split(r"[\r\n]", safe):
        assert not is_command(one)


def is_command(line: str) -> bool:
    """As GitHub's runner, Azure's agent and TeamCity read a line; generous about what they take for a space."""
    bare = line.lstrip(
        "".join(chr(code) for code in range(0x3001) if not chr(code).isprintable() or chr(code).isspace())
    )
    return bare.startswith("::") or re.search(r"##(vso|teamcity)?\[", line, re.IGNORECASE) is not None


@given(st.text(alphabet=":#[ \n\rvso\t\xa0\ufeffteamcity]e\x1b", max_size=30))
def test_s8_no_text_has_a_line_that_is_a_command(text: str) -> None:
    for line in re.split(r"[\r\n]", ci_safe(text)):
        assert not is_command(line)
    assert ci_safe(ci_safe(text)) == ci_safe(text)


@given(
    st.recursive(
        st.text(alphabet="#[a\\", max_size=5), lambda inner: st.lists(inner) | st.dictionaries(st.text("#["), inner)
    )
)
def test_s8_json_is_made_safe_without_a_change_of_what_it_says(value: object) -> None:
    safe = ci_safe_json(json.dumps(value))
    assert "##" not in safe
    assert json.loads(safe) == value


@pytest.mark.parametrize("text", ["a::b", "std::vector", "a: ::1", "# [x]", "## heading", "http://[::1]/", "C:\\x"])
def test_other_text_passes_a_ci_unchanged(text: str) -> None:
    assert ci_safe(text) == text


def test_r2_long_texts_are_escaped_in_linear_time() -> None:
    for text in ("\n" * 10**6 + "::", " " * 10**6 + "a::", "#" * 10**6, ":" * 10**6, "\x1b" * 10**5):
        assert len(printable(ci_safe(text), newlines=True)) >= len(text)


def test_widths_are_those_of_a_terminal() -> None:
    assert width("abc") == 3
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert width("ｶﾞ") == 2
    assert width("") == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.275142, "0.275 s"), (0.00012345, "0.000123 s"), (2.5, "2.5 s"), (59.9996, "60 s"), (12345678, "12345678 s")],
)
def test_a_time_has_no_more_digits_than_people_read(value: float, said: str) -> None:
    assert in_seconds(value) == said


def test_a_path_is_shown_from_the_working_directory_where_that_is_shorter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "a" / "p.yml")) == "a/p.yml"
    assert shown_path("/p.yml") == "/p.yml"
