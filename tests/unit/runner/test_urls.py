"""No value changes a URL's host unless the file says so (S3)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions.compile import compile_value
from pipe_runner.expressions.urls import evaluate_url
from pipe_runner.ports import secret_marker


def url(template: str, **inputs: Any) -> Any:
    compiled, faults = compile_value(template)
    assert not faults
    return evaluate_url(compiled, {"inputs": inputs, "secrets": {"S": secret_marker("S")}})


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{{ inputs.x }}", "http://any.example/y?z#", "http://any.example/y?z#"),
        ("{{ inputs.x }}/v1", "https://any.example", "https://any.example/v1"),
        ("{{ inputs.x }}?q=http://a/", "https://any.example/p", "https://any.example/p?q=http://a/"),
        ("https://{{ inputs.x }}/v1", "host.example", "https://host.example/v1"),
        ("https://{{ inputs.x }}/v1", "host.example:8080", "https://host.example:8080/v1"),
        ("https://{{ inputs.x }}/v1", "[::1]:80", "https://[::1]:80/v1"),
        ("https://{{ inputs.x }}.example/v1", "eu-west.api", "https://eu-west.api.example/v1"),
        ("https://api-{{ inputs.x }}.example/v1", "eu", "https://api-eu.example/v1"),
        ("http://127.0.0.1:{{ inputs.x }}/v1", 8080, "http://127.0.0.1:8080/v1"),
        ("http://127.0.0.1:{{ inputs.x }}", "8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:80{{ inputs.x }}/", "80", "http://127.0.0.1:8080/"),
        ("http://host.example{{ inputs.x }}", "/a?b=c d", "http://host.example/a?b=c d"),
        ("http://host.example{{ inputs.x }}", "", "http://host.example"),
        ("{{ inputs.x }}://host.example/", "https", "https://host.example/"),
        ("http{{ inputs.x }}://host.example/", "s", "https://host.example/"),
        ("http://host.example/{{ inputs.x }}/b", "a b/c?d#e%20é", "http://host.example/a%20b/c%3Fd%23e%2520%C3%A9/b"),
        ("http://host.example/?q={{ inputs.x }}", "a b&c=d/é", "http://host.example/?q=a%20b%26c%3Dd%2F%C3%A9"),
        ("http://host.example/?q={{ inputs.x }}", [1, None], "http://host.example/?q=%5B1%2Cnull%5D"),
        ("http://{{ inputs.x }}:pw@host.example/", "a@b/c", "http://a%40b%2Fc:pw@host.example/"),
        ("http://host.example/{% if inputs.x %}{{ inputs.x }}{% endif %}", "a?b", "http://host.example/a%3Fb"),
        ("http://host.example/{{ inputs.x | upper }}", "a?b", "http://host.example/A%3FB"),
    ],
)
def test_s3_values_are_encoded_or_fit_where_they_stand(template: str, value: Any, expected: str) -> None:
    assert url(template, x=value) == expected


@pytest.mark.parametrize(
    ("template", "values"),
    [
        ("http://host.example{{ inputs.x }}", ["@evil.example/", ".evil.example", ":80@evil.example", "x", "\\evil"]),
        ("http://host.example:{{ inputs.x }}/", ["80@evil.example", "80/", "1.e", "x", " 80", "-1", "٣"]),
        ("http://{{ inputs.x }}/v1", ["evil.example/", "a@evil", "a b", "a?b", "a#b", "a\\b", "[::1]@x", "http://x"]),
        ("http://{{ inputs.x }}.host.example/", ["evil.example/", "evil.example#", "a@evil.example?"]),
        ("http://api{{ inputs.x }}.host.example/", [".evil", "/", "@evil.example/", "a.b"]),
        ("http://api{{ inputs.x }}/v1", ["x", ".evil.example"]),
        ("{{ inputs.x }}://host.example/", ["http://evil.example/#", "https://evil.example/?", "1"]),
        ("http{{ inputs.x }}://host.example/", ["://evil.example/#", "s://evil.example?"]),
        ("http://host.example/a/{{ inputs.x }}", ["..", "../b", "b/..", "b/./c", "x/../../y", "..\\x"]),
        ("http://host.example/a.{{ inputs.x }}", ["/../b"]),
        ("http://host.example/.{{ inputs.x }}", ["./b", "/b"]),
        ("http://host.example{% if true %}{{ inputs.x }}{% endif %}/", [".evil.example", "@evil.example"]),
        ("http://host.example{% filter lower %}{{ inputs.x }}{% endfilter %}/", [".evil.example", "@evil.example"]),
        ("http:/{{ inputs.x }}", ["/evil.example/"]),
    ],
)
def test_s3_values_that_would_change_more_are_refused(template: str, values: list[str]) -> None:
    for value in values:
        with pytest.raises(ExpressionFault) as caught:
            url(template, x=value)
        assert caught.value.source == template


def test_s4_secrets_pass_as_their_markers() -> None:
    marker = secret_marker("S")
    assert url("http://h.example/{{ secrets.S }}/?k={{ secrets.S }}") == f"http://h.example/{marker}/?k={marker}"
    assert url("http://me:{{ secrets.S }}@h.example/") == f"http://me:{marker}@h.example/"
    assert url("http://{{ secrets.S }}/") == f"http://{marker}/"
    assert url("{{ secrets.S }}/v1/{{ inputs.x }}?{{ inputs.x }}", x="a/&") == f"{marker}/v1/a/&?a%2F%26"
    assert url("{{ secrets.S }}{{ inputs.x }}", x="/a") == f"{marker}/a"
    with pytest.raises(ExpressionFault):
        url("{{ secrets.S }}{{ inputs.x }}", x="@evil.example")


TEMPLATES = (
    "http://host.example/{x}",
    "http://host.example/a/{x}/b?c={x}",
    "http://host.example?{x}",
    "http://host.example#{x}",
    "http://host.example{x}",
    "http://host.example:80{x}/",
    "http://{x}:{x}@host.example/",
    "http{x}://host.example/",
)


@given(
    st.sampled_from(TEMPLATES), st.text(max_size=20) | st.sampled_from(["@evil", "/@evil", ":1@evil", "\t", "//evil"])
)
def test_s3_no_text_at_all_changes_the_host(template: str, value: str) -> None:
    try:
        result = url(template.replace("{x}", "{{ inputs.x }}"), x=value)
    except ExpressionFault:
        return
    assert urlsplit(result).hostname == "host.example"
