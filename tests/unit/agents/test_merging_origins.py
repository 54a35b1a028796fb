"""`agent: findings`: what was found in different logs stays apart, by ids that are the same each time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logs_reading import perform

from pipe_agents.findings import finding, result
from pipe_agents.findings_report import lines, merge
from pipe_agents.merging.gather import taken_in
from pipe_schemas.merging import Merged


def together(results: Any) -> dict[str, Any]:
    output = merge(list(taken_in(results)), 60, 1_764_000_000 * 10**9)
    Merged.model_validate(output)
    return output


def read(root: Path, *names: str) -> Any:
    return perform(root, {"paths": list(names), "baseline": "none"}).output


def written(root: Path) -> None:
    for name, count, what in (("a.log", 30, "disk sda is slow"), ("b.log", 25, "queue is full")):
        text = "".join(f"2026-05-27T12:00:{n:02}Z ERROR {what} {n}\n" for n in range(count))
        (root / name).write_text(text)


def errors(output: dict[str, Any]) -> dict[str, int]:
    return {one["id"]: one["evidence"]["errors"] for one in output["findings"] if one["check"] == "logs.errors"}


def test_what_two_nodes_found_in_two_logs_are_two_findings(tmp_path: Path) -> None:
    written(tmp_path)
    output = together({"la": read(tmp_path, "a.log"), "lb": read(tmp_path, "b.log")})
    both = {f"logs.errors:{tmp_path}/a.log": 30, f"logs.errors:{tmp_path}/b.log": 25}
    assert errors(output) == both
    assert output["measurements"]["doubles"] == 0
    told = [line for line in lines(output, str(tmp_path)) if line.startswith(("MEDIUM", "LOW"))]
    assert any("a.log: 30 entries" in line for line in told)
    assert any("b.log: 25 entries" in line for line in told)
    items = [
        {"key": name, "status": "succeeded", "output": read(tmp_path, name), "error": None}
        for name in ("a.log", "b.log")
    ]
    assert errors(together({"logs": items})) == both, "items of a repeated node, too"
    lists = {name: read(tmp_path, name)["findings"] for name in ("a.log", "b.log")}
    assert errors(together(lists)) == both, "and lists of findings"


def test_the_same_logs_are_merged_and_one_result_keeps_its_ids(tmp_path: Path) -> None:
    written(tmp_path)
    one = read(tmp_path, "a.log")
    assert errors(together({"x": one})) == {"logs.errors:all": 30}
    output = together({"x": one, "y": one})
    assert errors(output) == {"logs.errors:all": 30}
    assert output["findings"][0]["agents"] == ["x", "y"]


def test_ids_name_the_logs_also_where_only_one_of_them_has_the_finding(tmp_path: Path) -> None:
    written(tmp_path)
    (tmp_path / "b.log").write_text("2026-05-27T12:00:00Z INFO fine\n")
    output = together({"la": read(tmp_path, "a.log"), "lb": read(tmp_path, "b.log")})
    assert errors(output) == {f"logs.errors:{tmp_path}/a.log": 30}


def test_texts_are_told_apart_by_their_results(tmp_path: Path) -> None:
    found = [perform(tmp_path, {"text": f"ERROR {what}\n" * 30, "baseline": "none"}).output for what in ("a", "b")]
    assert errors(together({"one": found[0], "two": found[1]})) == {
        "logs.errors:text of one": 30,
        "logs.errors:text of two": 30,
    }


def test_of_many_logs_the_name_is_short_and_their_own() -> None:
    def gave(*logs: str) -> dict[str, Any]:
        told = [{"log": log} for log in logs]
        made = finding("logs.errors", "all", "low", "errors", {"errors": len(logs)})
        return result("log_analysis", [made], {"logs": told}, began_ns=0, seconds=0.0)

    many = [f"/var/log/{n}.log" for n in range(9)]
    output = together({"x": gave(*many), "y": gave(*many[:8]), "z": gave(*many)})
    assert sorted(errors(output).values()) == [8, 9]
    assert all(id.startswith("logs.errors:/var/log/0.log and ") and len(id) < 60 for id in errors(output))
