"""Every pipeline in pipelines/ runs as its comment says, and shows what it says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PIPELINES = sorted(p.name for p in (REPOSITORY / "pipelines").glob("*.yml") if not p.name.endswith(".test.yml"))


@dataclass(frozen=True)
class Result:
    code: int
    told: dict[str, Any]
    stderr: str

    @property
    def outputs(self) -> dict[str, Any]:
        outputs: dict[str, Any] = self.told["outputs"]
        return outputs

    def node(self, name: str) -> dict[str, Any]:
        node: dict[str, Any] = self.told["nodes"][name]
        return node

    def statuses(self) -> dict[str, str]:
        return {name: node["status"] for name, node in self.told["nodes"].items()}


Run = Callable[..., Result]


@pytest.fixture
def pipe(pipe: Any, tmp_path: Path) -> Run:
    """Runs an example of a copy of the project that holds what examples need, so that they leave nothing here."""
    project = tmp_path / "project"
    shutil.copytree(REPOSITORY / "pipelines", project / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pipe.yml", project)

    def run(name: str, *flags: str, code: int = 0) -> Result:
        done = pipe("run", f"pipelines/{name}", "--output", "json", *flags, cwd=project)
        assert done.returncode == code, done.stderr
        return Result(done.returncode, json.loads(done.stdout), done.stderr)

    return run


def test_hello(pipe: Run) -> None:
    assert pipe("hello.yml").outputs == {"said": "HELLO, WORLD!"}
    assert pipe("hello.yml", "-i", "name=$(id)").outputs == {"said": "HELLO, $(ID)!"}


def test_parameters(pipe: Run) -> None:
    told = pipe("parameters.yml", "-i", "ports=[8080, 8443]", "-i", "depth=full", "-i", "loud=true")
    assert told.outputs == {
        "shell": ["depth=full ratio=0.5", "host=localhost loud=true", 'labels={"team":"web"}'],
        "argv": ["localhost", "500"],
        "types": {"ports": "list", "ratio": "float", "loud": "bool"},
    }


def test_parameters_are_checked_before_anything_runs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pipe_runner", "run", "pipelines/parameters.yml", "-i", 'ports=["http"]',
         "--state-dir", str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "ports" in done.stderr
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize("text", [None, "$(touch owned)\"; touch owned; '", "-n", "a\n\n b\n\nc", "*", "${IFS}`id`"])
def test_data_safety(pipe: Run, tmp_path: Path, text: str | None) -> None:
    told = pipe("data-safety.yml", *(["-i", f"text={text}"] if text is not None else []))
    assert told.outputs["same"] == ["argument", "bare", "document", "double", "environment", "single", "stdin"]
    assert not list(tmp_path.rglob("owned"))


def test_retry_and_timeout(pipe: Run) -> None:
    told = pipe("retry-and-timeout.yml")
    assert told.node("flaky")["attempts"] == 3
    assert told.node("hopeless")["attempts"] == 1
    assert told.node("slow")["error"]["kind"] == "timeout"
    assert told.outputs["account"] == [
        "flaky: attempt 3, after 3 attempts",
        "hopeless: exit 3, after 1",
        "slow: timeout",
    ]


def test_conditions_of_a_run_that_succeeds(pipe: Run) -> None:
    told = pipe("conditions.yml")
    assert told.statuses() == {
        "build": "succeeded",
        "approve_production": "skipped",
        "announce_production": "skipped",
        "deploy": "succeeded",
        "clean_up_the_build": "skipped",
        "alarm": "skipped",
        "closing": "succeeded",
    }
    assert told.outputs["deployed"] == "deployed to staging, without a second check"
    assert told.node("closing")["output"] == "the run has succeeded"


def test_conditions_of_a_run_that_asks_twice(pipe: Run) -> None:
    told = pipe("conditions.yml", "-i", "target=production")
    assert told.outputs["deployed"] == "deployed to production, checked twice"
    assert told.statuses()["announce_production"] == "succeeded"


def test_conditions_of_a_run_that_fails(pipe: Run) -> None:
    told = pipe("conditions.yml", "-i", "breaks=true", code=1)
    statuses = told.statuses()
    assert (statuses["build"], statuses["deploy"], statuses["clean_up_the_build"]) == ("failed", "skipped", "succeeded")
    assert told.node("alarm")["output"] == "the run failed because of build"
    assert told.node("closing")["output"] == "the run has failed"


def test_fan_out(pipe: Run) -> None:
    told = pipe("fan-out.yml")
    assert told.outputs["formats"] == ["text,hello", "text,fan-in", "mermaid,hello", "dot,hello,for graphviz"]
    assert told.outputs["folders"] == sorted(told.outputs["folders"])
    assert "pipelines" in told.outputs["folders"]


def test_approval(pipe: Run, tmp_path: Path) -> None:
    told = pipe("approval.yml", code=75)
    assert told.told["status"] == "waiting"
    waits = {"archive": "succeeded", "listing": "succeeded", "release": "waiting", "publish": "pending"}
    assert told.statuses() == {**waits, "clean": "pending"}
    project, run = tmp_path / "project", told.told["run"]
    assert f"pipe approve {run} release" in told.stderr
    for words in (["approve", run, "release", "--by", "ada"], ["resume", run, "--output", "json"]):
        done = subprocess.run(
            [sys.executable, "-m", "pipe_runner", *words], cwd=project, capture_output=True, text=True, timeout=90
        )
        assert done.returncode == 0, done.stderr
    outputs = json.loads(done.stdout)["outputs"]
    assert outputs["files"] > 10
    assert outputs["published"].endswith("approved by ada")
    assert not (project / "report" / "release.tar").exists()


def test_cache(pipe: Run) -> None:
    first = pipe("cache.yml")
    assert first.statuses() == {"names": "succeeded", "page": "succeeded", "square": "succeeded"}
    again = pipe("cache.yml")
    assert again.statuses() == {"names": "cached", "page": "cached", "square": "succeeded"}
    assert again.outputs == first.outputs
    assert again.outputs["squares"] == [1, 4, 9]
    other = pipe("cache.yml", "--explain", "-i", "least=8", "-i", "numbers=[1, 2, 3, 4]")
    assert "there changed env LEAST" in other.stderr
    assert [item["status"] for item in other.node("square")["output"]] == ["cached"] * 3 + ["succeeded"]
    assert pipe("cache.yml", "--cache-domain", "other").statuses()["names"] == "succeeded"


def test_http(pipe: Run) -> None:
    told = pipe("http.yml")
    assert told.outputs == {"ordered": {"ordered": {"item": "nuts & bolts", "count": 7}, "once": True}, "missing": 404}
    assert told.node("stock")["output"]["body"] == {"item": "nuts & bolts", "sizes": [3, 5], "left": 7}
    assert not Path(told.node("folder")["output"]).exists()


def test_fan_in(pipe: Run) -> None:
    told = pipe("fan-in.yml")
    together = told.node("together")["output"]
    assert together["waited"] == 0.1
    assert together["files"] > 5
    assert told.outputs == {"most_used": together["most_used"], "longest_line": together["longest_line"]}


def test_messages(pipe: Run) -> None:
    told = pipe("messages.yml", "-i", "limit=60")
    assert told.outputs["looked_at"].keys() == {"look[pipelines]", "look[pipelines-tools]"}
    assert told.outputs["long_lines"].keys() == {"long.pipelines", "long.pipelines-tools"}
    assert min(told.outputs["long_lines"].values()) > 5


def test_s4_secrets_are_masked_and_granted_to_one(pipe: Run, tmp_path: Path) -> None:
    told = pipe("secrets.yml")
    assert told.outputs == {"granted": "the token is ***, in base64 ***", "sibling": "here it is not set"}
    token = (REPOSITORY / "pipelines/support/not-a-real-token.txt").read_bytes().strip()
    for path in (tmp_path / "project" / ".pipe").rglob("*"):
        assert not path.is_file() or token not in path.read_bytes(), path


def test_json_flow(pipe: Run) -> None:
    told = pipe("json-flow.yml")
    assert told.outputs == {"sold_out": ["nuts"], "reorder": {"item": "nuts", "count": "100"}, "value": 40.5}


def test_json_flow_is_checked_before_the_run(tmp_path: Path) -> None:
    text = (REPOSITORY / "pipelines/json-flow.yml").read_text().replace(
        "nodes.reorder.output }}", "nodes.reorder.outptu }}"
    )  # fmt: skip
    (tmp_path / "wrong.yml").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pipe_runner", "check", "wrong.yml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "wrong.yml:" in done.stdout
    assert "output" in done.stdout


def test_sub_pipelines(pipe: Run) -> None:
    told = pipe("sub-pipelines.yml")
    assert told.outputs["pays"] is True
    assert told.node("pack")["output"] == {"before": 41, "bytes": told.node("pack.packed")["output"], "pays": False}
    assert told.node("texts[long].measure")["output"] == 200 * 42 - 1
    only = pipe("sub-pipelines.yml", "--only", "pack.measure")
    assert list(only.statuses()) == ["pack", "pack.pile", "pack.measure"]
    assert pipe("parts/pack.yml", "-i", "text=hello").outputs["before"] == 5


def test_include(pipe: Run) -> None:
    told = pipe("include.yml")
    assert told.outputs == {
        "first": "Hello, Ada!",
        "thanks": "Thank you for 2 greetings of 24 letters",
    }
    assert told.node("goodbye")["output"] == "Goodbye, Ada!"
    assert pipe("parts/greet.yml", "-i", "name=Bob").node("goodbye")["output"] == "Goodbye, Bob!"
    assert pipe("include.yml", "-i", "polite=false").statuses()["thanks"] == "skipped"


def test_presets(pipe: Run) -> None:
    assert pipe("presets.yml").outputs == {"words": 4, "last_word": "the"}


def test_quickstart_without_git(pipe: Run, tmp_path: Path) -> None:
    told = pipe("quickstart.yml")
    assert told.statuses()["history"] == "skipped"
    assert told.outputs["report"] == "report/quickstart.md"
    report = (tmp_path / "project" / "report" / "quickstart.md").read_text()
    assert "There is no git history here." in report
    assert f"{len(PIPELINES)} pipeline files, 0 errors, 0 warnings." in report


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_quickstart_with_git(pipe: Run, tmp_path: Path) -> None:
    project = tmp_path / "project"
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], cwd=project, check=True, capture_output=True)
    told = pipe("quickstart.yml", "-i", "largest=3", "-i", "report=out/here.md")
    assert told.node("history")["output"]["commits"] == "1"
    assert len(told.node("busy")["output"]) == 5
    report = (project / "out" / "here.md").read_text()
    assert "1 commits from" in report
    assert report.count("KiB |") + report.count(" B |") >= 3


@pytest.mark.parametrize("name", PIPELINES)
def test_every_example_is_said_to_show_something(name: str) -> None:
    text = (REPOSITORY / "pipelines" / name).read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=../schemas/pipeline.schema.json\n#\n# ")
    assert f"#   pipe run pipelines/{name}" in text
    assert f"[{name}]({name})" in (REPOSITORY / "pipelines" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PIPELINES)
def test_every_example_has_a_test_that_runs_it(name: str) -> None:
    assert f'pipe("{name}"' in Path(__file__).read_text(encoding="utf-8")


def test_the_schema_named_in_the_examples_is_there() -> None:
    assert (REPOSITORY / "schemas" / "pipeline.schema.json").is_file()


def test_artifacts(pipe: Run) -> None:
    told = pipe("artifacts.yml")
    assert told.outputs == {"words": 5, "lines": 6}
    assert set(told.statuses().values()) == {"succeeded"}


def test_ticket_from_its_recording(pipe: Run) -> None:
    told = pipe("ticket.yml", "--replay", "pipelines/recordings/ticket")
    assert (told.outputs["severity"], told.outputs["owner"], told.outputs["errors"]) == ("high", "team payments", 5)
    assert told.statuses()["note"] == "skipped"


def test_machine(pipe: Run) -> None:
    told = pipe("machine.yml", "-i", 'processes=["no-such-program"]')
    assert "processes.missing:no-such-program" in told.outputs["wrong"]
    assert told.node("alarm")["output"].startswith("look at ")
    assert 0 < told.outputs["memory_available_percent"] <= 100


def test_regions(pipe: Run, tmp_path: Path) -> None:
    told = pipe("regions.yml", code=75)
    assert told.statuses() == {"notes": "succeeded", "release": "waiting", "publish": "pending"}

    def decide(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pipe_runner", *words]
        return subprocess.run(command, cwd=tmp_path / "project", capture_output=True, text=True, timeout=90, check=True)

    decide("approve", "latest", "release[eu]")
    decide("reject", "latest", "release[us]")
    assert decide("resume", "latest").stdout == 'published: ["published to eu"]\n'


def test_triage(pipe: Run, tmp_path: Path) -> None:
    log = "pipelines/support/failures.log"
    told = pipe("triage.yml", "-i", f'logs=["{log}"]', "-i", "journal=false", "-i", "since=2026-11-28T00:00:00Z")
    assert told.statuses() == dict.fromkeys(("machine", "network", "logs", "services", "report"), "succeeded")
    report = told.node("report")["output"]
    sources = {source["name"] for source in report["measurements"]["sources"]}
    assert sources == {"machine", "network", "logs", "services"}
    assert "logs.disk_full:all" in {one["id"] for one in report["findings"]}
    assert "service crashes" in {one["rule"] for one in report["correlations"]}
    assert report["explanation"] is None
    page = (tmp_path / "project/report/triage.html").read_text(encoding="utf-8")
    assert "No space left on device" in page
    assert "3 lines of a full disk" in (tmp_path / "project/report/triage.md").read_text(encoding="utf-8")


def test_the_tests_of_triage_hold_without_the_extra_for_operations(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "pipelines", tmp_path / "pipelines", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "pipe.yml", tmp_path)
    for name in ("drain3", "psutil", "dns", "cryptography"):
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "__init__.py").write_text("raise ImportError('not installed')\n")
    command = [Path(sys.executable).with_name("pipe"), "test", "--quiet", "pipelines/triage.test.yml"]
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "none")}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
