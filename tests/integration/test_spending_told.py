"""What calls of models used is told by everything that tells of a run: the last line, JSON, `show`, the page, JUnit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
PROJECT = "providers: {fake: {prices: {fake-1: {input: 1, output: 10}}}}\n"
PIPELINE = """
version: 1
nodes:
  first: {agent: llm, provider: fake, with: {prompt: "input=1000 output=100"}}
  each:
    for_each: {items: [1, 2, 3], key: "[{{ item }}]"}
    agent: llm
    provider: fake
    with: {prompt: "input=500 output=50 n={{ item }}"}
  again: {agent: llm, provider: fake, retry: {max_attempts: 2, delay: 10ms}, with: {prompt: "status=503 times=1"}}
  unknown: {agent: llm, provider: fake, with: {prompt: "input=7 output=7", model: other}}
  plain: {run: echo hello}
"""


def pipe(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipe_runner", *words]
    env = {**os.environ, "PYTHONPATH": str(MODELS)}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("spending")
    (root / "pipe.yml").write_text(PROJECT)
    (root / "p.yml").write_text(PIPELINE)
    done = pipe(root, "run", "p.yml", "--run-id", "r", "--output", "json", "--junit", "junit.xml")
    (root / "out.json").write_text(done.stdout)
    (root / "err.txt").write_text(done.stderr)
    return root


def test_the_last_line_says_tokens_and_cost(root: Path) -> None:
    last = (root / "err.txt").read_text().splitlines()[-1]
    assert last.endswith("; 2,771 tokens, at least $0.00504 (the price of 1 call is not known)")


def test_the_result_has_the_usage_of_each_node_that_asked_a_model(root: Path) -> None:
    nodes = json.loads((root / "out.json").read_text())["nodes"]
    assert nodes["first"]["usage"] == {"calls": 1, "tokens": 1100, "input": 1000, "output": 100, "cost": 0.002}
    assert nodes["each"]["usage"] == {"calls": 3, "tokens": 1650, "input": 1500, "output": 150, "cost": 0.003}
    assert nodes["again"]["usage"] == {"calls": 2, "tokens": 7, "input": 3, "output": 4, "cost": 0.000043}
    assert nodes["unknown"]["usage"] == {"calls": 1, "tokens": 14, "input": 7, "output": 7, "unpriced": 1}
    assert "usage" not in nodes["plain"]


def test_show_has_a_table_of_nodes_the_dearest_first(root: Path) -> None:
    lines = [" ".join(line.split()) for line in pipe(root, "show", "r").stdout.splitlines()]
    assert "models 7 calls, 2,771 tokens, at least $0.00504 (the price of 1 call is not known)" in lines
    at = lines.index("MODELS CALLS TOKENS COST")
    assert lines[at + 1 : at + 5] == [
        "each 3 1,650 $0.003",
        "first 1 1,100 $0.002",
        "again 2 7 $0.000043",
        "unknown 1 14 cost unknown (the price is not known)",
    ]


def test_the_page_has_cost_per_node_and_in_all(root: Path) -> None:
    page = pipe(root, "report", "r", "-o", "-").stdout
    assert "7 calls, 2,771 tokens, at least $0.00504" in page
    assert "<code>each</code><td>3<td>1,650<td>$0.003" in page


def test_junit_has_it_as_properties(root: Path) -> None:
    suite = ET.parse(root / "junit.xml").getroot()[0]
    case = next(one for one in suite.iter("testcase") if one.get("name") == "each")
    found = {one.get("name"): one.get("value") for one in case.iter("property")}
    assert found == {
        "usage.calls": "3",
        "usage.tokens": "1650",
        "usage.input": "1500",
        "usage.output": "150",
        "usage.cost": "0.003",
    }


def test_the_log_says_the_totals(root: Path) -> None:
    last = json.loads((root / ".pipe" / "runs" / "r" / "log.jsonl").read_text().splitlines()[-1])
    assert last["totals"]["tokens"] == 2771
    assert last["totals"]["cost"] == pytest.approx(0.005043)


IMPORTED = """
import sys
from pathlib import Path
from pipe_runner.testing import run_pipeline
run = run_pipeline(sys.argv[2], root=Path(sys.argv[1]))
assert run.run.ledger.total.unpriced == int(sys.argv[3]), run.run.ledger.total
print("genai_prices" in sys.modules)
"""


def imports_the_list(root: Path, model: str, unpriced: int) -> bool:
    text = f"version: 1\nnodes: {{a: {{agent: llm, provider: fake, with: {{prompt: x, model: {model}}}}}}}\n"
    env = {**os.environ, "PYTHONPATH": str(MODELS)}
    command = [sys.executable, "-c", IMPORTED, str(root), text, str(unpriced)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip() == "True"


def test_the_price_list_is_imported_only_where_a_price_is_needed_that_nobody_has(tmp_path: Path) -> None:
    (tmp_path / "pipe.yml").write_text(PROJECT)
    assert not imports_the_list(tmp_path, "fake-1", 0)
    assert imports_the_list(tmp_path, "another", 1)
    assert not imports_the_list(tmp_path, "another", 1), "the second time it is known that the list doesn't have it"
