"""S4: what the tools that people have at hand make of a secret is among the forms that are looked for."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from base64 import b64encode
from collections.abc import Callable

import pytest
import yaml

from pipe_runner.masking import SecretMasker
from pipe_runner.secret_forms import forms

SECRETS = [
    "p@ss,word#1!",
    "a~b=~c:~d{e}^f",
    '{"user":"me","pw":"x\\"y/é"}',
    'it\'s "q" \\ $x `y` é&<>',
    "tab\tbell\aesc\x1bend'q'\"d\"",
    "päss-wörd-𝒮x",
    "plainSecret123",
    "C:\\Easy\\pä\xa0ss",
]


def masked(secret: str, shown: str) -> str:
    return SecretMasker({"S": secret}).mask_text(shown)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
@pytest.mark.parametrize("secret", SECRETS)
def test_s4_as_bash_quotes_it(secret: str, locale: str) -> None:
    text = 'printf "%q\\n" "$S"; echo "${S@Q}"; declare -p S; export -p | grep " S="; set -x; : "$S"'
    env = {"S": secret, "LC_ALL": locale}
    ended = subprocess.run(["bash", "-c", text], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True)
    shown = ended.stdout.decode(errors="surrogateescape").strip()
    for line in shown.splitlines():
        assert "***" in masked(secret, line), line


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "show",
    [
        ascii,
        lambda s: repr(s.encode()),
        lambda s: yaml.safe_dump({"a": s}, default_style='"'),
        lambda s: yaml.safe_dump({"a": s}, default_style="'", allow_unicode=True, width=1000) if s.isprintable() else s,
        lambda s: ElementTree.tostring(ElementTree.Element("a", b=s)).decode() if s.isprintable() else s,
        lambda s: b64encode(json.dumps({"auth": s}).encode()).decode(),
        lambda s: b64encode(json.dumps({"auth": s}, ensure_ascii=False).encode()).decode(),
    ],
    ids=["ascii", "bytes", "yaml", "yaml-single", "xml", "json-base64", "utf8-json-base64"],
)
def test_s4_as_libraries_write_it(secret: str, show: Callable[[str], str]) -> None:
    assert "***" in masked(secret, show(secret))


@pytest.mark.parametrize("secret", SECRETS)
def test_s4_as_a_field_of_csv(secret: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([secret])
    assert masked(secret, file.getvalue().strip()).strip('"') == "***"


@pytest.mark.parametrize("size", [21_761, 22_018, 32_769])  # whose hex, in pieces, has a short rest
def test_no_piece_of_a_long_secret_is_so_short_that_everyday_text_holds_it(size: int) -> None:
    found = forms("".join(chr(ord("a") + at * at % 26) for at in range(size)), "strict")
    assert min(len(form) for group in found.by_core.values() for form in group) >= 8
