"""docs/diagnostics.md explains every code that there is, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from pipe_runner.codes import CODES

REPOSITORY = Path(__file__).parents[4]
SOURCE = REPOSITORY / "runner" / "pipe_runner"


def explained() -> dict[str, tuple[str, str]]:
    """Code → title and text, as the document has them."""
    text = (REPOSITORY / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    parts = re.split(r"^### ([EW]\d{3}): (.+)$", text, flags=re.MULTILINE)
    return {
        code: (title, body.split("\n## ")[0].strip()) for code, title, body in zip(*[iter(parts[1:])] * 3, strict=True)
    }


def test_every_code_is_explained_under_its_title() -> None:
    assert {code: title for code, (title, _) in explained().items()} == CODES


def test_every_explanation_says_something() -> None:
    for code, (_, body) in explained().items():
        assert len(body) > 30, code


def test_every_code_that_is_used_is_registered() -> None:
    for path in SOURCE.rglob("*.py"):
        for code in re.findall(r'"([EW][1-9]\d\d)"', path.read_text(encoding="utf-8")):
            assert code in CODES, f"{path.relative_to(REPOSITORY)}: {code}"


def test_codes_stand_in_order() -> None:
    errors = [code for code in CODES if code.startswith("E")]
    warnings = [code for code in CODES if code.startswith("W")]
    assert list(CODES) == sorted(errors) + sorted(warnings)
