"""`--record` and `--replay`: what a run asked is answered again, without anybody to ask."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

if TYPE_CHECKING:
    from conftest import Shell

PIPELINE = """
version: 1
inputs: {{word: {{type: string, default: slow}}}}
secrets: {{TOKEN: {{from: env}}}}
nodes:
  ask:
    agent: http
    secrets: [TOKEN]
    with:
      url: {url}/answer
      method: POST
      headers: {{Authorization: "Bearer {{{{ secrets.TOKEN }}}}"}}
      json: {{q: "{{{{ inputs.word }}}}"}}
    retry: {{max_attempts: 2, delay: 10ms}}
outputs: {{answer: "{{{{ nodes.ask.output.body.answer }}}}"}}
"""


class Answering(http.server.BaseHTTPRequestHandler):
    seen: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        type(self).seen.append(body)
        failing = len(type(self).seen) == 1
        data = json.dumps({"answer": f"because of {body}", "auth": self.headers["authorization"]}).encode()
        self.send_response(503 if failing else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    Answering.seen = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_recorded_run_is_answered_again_with_its_retry_and_no_server(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary-token-value"
    url = f"http://127.0.0.1:{server.server_port}"
    (tmp_path / "p.yml").write_text(PIPELINE.format(url=url))
    live = pipe("run", "p.yml", "--record", "rec", "--output", "json")
    assert live.returncode == 0, live.stderr
    server.shutdown()
    server.server_close()
    pipe.env["TOKEN"] = "another-token-value"
    again = pipe("run", "p.yml", "--replay", "rec", "--output", "json")
    assert again.returncode == 0, again.stderr
    one, two = (json.loads(run.stdout) for run in (live, again))
    assert one["outputs"] == two["outputs"]
    assert two["nodes"]["ask"]["attempts"] == 2
    assert len(Answering.seen) == 2
    files = list((tmp_path / "rec").iterdir())
    assert len(files) == 2
    assert not any("canary-token" in file.read_text() for file in files)


def test_a_replay_needs_no_secret_of_requests_that_it_answers(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary/token+value"
    (tmp_path / "p.yml").write_text(PIPELINE.format(url=f"http://127.0.0.1:{server.server_port}"))
    assert pipe("run", "p.yml", "--record", "rec").returncode == 0
    del pipe.env["TOKEN"]
    assert pipe("run", "p.yml", "--replay", "rec").returncode == 0
    (tmp_path / "p.yml").write_text((tmp_path / "p.yml").read_text() + "finally: {a: {run: echo, secrets: [TOKEN]}}\n")
    refused = pipe("run", "p.yml", "--replay", "rec")
    assert refused.returncode == 2
    assert "TOKEN: the environment variable TOKEN is not set" in refused.stderr, "commands run as always"
    assert len(Answering.seen) == 2


def test_a_call_that_nobody_recorded_is_told_also_where_its_failure_is_tolerated_or_expected(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary-token-value"
    text = PIPELINE.format(url=f"http://127.0.0.1:{server.server_port}")
    text = text.replace("  ask:", "  ask:\n    continue_on_error: true").partition("outputs:")[0]
    (tmp_path / "p.yml").write_text(text)
    assert pipe("run", "p.yml", "--record", "rec").returncode == 0
    assert "warning:" not in pipe("run", "p.yml", "--replay", "rec").stderr
    missed = pipe("run", "p.yml", "--replay", "rec", "-i", "word=quick")
    assert missed.returncode == 0
    assert "warning: nobody recorded what ask asked; the run succeeded since that failure is tolerated" in missed.stderr
    (tmp_path / "p.test.yml").write_text(
        "version: 1\ndefaults: {replay: rec, run: none}\n"
        "cases:\n  it answers: {}\n  it is tolerated: {inputs: {word: quick}}\n"
        "  it is meant: {inputs: {word: quick}, expect: {nodes: {ask: failed}}}\n"
    )
    done = pipe("test")
    assert done.returncode == 0, done.stdout + done.stderr
    (told,) = (line for line in done.stderr.splitlines() if line.startswith("warning:"))
    assert told.startswith("warning: p.test.yml:5:3: the case passes, and ask failed: ")
    assert 'json.q: recorded "slow", asked "quick"' in told


def test_who_decides_in_a_replay_is_told_to_go_on_from_its_recording(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary-token-value"
    text = PIPELINE.format(url=f"http://127.0.0.1:{server.server_port}")
    text = text.replace("  ask:", "  ok: {agent: approval, with: {message: ok?}}\n  ask:\n    needs: [ok]")
    (tmp_path / "p.yml").write_text(text)
    assert pipe("run", "p.yml", "--record", "my rec", "-q").returncode == 75
    told = pipe("approve", "latest", "ok").stderr
    assert " --record 'my rec'\n" in told
    assert pipe("resume", "latest", "--record", "my rec").returncode == 0
    assert pipe("run", "p.yml", "--replay", "my rec", "-q").returncode == 75
    shown = pipe("show", "latest").stdout
    assert "\nreplayed  from my rec\n" in shown and " --replay 'my rec'\n" in shown
    told = pipe("approve", "latest", "ok").stderr
    assert " --replay 'my rec'\n" in told
    assert pipe("resume", "latest", "--replay", "my rec").returncode == 0
    assert len(Answering.seen) == 2, "the replay asked nobody"


def test_a_request_that_nobody_recorded_fails_and_says_what_is_different(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary-token-value"
    (tmp_path / "p.yml").write_text(PIPELINE.format(url=f"http://127.0.0.1:{server.server_port}"))
    assert pipe("run", "p.yml", "--record", "rec").returncode == 0
    missed = pipe("run", "p.yml", "--replay", "rec", "-i", "word=quick")
    assert missed.returncode == 1
    assert 'json.q: recorded "slow", asked "quick"' in missed.stderr
    assert "\ngo on with: pipe resume " in missed.stderr
    assert " --replay rec\n" in missed.stderr, "else going on would ask the service"
    assert len(Answering.seen) == 2


def test_a_cached_result_is_in_no_recording_s_place_and_a_replay_leaves_none(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary-token-value"
    text = PIPELINE.format(url=f"http://127.0.0.1:{server.server_port}").replace(
        "    agent:", "    cache: true\n    agent:"
    )
    (tmp_path / "p.yml").write_text(text)
    assert pipe("run", "p.yml").returncode == 0
    recorded = pipe("run", "p.yml", "--record", "rec", "--explain")
    assert recorded.returncode == 0
    assert "ask runs: a run that is recorded or replayed takes no cached results" in recorded.stderr
    assert len(Answering.seen) == 3, "recording really asks"
    (file,) = (tmp_path / "rec").iterdir()
    file.write_text(file.read_text().replace("because of", "edited"))
    assert "edited" in pipe("run", "p.yml", "--replay", "rec").stdout
    assert "edited" not in pipe("run", "p.yml").stdout


def test_cases_are_answered_from_recordings_under_run_none(
    pipe: Shell, tmp_path: Path, server: http.server.HTTPServer
) -> None:
    pipe.env["TOKEN"] = "canary-token-value"
    (tmp_path / "p.yml").write_text(PIPELINE.format(url=f"http://127.0.0.1:{server.server_port}"))
    assert pipe("run", "p.yml", "--record", "rec").returncode == 0
    (tmp_path / "p.test.yml").write_text(
        "version: 1\ndefaults: {run: none, replay: rec}\n"
        "cases:\n  it answers: {expect: {nodes: {ask: {attempts: 2}}}}\n"
        "  it misses: {inputs: {word: quick}, expect: {status: failed, nodes: {ask: {error: {kind: not_found}}}}}\n"
    )
    done = pipe("test", "p.test.yml")
    assert done.returncode == 0, done.out + done.stderr
    assert len(Answering.seen) == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--record", "a", "--replay", "a"], "contradict"),
        (["--replay", "nowhere"], "no recordings can be read"),
        (["--record", ""], "needs the name of a folder"),
    ],
)
def test_flags_that_can_t_be_followed_are_told_and_nothing_runs(
    pipe: Shell, tmp_path: Path, flags: list[str], said: str
) -> None:
    (tmp_path / "p.yml").write_text("version: 1\nnodes: {a: {run: touch ran}}\n")
    done = pipe("run", "p.yml", *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_file_that_replaying_would_refuse_is_told_when_recording(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    pipe.write("recs/theirs.json", "{}")
    done = pipe("run", "p.yml", "--record", "recs")
    assert done.returncode == 0
    assert "recs holds what --replay will refuse, since it is no recording: theirs.json" in done.stderr
    assert "recs/theirs.json can't be used" in pipe("run", "p.yml", "--replay", "recs").stderr


def test_functions_whose_calls_are_recorded_need_not_be_installed(pipe: Shell, tmp_path: Path) -> None:
    (tmp_path / "rec").mkdir()
    tools = "tools: ['function:nobody_brings_it']"
    pipe.write(
        "p.yml", f"version: 1\nnodes: {{a: {{agent: llm, provider: ollama, with: {{model: m, prompt: x, {tools}}}}}}}"
    )
    pipe.write(
        "p.eval.yml", "version: 1\nnode: a\nsamples: 1\ncases: [{name: it}]\ngraders: {fine: {expression: 'true'}}\n"
    )
    for words, told in (
        (("run", "p.yml"), "has no recording of this tools call"),
        (("eval", "p.eval.yml"), "rec has no recordings of run"),
    ):
        done = pipe(*words, "--replay", "rec")
        assert told in done.stdout + done.stderr
        assert "E516" not in done.stdout + done.stderr
        without = pipe(*words)
        assert "E516" in without.stdout + without.stderr
