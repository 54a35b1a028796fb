"""S4: no form of a secret gets through, wherever it stands and however the stream is cut; everything else does."""

from __future__ import annotations

import html
import json
import shlex
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from itertools import pairwise
from random import Random
from string import ascii_letters
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.masking import NoMasking, SecretMasker
from pipe_runner.ports import StreamMasker

PEM = "-----BEGIN KEY-----\n" + "\n".join(f"{n:02}abcdefghijklmnopqrstuvwxyz/+ABCDEFGHIJ" * 2 for n in range(20)) + "\n"

secrets = st.text(st.characters(codec="utf-8", exclude_characters="*\0"), min_size=6, max_size=40)
"""Without the mask's own character: what stands beside a mask may look like the rest of such a secret."""
texts = st.text(st.characters(codec="utf-8", exclude_characters="*"), max_size=30)


def base64_core(before: int, secret: bytes, encode: Callable[[bytes], bytes] = b64encode) -> str:
    """The characters of a base64 text that tell only of the secret."""
    encoded = encode(b"x" * before + secret).decode()
    return encoded[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]


FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda s: s,
    "base64": lambda s: b64encode(s.encode()).decode(),
    "base64 at 1": lambda s: base64_core(1, s.encode()),
    "base64 at 2": lambda s: base64_core(2, s.encode()),
    "base64 url-safe": lambda s: urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "base64 url-safe at 1": lambda s: base64_core(1, s.encode(), urlsafe_b64encode),
    "base64 url-safe at 2": lambda s: base64_core(2, s.encode(), urlsafe_b64encode),
    "hex": lambda s: s.encode().hex(),
    "hex upper": lambda s: s.encode().hex().upper(),
    "hex with colons": lambda s: s.encode().hex(":"),
    "hex with colons, upper": lambda s: s.encode().hex(":").upper(),
    "hex with spaces": lambda s: s.encode().hex(" "),
    "url, each byte": lambda s: "".join(f"%{byte:02x}" for byte in s.encode()),
    "bytes, all escaped": lambda s: "".join(f"\\x{byte:02x}" for byte in s.encode()),
    "json in json": lambda s: json.dumps(json.dumps(s))[3:-3],
    "url": lambda s: quote(s),
    "url, everything": lambda s: quote(s, safe=""),
    "url, plus": quote_plus,
    "json": lambda s: json.dumps(s)[1:-1],
    "json, not ASCII": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "html": html.escape,
    "html, text only": lambda s: html.escape(s, quote=False),
    "shell": lambda s: shlex.quote(s).removeprefix("'").removesuffix("'"),
    "shell, backslash before quote": lambda s: s.replace("'", "'\\''"),
    "shell in json": lambda s: json.dumps(shlex.quote(s).removeprefix("'").removesuffix("'"))[1:-1],
    "html in json": lambda s: json.dumps(html.escape(s), ensure_ascii=False)[1:-1],
    "python": lambda s: repr(s)[1:-1],
}


def random_text(length: int) -> str:
    return "".join(Random(length).choices(ascii_letters, k=length))


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(at)]


def feed(stream: StreamMasker, chunks: list[bytes]) -> bytes:
    return b"".join([stream.feed(chunk) for chunk in chunks] + [stream.flush()])


@given(
    secret=secrets, form=st.sampled_from(sorted(FORMS)), before=texts, after=texts, cuts=st.lists(st.integers(0, 300))
)
def test_s4_no_form_of_a_secret_survives_in_a_stream_however_it_is_cut(
    secret: str, form: str, before: str, after: str, cuts: list[int]
) -> None:
    shown = FORMS[form](secret)
    data = (before + shown + after).encode()
    masker = SecretMasker({"S": secret})
    masked = feed(masker.stream(), pieces(data, cuts))
    assert shown.encode() not in masked
    assert b"***" in masked
    assert masked == feed(masker.stream(), [data]) == masker.mask_text(data.decode()).encode()


@given(secret=secrets, before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_s4_base64_of_a_text_that_holds_a_secret_does_not_tell_it(secret: str, before: bytes, after: bytes) -> None:
    shown = b64encode(before + secret.encode() + after)
    masked = feed(SecretMasker({"S": secret}).stream(), [shown])
    assert base64_core(len(before), secret.encode()).encode() not in masked


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("secret", ["tok-4f9a?~", "tok-4f9a?~x", "tok-4f9a?~xy", "k" * 300])
@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc"])
def test_s4_base64_of_a_line_with_a_secret_tells_no_bit_of_it(
    encode: Callable[[bytes], bytes], end: bytes, secret: str, before: bytes
) -> None:
    """`echo $TOK | base64`: the newline shares a character with the secret."""
    shown = encode(before + secret.encode() + end)
    masker = SecretMasker({"S": secret})
    known = shown[: len(before) * 8 // 6]
    assert feed(masker.stream(), [shown]) == known + b"***"
    assert feed(masker.stream(), [bytes([byte]) for byte in shown]) == known + b"***"


@given(secret=secrets, before=st.binary(max_size=4), after=st.binary(max_size=4))
def test_s4_no_character_of_base64_that_holds_a_bit_of_a_secret_is_shown(
    secret: str, before: bytes, after: bytes
) -> None:
    data = secret.encode()
    shown = b64encode(before + data + after)
    masked = feed(SecretMasker({"S": secret}).stream(), [shown])
    start, end = len(before) * 8 // 6, -(-(len(before) + len(data)) * 8 // 6)
    assert shown[start:end] not in masked
    assert masked.startswith(shown[:start] + b"***") or b"***" in masked[: start + 3]


@pytest.mark.parametrize("before", range(3))
def test_base64_that_lacks_a_character_of_a_secret_is_none_of_it(before: int) -> None:
    core = base64_core(before, b"tok-4f9a?~xy")
    shown = f"{core[:-1]} and {core[1:]} and {core[:-1].swapcase()}"
    assert SecretMasker({"S": "tok-4f9a?~xy"}).mask_text(shown) == shown


@given(
    values=st.lists(secrets, min_size=1, max_size=4), data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200))
)
def test_s4_bytes_without_a_secret_pass_as_they_are(values: list[str], data: bytes, cuts: list[int]) -> None:
    masker = SecretMasker({str(n): value for n, value in enumerate(values)})
    masked = feed(masker.stream(), pieces(data, cuts))
    assert masked == data or b"***" in masked


@given(
    values=st.lists(secrets, min_size=2, max_size=4),
    order=st.randoms(use_true_random=False),
    cuts=st.lists(st.integers(0, 200)),
)
def test_s4_secrets_that_overlap_are_hidden_in_any_order(values: list[str], order: object, cuts: list[int]) -> None:
    text = "".join(value[: len(value) // 2 + 3] for value in values) + "".join(values)
    one = SecretMasker({str(n): value for n, value in enumerate(values)})
    other = SecretMasker({str(n): value for n, value in enumerate(reversed(values))})
    masked = feed(one.stream(), pieces(text.encode(), cuts))
    assert masked == feed(other.stream(), [text.encode()])
    assert not any(value.encode() in masked for value in values)


@pytest.mark.few(8)
@pytest.mark.parametrize("name", sorted(FORMS))
def test_s4_each_line_of_a_secret_from_8_characters_is_hidden_in_each_form(name: str) -> None:
    line = PEM.splitlines()[7]
    masked = SecretMasker({"KEY": PEM}).mask_text(f"it is {FORMS[name](line)}!")
    assert FORMS[name](line) not in masked
    assert masked.startswith("it is ***")


@pytest.mark.parametrize("width", [40, 72, 80])
def test_s4_a_long_secret_is_hidden_in_a_text_that_was_folded(width: int) -> None:
    secret = "".join(f"{n:03}abcDEF/+" for n in range(20))
    folded = "\n".join(secret[at : at + width] for at in range(0, len(secret), width))
    masked = SecretMasker({"S": secret}).mask_text(folded)
    assert not any(line in masked for line in folded.splitlines() if len(line) >= 8)


def test_s4_the_lines_of_a_dump_are_hidden() -> None:
    secret = "a long secret, longer than a line of od"
    lines = [secret.encode()[at : at + 16].hex(" ") for at in range(0, len(secret), 16)]
    masked = SecretMasker({"S": secret}).mask_text("\n".join(f"0000000 {line}" for line in lines))
    assert not any(line in masked for line in lines)


def test_s4_a_long_secret_is_hidden_in_base64_and_hex_that_a_tool_cut_into_lines() -> None:
    masker = SecretMasker({"KEY": PEM})
    base64 = base64_core(0, PEM.encode())
    for digits, width in ((base64, 76), (base64, 64), (PEM.encode().hex(), 60)):
        cut = "\n".join(digits[at : at + width] for at in range(0, len(digits) - 20, width))
        assert set(masker.mask_text(cut)) <= set("*\n")


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("size", range(70, 76))
def test_s4_the_last_line_of_base64_of_a_line_with_a_secret_is_hidden(
    size: int, encode: Callable[[bytes], bytes]
) -> None:
    secret = "".join(f"{n:02}?~é" for n in range(20))[:size]
    shown = encode(secret.encode() + b"\n").decode()
    cut = "\n".join(shown[at : at + 76] for at in range(0, len(shown), 76))
    assert set(SecretMasker({"S": secret}).mask_text(cut)) <= set("*\n")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\\n", "\\r\\n"])
@pytest.mark.parametrize("width", [1, 10, 64, 76])
@pytest.mark.parametrize("length", [40, 180])
def test_s4_base64_and_hex_of_a_text_that_holds_a_secret_are_hidden_however_a_tool_cut_them_into_lines(
    end: str, width: int, length: int
) -> None:
    secret = random_text(length)
    masker = SecretMasker({"a": secret})
    for before in (0, 1, 2, 5, 57):
        known = f"{'u' * before}{secret}\n and more"
        for encoded in (
            b64encode(known.encode()).decode(),
            urlsafe_b64encode(known.encode()).decode(),
            known.encode().hex(),
        ):
            wrapped = end.join(encoded[at : at + width] for at in range(0, len(encoded), width)) + end
            hidden = masker.mask_text(wrapped)
            left = "".join(hidden.replace("***", "").split(end))
            assert len(left) <= before * 2 + 22, (before, hidden)
            assert hidden.count(end) == wrapped.count(end), "lines stay lines"
            parts = [wrapped.encode()[at : at + 29] for at in range(0, len(wrapped), 29)]
            assert feed(masker.stream(), parts).decode() == hidden


@given(
    st.lists(st.sampled_from(["\n", "\r", "\\", "n", "r", "a", "\1", "QUFBQUFB", "QUFB", "AAAAAA"]), max_size=60),
    st.lists(st.integers(0, 300)),
)
def test_s4_a_stream_hides_across_lines_what_a_text_does(words: list[str], cuts: list[int]) -> None:
    masker = SecretMasker({"a": "AAAAAA", "b": "nrnrnrn"})
    text = "".join(words)
    assert feed(masker.stream(), pieces(text.encode(), cuts)).decode() == masker.mask_text(text)


def test_a_stream_of_empty_lines_is_not_held_back() -> None:
    masker = SecretMasker({"a": random_text(100)})
    stream = masker.stream()
    begun = b64encode(random_text(100).encode())[:8]
    assert stream.feed(begun + b"\n" * 10_000).startswith(begun)


def test_a_line_that_is_shorter_than_8_characters_is_no_secret() -> None:
    assert SecretMasker({"KEY": "longer-line-here\nshort\n"}).mask_text("short longer-line-here") == "short ***"


def test_a_secret_shorter_than_6_characters_is_not_masked() -> None:
    assert SecretMasker({"PIN": "12345"}).mask_text("12345") == "12345"


def test_secrets_that_touch_or_repeat_become_one_mask_and_others_their_own() -> None:
    masker = SecretMasker({"A": "abcabc", "B": "hunter22"})
    assert masker.mask_text("abcabcabc hunter22hunter22 abcabchunter22-") == "*** *** ***-"


def test_a_stream_gives_out_at_once_what_can_not_begin_a_secret() -> None:
    stream = SecretMasker({"S": "hunter22"}).stream()
    assert stream.feed(b"password: ") == b"password: "
    assert stream.feed(b"it is hunt") == b"it is "
    assert stream.feed(b"ing") == b"hunting"
    assert stream.feed(b"hunter2") == b""
    assert stream.flush() == b"hunter2"


def test_a_stream_of_overlapping_occurrences_holds_back_no_more_than_a_form() -> None:
    stream = SecretMasker({"S": "aaaaaaaa"}).stream()
    out = [stream.feed(b"a" * 1000) for _ in range(50)]
    assert b"".join([*out, stream.flush()]) == b"***"
    assert out[0] == b"***"


def test_s4_json_is_masked_in_strings_keys_and_numbers() -> None:
    value = {"k-hunter22": ["hunter22", {"deep": "x hunter22"}], "n": 12345678, "other": [1, 2.5, None, True]}
    masked = SecretMasker({"A": "hunter22", "B": "345678"}).mask_json(value)
    assert masked == {"k-***": ["***", {"deep": "x ***"}], "n": "12***", "other": [1, 2.5, None, True]}
    assert value["n"] == 12345678


def test_keys_that_become_equal_stay_two() -> None:
    masked = SecretMasker({"A": "hunter22", "B": "hunter33"}).mask_json({"hunter22": 1, "hunter33": 2})
    assert masked == {"***": 1, "****": 2}


def test_json_without_secrets_is_the_same_object() -> None:
    value = {"a": ["b", 1, None]}
    assert SecretMasker({"A": "hunter22"}).mask_json(value) is value


def test_json_nested_deeply_is_masked() -> None:
    value: list[object] = ["hunter22"]
    for _ in range(5000):
        value = [value]
    masked = SecretMasker({"A": "hunter22"}).mask_json(value)  # type: ignore[arg-type]
    for _ in range(5000):
        assert isinstance(masked, list)
        masked = masked[0]
    assert masked == ["***"]


def test_s4_bytes_of_a_secret_that_are_no_utf8_are_masked_in_streams_and_in_decoded_text() -> None:
    raw = b"p\xe4ssw\xf6rt-1"
    masker = SecretMasker({"S": raw.decode("utf-8", "surrogateescape")})
    assert feed(masker.stream(), [b"<" + raw + b">"]) == b"<***>"
    assert masker.mask_text(f"<{raw.decode('utf-8', 'surrogateescape')}>") == "<***>"


def test_text_with_lone_surrogates_passes() -> None:
    assert SecretMasker({"S": "hunter22"}).mask_text("\ud800 hunter22 \udcff") == "\ud800 *** \udcff"


def test_many_secrets_are_found_as_few_are() -> None:
    values = {f"S{n}": f"secret-number-{n:03}-x" for n in range(60)}
    masker = SecretMasker(values)
    for name, value in values.items():
        for shift in range(8):
            text = "-" * shift + value + " " + name
            assert masker.mask_text(text) == "-" * shift + "*** " + name
    assert masker.mask_text("secret-number-x" * 100) == "secret-number-x" * 100


def test_masking_nothing_gives_back_what_it_was_given() -> None:
    data, value = b"x", {"a": "b"}
    stream = NoMasking().stream()
    assert stream.feed(data) is data
    assert stream.flush() == b""
    assert NoMasking().mask_text("x") == "x"
    assert NoMasking().mask_json(value) is value  # type: ignore[arg-type]
