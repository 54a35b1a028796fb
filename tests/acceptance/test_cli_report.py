"""`pipe report`, as a user meets it."""

from __future__ import annotations

import os
import shutil
from typing import Any

FILE = """\
version: 1
name: "demo </style><script>alert(1)</script>"
secrets: {TOKEN: {from: env}}
nodes:
  a: {run: 'echo "<b>$TOKEN</b>"', secrets: [TOKEN]}
  b: {needs: [a], run: 'echo gone wrong >&2; exit 3', retry: {max_attempts: 2, delay: 10ms}}
  c: {needs: [b], run: echo never}
"""


def test_it_writes_one_file_and_prints_its_path(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    assert pipe("run", "f.yml", env={"TOKEN": "sesame-open-4711"}).returncode == 1
    done = pipe("report", "latest")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"report-{pipe.run_id()}.html\n", "")
    text = (pipe.folder / f"report-{pipe.run_id()}.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n")
    assert "default-src &#x27;none&#x27;" not in text and "default-src 'none'" in text
    assert "<script" not in text
    assert "sesame" not in text
    assert "gone wrong" in text and "exit 3" in text and "2 attempts" in text
    assert text.count('class="edge') == 2
    assert not [name for name in os.listdir(pipe.folder) if name.endswith(".part")]


def test_it_goes_where_it_is_told_to_and_replaces_a_link_instead_of_following_it(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {a: {run: echo hi}}\n")
    pipe("run", "f.yml")
    kept = pipe.write("kept.txt", "mine")
    (pipe.folder / "out.html").symlink_to(kept)
    assert pipe("report", "latest", "-o", "out.html").stdout == "out.html\n"
    assert kept.read_text() == "mine"
    assert (pipe.folder / "out.html").read_text() == pipe("report", "latest", "-o", "-").stdout
    assert "✓" in pipe("report", "latest", "-o", "-", env={"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii"}).stdout
    assert pipe("report", "latest", "-o", "/dev/null").returncode == 0
    done = pipe("report", "latest", "-o", "none/out.html")
    assert done.returncode == 74 and "cannot write none/out.html: No such file" in done.stderr
    assert pipe("report", "latest", "-o", "").returncode == 2
    assert pipe("report", "nothing").returncode == 2


def test_a_file_that_changed_or_is_gone_does_not_hinder_it(pipe: Any) -> None:
    path = pipe.write("f.yml", "version: 1\nnodes:\n  a: {run: echo hi}\n  b: {needs: [a], run: echo ho}\n")
    pipe("run", "f.yml")
    path.write_text("version: 1\nnodes:\n  # a comment\n  a: {run: echo hi}\n  b: {needs: [a], run: echo other}\n")
    text = pipe("report", "latest", "-o", "-").stdout
    assert "1 node of it is no longer what it was" in text
    assert "$ echo hi" in text and "echo other" not in text
    path.write_text("version: 1\nnodes: {a: {rum: x}}\n")
    assert "The pipeline file has faults now" in pipe("report", "latest", "-o", "-").stdout
    path.unlink()
    done = pipe("report", "latest", "-o", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The pipeline file is gone" in done.stdout
    shutil.rmtree(pipe.folder / ".pipe" / "runs")
    assert pipe("report", "latest").returncode == 2


def test_a_run_that_goes_on_is_told_as_it_stands_and_not_disturbed(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {a: {run: sleep 30}}\n")
    process = pipe.start("run", "f.yml")
    pipe.until(lambda: "node.started" in pipe.log())
    text = pipe("report", "latest", "-o", "-").stdout
    assert "The run is still under way" in text
    process.kill()
    process.wait()
    before = pipe.log()
    pipe.until(lambda: "The run was interrupted" in pipe("report", "latest", "-o", "-").stdout)
    assert pipe.log() == before


def test_damage_of_the_log_is_told_with_its_place(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes: {a: {run: echo hi}}\n")
    pipe("run", "f.yml")
    path = pipe.folder / ".pipe" / "runs" / pipe.run_id() / "log.jsonl"
    path.write_text(path.read_text().replace("hi", "ho", 1))
    done = pipe("report", "latest")
    assert done.returncode == 74 and "log damaged at byte" in done.stderr


def test_show_tells_the_attempts_of_nodes_that_took_several(pipe: Any) -> None:
    pipe.write("f.yml", FILE)
    pipe("run", "f.yml", env={"TOKEN": "sesame-open-4711"})
    text = pipe("show", "latest").stdout
    rows = [line.split(maxsplit=4) for line in text.partition("NODE  ATTEMPT")[2].splitlines()[1:3]]
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [
        ("b", "1", "failed", "exited with 3"),
        ("b", "2", "failed", "exited with 3"),
    ]
    pipe.write("g.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    pipe("run", "g.yml")
    assert "NODE  ATTEMPT  " not in pipe("show", "latest").stdout


HANDLED = """
version: 1
nodes: {a: {run: "true"}}
on_failure: {page: {run: "true"}}
finally: {z: {run: "true", run_on: failure}}
"""


def test_show_and_junit_say_why_a_handler_did_not_run(pipe: Any) -> None:
    pipe.write("h.yml", HANDLED)
    assert pipe("run", "h.yml", "--junit", "j.xml").returncode == 0
    shown = pipe("show", "latest").stdout
    for why in ("on_failure: the run did not fail", "run_on: failure, and no need failed"):
        assert why in shown
        assert f'<skipped message="{why}"' in (pipe.folder / "j.xml").read_text()


def test_show_and_report_name_the_items_of_a_node_where_they_are_few(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\nnodes:\n  n: {for_each: {items: [eu, us], key: '{{ item }}'}, run: 'test {{ item }} = eu'}\n"
        "  many: {for_each: {items: '{{ range(9) | list }}'}, run: 'test {{ index }} != 7'}\n",
    )
    pipe("run", "p.yml")
    shown = pipe("show", "latest").stdout
    assert "[eu]" in shown and "[us]" in shown
    assert "[7]" in shown and "[6]" not in shown, "of many those that did not simply succeed"
    html = pipe("report", "latest", "-o", "-").stdout
    assert "✓ eu</text>" in html and "✗ us</text>" in html
    assert ">9 items</text>" in html and "✗ 1 failed</text>" in html
