"""`pipe plan`: what the cache of results holds for a run that has not begun."""

from __future__ import annotations

import json
import os
from typing import Any

FILE = """\
version: 1
inputs: {x: {type: string, default: a}}
nodes:
  one: {run: "echo {{ inputs.x }}", cache: true}
  two: {run: "echo {{ nodes.one.output }} again", cache: {files: ["src/*"]}}
  made: {run: echo made}
  three: {run: "echo {{ nodes.made.output }}", cache: true}
  each:
    for_each: {items: "{{ [1, 2, nodes.two.output | length] }}", key: "{{ item }}"}
    run: echo {{ item }}
    cache: true
  plain: {run: echo plain}
"""


def cached(pipe: Any, *words: str, env: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
    done = pipe("plan", "f.yml", "--output", "json", *words, env=env)
    assert done.returncode == 0, done.stderr
    return {node["id"]: node["cache"] for node in json.loads(done.stdout)["nodes"]}


def words(found: dict[str, dict[str, Any]]) -> dict[str, str | None]:
    return {name: one and one["found"] for name, one in found.items()}


def test_before_the_first_run_there_is_nothing(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    found = cached(pipe)
    assert words(found) == {
        "one": "miss", "two": "open", "made": None, "three": "open", "each": "open", "plain": None
    }  # fmt: skip
    assert found["one"]["why"] == "the cache holds no result of it"
    assert found["two"]["why"] == "it reads one, which runs"
    assert sorted(os.listdir(pipe.folder)) == ["f.yml"]


def test_what_is_found_makes_the_keys_after_it_known(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    pipe.write("src/a", "1")
    assert pipe("run", "f.yml").returncode == 0
    found = cached(pipe)
    assert words(found) == {"one": "hit", "two": "hit", "made": None, "three": "open", "each": "hit", "plain": None}
    assert found["one"]["from"] == pipe.run_id()
    assert found["each"]["items"] == {"hit": 3, "of": 3}
    again = json.loads(pipe("run", "f.yml", "--output", "json").stdout)["nodes"]
    assert {again[name]["status"] for name in ("one", "two")} == {"cached"}, "as it was said"
    assert {item["status"] for item in again["each"]["output"]} == {"cached"}


def test_it_says_which_part_of_a_key_is_not_as_it_was(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    pipe.write("src/a", "1")
    pipe("run", "f.yml")
    run = pipe.run_id()
    pipe.write("src/a", "2")
    found = cached(pipe)
    assert (found["one"]["found"], found["two"]["found"]) == ("hit", "miss")
    assert found["two"]["why"] == f"since run {run} there changed file src/a"
    assert cached(pipe, "-i", "x=b")["one"]["why"] == f"since run {run} there changed a value in `run`"


def test_of_a_longer_list_only_the_new_items_run(pipe: Any) -> None:
    text = (
        "version: 1\ninputs: {of: {type: array, default: [1, 2]}}\nnodes:\n"
        "  n: {for_each: {items: '{{ inputs.of }}', key: '{{ item }}'}, run: 'echo {{ item }}', cache: true}\n"
    )
    pipe.write("f.yml", text)
    pipe("run", "f.yml")
    found = cached(pipe, "-i", "of=[1, 2, 3]")["n"]
    assert (found["found"], found["items"]) == ("miss", {"hit": 2, "of": 3})
    assert found["why"] == "item 3: the cache holds no result of it"
    assert " 2 of 3\n" in pipe("plan", "f.yml", "-i", "of=[1, 2, 3]").stdout


def test_the_table_has_it_and_a_hit_takes_no_time(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes:\n  n: {run: sleep 0.5, cache: true}\n  m: {needs: [n], run: 'true'}\n")
    assert "CACHE" in pipe("plan", "f.yml").stdout
    pipe("run", "f.yml")
    text = pipe("plan", "f.yml").stdout
    row = next(line for line in text.splitlines() if " n " in line)
    assert row.split()[-1] == "hit"
    told = json.loads(pipe("plan", "f.yml", "--output", "json").stdout)
    assert told["estimate"]["duration_s"] < 0.4
    pipe("cache", "prune", "--all")
    text = pipe("plan", "f.yml").stdout
    assert "not cached\n  n runs: the cache holds no result of it\n" in text
    pipe.write("f.yml", "version: 1\nnodes: {n: {run: echo}}\n")
    assert "CACHE" not in pipe("plan", "f.yml").stdout, "nobody asks for one"


def test_what_is_of_one_run_is_never_found(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {n: {run: 'echo {{ run.id }}', cache: true}}\n")
    pipe("run", "f.yml")
    assert cached(pipe)["n"]["why"] == "it reads run.id, which is of one run"


def test_domains_and_secrets_count_and_no_value_is_shown(pipe: Any) -> None:
    pipe.write(
        "f.yml", "version: 1\nsecrets: {TOKEN: {from: env}}\nnodes: {n: {run: echo, secrets: [TOKEN], cache: true}}\n"
    )
    mine, other = {"TOKEN": "sesame-4711"}, {"TOKEN": "sesame-4712"}
    assert cached(pipe, env=mine)["n"]["found"] == "open"
    assert not (pipe.folder / ".pipe").exists(), "a plan makes no salt"
    assert pipe("run", "f.yml", env=mine).returncode == 0
    assert cached(pipe, env=mine)["n"]["found"] == "hit"
    assert cached(pipe)["n"]["found"] == cached(pipe, env={"TOKEN": ""})["n"]["found"] == "open"
    changed = cached(pipe, env=other)["n"]
    assert (changed["found"], "there changed secret TOKEN" in changed["why"]) == ("miss", True)
    assert "sesame" not in pipe("plan", "f.yml", env=other).stdout
    assert cached(pipe, "--cache-domain", "elsewhere", env=mine)["n"]["found"] == "miss"


def test_s8_no_file_s_name_is_a_command_for_a_ci_where_results_are_listed(pipe: Any) -> None:
    pipe.write("##[error]x.yml", "version: 1\nnodes: {n: {run: echo, cache: true}}\n")
    assert pipe("run", "##[error]x.yml").returncode == 0
    listed = pipe("cache", "ls", "--output", "json").stdout
    assert "##[" not in listed
    assert json.loads(listed)[0]["pipeline"].endswith("##[error]x.yml")


def test_files_that_a_node_takes_over_count(pipe: Any) -> None:
    pipe.write(
        "f.yml",
        "version: 1\nnodes:\n"
        "  a: {run: cp $PIPE_ROOT/src x, workspace: own, cache: {files: [src]}, artifacts: [{name: x, path: x}]}\n"
        "  b: {run: cat x, needs: [a], workspace: own, cache: true}\n",
    )
    pipe.write("src", "1")
    assert cached(pipe)["b"]["why"] == "it takes files of a, which runs"
    assert pipe("run", "f.yml").returncode == 0
    assert words(cached(pipe)) == {"a": "hit", "b": "hit"}


def test_s1_a_cache_that_a_link_leads_elsewhere_is_not_looked_at(pipe: Any, tmp_path_factory: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {n: {run: echo, cache: true}}\n")
    pipe("run", "f.yml")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (pipe.folder / ".pipe/cache/results").rename(elsewhere / "results")
    (pipe.folder / ".pipe/cache/results").symlink_to(elsewhere / "results")
    assert cached(pipe)["n"]["found"] == "miss"
