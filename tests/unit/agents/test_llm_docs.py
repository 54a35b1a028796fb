"""The examples of docs/models.md do what the page says."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from pipe_runner.testing import FakeProvider, run_pipeline

PAGE = (Path(__file__).resolve().parents[3] / "docs/models.md").read_text(encoding="utf-8")


def test_the_first_node_works(tmp_path: Path) -> None:
    found = re.search(r"^ *```yaml\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    text = textwrap.dedent(found[1])
    model = FakeProvider({"severity": "high", "why": "no room is left"})
    run = run_pipeline(text, providers={"openai": model}, root=tmp_path)
    assert run.outputs == {"severity": "high"}
    assert run.output("page") == "page somebody, no room is left"


def test_the_test_of_ones_own_works() -> None:
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    exec(found[1], {})  # noqa: S102 - the page's own text


def test_who_has_nothing_to_do_is_skipped(tmp_path: Path) -> None:
    found = re.search(r"## Nothing to do.*?```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    model = FakeProvider({"answer": None, "noop": "fine"})
    run = run_pipeline(found[1], inputs={"diff": "x"}, providers={"openai": model}, root=tmp_path)
    assert (run.statuses["apply"], run.outputs) == ("skipped", {"why": "fine"})
