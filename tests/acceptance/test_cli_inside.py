"""Files, cached results, approvals and acts that happen once, of nodes in sub-pipelines and included files."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

LIB = """version: 1
inputs: {x: {type: string}}
nodes:
  build:
    matrix: {n: [1, 2]}
    workspace: own
    run: "mkdir out; echo {{ inputs.x }}{{ matrix.n }} | tee out/{{ matrix.n }}"
    artifacts: [{name: out, path: out}]
  pack: {needs: [build], workspace: own, run: cat out/*, output: lines}
outputs: {all: "{{ nodes.pack.output }}"}
"""
FILES = """version: 1
nodes:
  one: {pipeline: lib.yml, with: {x: a}}
  each: {pipeline: lib.yml, for_each: {items: [b, "c]d[1"], key: "{{ item }}"}, with: {x: "{{ item }}"}}
  deep: {pipeline: mid.yml}
  again: {workspace: own, run: "find . -type f | sort", needs: [zip], output: lines}
  taken: {workspace: own, run: "cat out/*", needs: [each], output: lines}
include: [{file: part.yml}]
"""
MID = """version: 1
nodes: {lib: {pipeline: lib.yml, with: {x: m}}}
outputs: {all: "{{ nodes.lib.output.all }}"}
"""
PART = """version: 1
nodes:
  zip: {workspace: own, run: echo z > z.txt, artifacts: [{name: z, path: z.txt}]}
"""


def files(pipe: Any) -> None:
    for name, text in {"f.yml": FILES, "lib.yml": LIB, "mid.yml": MID, "part.yml": PART}.items():
        pipe.write(name, text)


def nodes(done: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)["nodes"]
    return found


def statuses(done: Any) -> dict[str, str]:
    return {name: node["status"] for name, node in nodes(done).items()}


def events(pipe: Any, kind: str) -> list[str]:
    lines = [json.loads(line) for line in pipe.log().splitlines()]
    return [line.get("node") for line in lines if line["event"] == kind]


def test_directories_and_artifacts_inside_are_those_of_each_instance(pipe: Any) -> None:
    files(pipe)
    done = pipe("run", "f.yml", "--output", "json")
    assert done.returncode == 0, done.stderr
    found = nodes(done)
    assert found["one"]["output"] == {"all": ["a1", "a2"]}
    assert [one["output"]["all"] for one in found["each"]["output"]] == [["b1", "b2"], ["c]d[11", "c]d[12"]]
    assert found["deep"]["output"] == {"all": ["m1", "m2"]}
    assert found["again"]["output"] == ["./z.txt"]
    assert found["taken"]["output"] == ["c]d[11", "c]d[12"], "of two files with the same path that of the later item"
    assert sorted(os.listdir(pipe.folder)) == [".pipe", "f.yml", "lib.yml", "mid.yml", "part.yml"]
    assert not (pipe.folder / ".pipe" / "runs" / pipe.run_id() / "workspaces").exists()


def test_a_file_that_is_gone_is_put_back_for_a_node_inside_and_lost_ones_fail_it(pipe: Any) -> None:
    pipe.write(
        "sub.yml",
        "version: 1\nnodes:\n  a: {run: echo 1 > made, artifacts: [{name: made, path: made}]}\n"
        "  b: {run: cat made && test -e mended, needs: [a]}\n",
    )
    pipe.write("f.yml", "version: 1\nnodes: {s: {pipeline: sub.yml}}\n")
    assert pipe("run", "f.yml").returncode == 1
    os.unlink(pipe.folder / "made")
    pipe.write("mended", "")
    done = pipe("resume", "latest", "--output", "json")
    assert (done.returncode, nodes(done)["s.b"]["output"]) == (0, "1"), done.stderr
    assert events(pipe, "node.started").count("s.a") == 1


def test_d4_after_kill_9_a_directory_inside_is_empty_again(pipe: Any) -> None:
    pipe.write(
        "sub.yml",
        "version: 1\nnodes:\n"
        "  a: {workspace: own, run: 'echo 1 > f', artifacts: [{name: f, path: f}]}\n"
        "  b: {workspace: own, needs: [a], run: 'ls; echo > half; cd $PIPE_ROOT; [ -e go ] || { touch at; sleep 9;}'}\n"
        "outputs: {b: '{{ nodes.b.output }}'}\n",
    )
    pipe.write("f.yml", "version: 1\nnodes: {s: {pipeline: sub.yml, for_each: {items: [1], key: k}}}\n")
    running = pipe.start("run", "f.yml")
    pipe.until(lambda: (pipe.folder / "at").exists())
    work = pipe.folder / ".pipe" / "runs" / pipe.run_id() / "workspaces"
    assert list(work.glob("*/half"))
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    pipe.write("go", "")
    done = pipe("resume", "latest", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert nodes(done)["s"]["output"][0]["output"] == {"b": "f"}
    assert not work.exists()
    assert events(pipe, "node.started").count("s[k].a") == 1


def test_results_inside_are_cached_with_their_files_and_pipe_plan_says_so(pipe: Any) -> None:
    cached = "    artifacts: [{name: out, path: out}]\n"
    pipe.write("lib.yml", LIB.replace(cached, cached + "    cache: true\n").replace("pack: {", "pack: {cache: true, "))
    pipe.write("mid.yml", MID)
    pipe.write("part.yml", PART.replace("zip: {", "zip: {cache: true, "))
    pipe.write(
        "f.yml",
        "version: 1\nnodes:\n  deep: {pipeline: mid.yml}\n"
        "  after: {cache: true, run: \"echo {{ nodes.deep.output.all | join(' ') }} {{ nodes.zip.output }}\"}\n"
        "  made: {run: echo q}\n  s: {pipeline: lib.yml, with: {x: '{{ nodes.made.output }}'}}\n"
        "  takes: {cache: true, workspace: own, needs: [deep], run: cat out/1}\n"
        "include: [{file: part.yml}]\n",
    )

    def found(file: str = "f.yml") -> dict[str, Any]:
        done = pipe("plan", file, "--output", "json")
        assert done.returncode == 0, done.stderr
        return {node["id"]: node["cache"] for node in json.loads(done.stdout)["nodes"] if node["cache"]}

    before = found()
    assert {name: one["found"] for name, one in before.items()} == {
        "deep.lib.build": "miss", "deep.lib.pack": "open", "after": "open", "s.build": "open", "s.pack": "open",
        "takes": "open", "zip": "miss",
    }  # fmt: skip
    assert before["s.build"]["why"] == "the inputs of s: it reads made, which runs"
    assert pipe("run", "f.yml").returncode == 0
    after = found()
    assert {name: one["found"] for name, one in after.items()} == {
        "deep.lib.build": "hit", "deep.lib.pack": "hit", "after": "hit", "s.build": "open", "s.pack": "open",
        "takes": "hit", "zip": "hit",
    }  # fmt: skip
    assert after["deep.lib.build"]["items"] == {"hit": 2, "of": 2}
    text = pipe("plan", "f.yml").stdout
    assert "CACHE" in text
    assert "s.build open: the inputs of s: it reads made, which runs" in text
    done = pipe("run", "f.yml", "--output", "json")
    again = nodes(done)
    assert [again[name]["status"] for name in ("deep.lib.pack", "after", "s.pack", "zip")] == ["cached"] * 4
    assert again["deep"]["output"] == {"all": ["m1", "m2"]}
    pipe.write("lib.yml", (pipe.folder / "lib.yml").read_text().replace("cat out/*", "cat out/* /dev/null"))
    changed = found()
    assert (changed["deep.lib.pack"]["found"], changed["after"]["found"]) == ("miss", "open")
    assert changed["deep.lib.pack"]["why"].endswith("there changed the node, `run`")


ASKS = """version: 1
inputs: {x: {type: string, default: d}}
nodes:
  gate: {for_each: {items: [1, 2], key: "{{ item }}"}, agent: approval, with: {message: "{{ inputs.x }}{{ item }}?"}}
  go: {run: "echo went {{ inputs.x }}", needs: [gate]}
outputs: {went: "{{ nodes.go.output }}"}
"""


def test_items_inside_wait_and_are_decided_each(pipe: Any) -> None:
    pipe.write("asks.yml", ASKS)
    pipe.write(
        "f.yml", "version: 1\nnodes:\n  s: {pipeline: asks.yml}\n  after: {run: 'echo {{ nodes.s.output.went }}'}\n"
    )
    done = pipe("run", "f.yml", "--output", "json")
    assert done.returncode == 75, done.stderr
    assert statuses(done) == {"s": "waiting", "s.gate": "waiting", "s.go": "pending", "after": "pending"}
    refused = pipe("approve", "latest", "s")
    assert refused.returncode == 2
    assert "s.gate[1], s.gate[2]" in refused.stderr
    assert pipe("approve", "latest", "s.gate[1]").returncode == 0
    assert pipe("resume", "latest").returncode == 75
    assert pipe("approve", "latest", "s.gate").returncode == 0
    done = pipe("resume", "latest", "--output", "json")
    assert (done.returncode, nodes(done)["after"]["output"]) == (0, "went d"), done.stderr
    started = events(pipe, "node.started")
    assert [started.count(f"s.gate[{n}]") for n in (1, 2)] == [1, 1]
    assert "interrupted" not in pipe("show", "latest").stdout + pipe("report", "latest", "-o", "-").stdout


def test_a_repeated_sub_pipeline_waits_item_by_item_and_the_others_go_on(pipe: Any) -> None:
    pipe.write("asks.yml", ASKS.replace("items: [1, 2]", "items: \"{{ [1] if inputs.x == 'eu' else [] }}\""))
    pipe.write(
        "f.yml",
        "version: 1\nnodes:\n"
        "  s: {pipeline: asks.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n"
        "  after: {run: \"echo {{ nodes.s.output | map(attribute='status') | join(' ') }}\"}\n",
    )
    done = pipe("run", "f.yml", "--output", "json")
    assert done.returncode == 75, done.stderr
    found = statuses(done)
    assert (found["s"], found["s[eu].gate"], found["s[us].go"]) == ("waiting", "waiting", "succeeded")
    refused = pipe("approve", "latest", "s")
    assert (refused.returncode, "s[eu].gate[1]" in refused.stderr) == (2, True)
    assert pipe("resume", "latest").returncode == 75
    assert pipe("approve", "latest", "s[eu].gate[1]").returncode == 0
    done = pipe("resume", "latest", "--output", "json")
    assert (done.returncode, nodes(done)["after"]["output"]) == (0, "succeeded succeeded"), done.stderr
    started = events(pipe, "node.started")
    assert [started.count(name) for name in ("s[eu].gate[1]", "s[us].go", "s[us]")] == [1, 1, 1]
    assert "interrupted" not in pipe("show", "latest").stdout + pipe("report", "latest", "-o", "-").stdout


def test_a_refusal_inside_fails_the_item_and_stands(pipe: Any) -> None:
    pipe.write("asks.yml", ASKS)
    pipe.write("f.yml", "version: 1\nnodes: {s: {pipeline: asks.yml, for_each: {items: [eu], key: '{{ item }}'}}}\n")
    assert pipe("run", "f.yml").returncode == 75
    assert pipe("reject", "latest", "s[eu].gate[1]", "--reason", "no").returncode == 0
    assert pipe("approve", "latest", "s[eu].gate[2]").returncode == 0
    done = pipe("resume", "latest", "--output", "json")
    assert done.returncode == 1
    assert "refused by" in nodes(done)["s"]["error"]["message"]
    assert pipe("resume", "latest").returncode == 1
    assert events(pipe, "node.started").count("s[eu].gate[1]") == 1
    assert pipe("approve", "latest", "s[eu].gate[1]").returncode == 0
    assert pipe("resume", "latest").returncode == 0


def test_fail_fast_cancels_what_waits_inside_and_a_resume_asks_again(pipe: Any) -> None:
    pipe.write("asks.yml", ASKS)
    pipe.write(
        "f.yml",
        "version: 1\nfail_fast: true\nnodes:\n  s: {pipeline: asks.yml}\n"
        "  t: {pipeline: asks.yml, for_each: {items: [eu], key: '{{ item }}'}}\n"
        "  bad: {run: sleep 1; test -e mended}\n",
    )
    done = pipe("run", "f.yml", "--output", "json")
    assert done.returncode == 1
    found = statuses(done)
    assert [found[name] for name in ("s", "s.gate", "t", "t[eu].gate")] == ["cancelled"] * 4
    assert pipe("approve", "latest", "s.gate[1]").returncode == 2
    pipe.write("mended", "")
    assert pipe("resume", "latest").returncode == 75
    assert {name for name in events(pipe, "node.waiting") if name[-1] == "]"} >= {"s.gate[1]", "t[eu].gate[2]"}
    for name in ("s.gate", "t[eu].gate"):
        assert pipe("approve", "latest", name).returncode == 0
    assert pipe("resume", "latest").returncode == 0


def test_d10_what_acts_once_inside_a_repeated_one_waits_for_a_person_after_kill_9(pipe: Any) -> None:
    pipe.write(
        "acts.yml",
        "version: 1\ninputs: {x: {type: string}}\nnodes:\n"
        "  act: {effect: once, run: 'echo {{ inputs.x }} >> acts; [ {{ inputs.x }} = eu ] || { touch at; sleep 9;}'}\n"
        "  then: {run: 'echo {{ nodes.act.status }}', needs: [act]}\n",
    )
    pipe.write(
        "f.yml",
        "version: 1\nnodes:\n"
        "  s: {pipeline: acts.yml, for_each: {items: [eu, us], key: '{{ item }}'}, with: {x: '{{ item }}'}}\n",
    )
    running = pipe.start("run", "f.yml")
    pipe.until(lambda: (pipe.folder / "at").exists() and "s[eu].then" in pipe.log())
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    done = pipe("resume", "latest", "--output", "json")
    assert done.returncode == 75, done.stderr
    found = statuses(done)
    assert [found[name] for name in ("s", "s[us].act", "s[us].then")] == ["waiting", "unknown", "pending"]
    assert pipe("settle", "latest", "s", "--again").returncode == 2
    assert pipe("settle", "latest", "s[us].act", "--done").returncode == 0
    done = pipe("resume", "latest", "--output", "json")
    assert done.returncode == 0, done.stderr
    assert sorted((pipe.folder / "acts").read_text().split()) == ["eu", "us"]


def test_included_nodes_wait_act_once_and_are_settled_as_all_others(pipe: Any) -> None:
    pipe.write(
        "part.yml",
        "version: 1\ninputs: {m: {type: string}}\n"
        + ASKS.split("\n", 2)[2].split("outputs")[0].replace("inputs.x", "inputs.m"),
    )
    pipe.write("once.yml", "version: 1\nnodes:\n  act: {effect: once, run: 'echo x >> acts; test -e ok'}\n")
    pipe.write(
        "f.yml",
        "version: 1\nnodes: {}\ninclude: [{file: part.yml, with: {m: x}}, {file: once.yml}]\n".replace(
            "nodes: {}\n", ""
        ),
    )
    done = pipe("run", "f.yml", "--output", "json")
    assert statuses(done) == {"gate": "waiting", "go": "pending", "act": "failed"}
    assert pipe("resume", "latest").returncode == 75
    assert pipe("settle", "latest", "act", "--done").returncode == 0
    assert pipe("approve", "latest", "gate").returncode == 0
    done = pipe("resume", "latest", "--output", "json")
    assert (done.returncode, nodes(done)["go"]["output"]) == (0, "went x"), done.stderr
    assert (pipe.folder / "acts").read_text() == "x\n"


def test_the_graph_of_a_report_has_items_and_sub_pipelines(pipe: Any) -> None:
    files(pipe)
    pipe.write("asks.yml", ASKS)
    pipe.write("f.yml", FILES.replace("nodes:\n", "nodes:\n  s: {pipeline: asks.yml}\n", 1))
    assert pipe("run", "f.yml").returncode == 75
    done = pipe("report", "latest", "-o", "-")
    assert done.returncode == 0, done.stderr
    graph = done.stdout.partition("<svg")[2].partition("</svg>")[0]
    for name in ("one.build", "deep.lib.pack", "s.gate", "zip", "again"):
        assert f"> {name}<" in graph or f" {name}<" in graph, name
    assert graph.count('class="item s-waiting"') == 2
    assert "2 items: 2 waiting" in graph
    assert "each: succeeded" in graph
    for line in ("✓ b", "✓ c]d[1", "✓ 2"):
        assert f">{line}</text>" in graph, line


def test_nodes_inside_hand_files_on_in_a_case_of_pipe_test(pipe: Any) -> None:
    files(pipe)
    pipe.write(
        "f.test.yml",
        "version: 1\ncases:\n  all of it:\n    run: all\n"
        "    expect:\n      status: succeeded\n      nodes:\n"
        "        one: {output: {all: [a1, a2]}}\n        taken: {output: ['c]d[11', 'c]d[12']}\n",
    )
    done = pipe("test", "f.test.yml")
    assert done.returncode == 0, done.stdout + done.stderr
