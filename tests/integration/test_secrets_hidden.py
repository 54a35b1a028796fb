"""S4, through the whole command: whatever a node does with its secrets, no file and no stream of the run holds one."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from pipe_runner.secret_forms import forms

TOKEN = "s3cr3t-T0ken+val/ue"
KEY = (
    "-----BEGIN KEY-----\n"
    + "\n".join(b64encode(bytes([n]) * 48).decode() for n in range(40, 60))
    + "\n-----END KEY-----"
)
PIPELINE = r"""
version: 1
secrets: {TOKEN: {from: env}, KEY: {from: file, key: key.pem}}
nodes:
  prints:
    secrets: [TOKEN, KEY]
    continue_on_error: true
    run: |
      echo "$TOKEN"
      printf %s "$TOKEN" | base64
      printf 'x%s' "$TOKEN" | base64
      printf %s "$TOKEN" | od -An -v -tx1 | tr -d ' \n'
      printf '\n%s' "$TOKEN" | head -c 6; sleep 0.1; printf %s "$TOKEN" | tail -c +6
      echo "$KEY" | base64
      echo "$KEY" | head -3
      echo "$KEY$TOKEN" >&2
      exit 3
  reads:
    needs: [prints]
    run: 'echo {{ nodes.prints.output }} {{ nodes.prints.error.tail }}; env'
  returns:
    secrets: [TOKEN]
    output: json
    run: 'printf "{\"t\": [\"%s\"], \"%s\": 1}" "$TOKEN" "$TOKEN"'
  large:
    secrets: [TOKEN]
    run: 'for n in 1 2 3 4 5 6 7 8; do head -c 20000 /dev/zero | tr "\0" x; printf %s "$TOKEN"; done'
outputs: {returned: "{{ nodes.returns.output }}"}
"""


def pipe(project: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    code = "import sys; from pipe_runner.cli import main; sys.exit(main())"
    environment = {**os.environ, "TOKEN": TOKEN}
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=project, capture_output=True, timeout=60, env=environment
    )


def test_s4_a_secret_is_in_no_file_and_no_output_of_a_run_in_any_form(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(PIPELINE)
    (tmp_path / "key.pem").write_text(KEY + "\n")
    told = []
    for words in (
        ["run", "p.yml", "--run-id", "r1", "-v", "--output", "json", "--junit", "out/r1.xml"],
        ["run", "p.yml", "--run-id", "r2", "--output", "jsonl"],
        ["show", "r1"],
        ["logs", "r1"],
    ):
        (tmp_path / "out").mkdir(exist_ok=True)
        done = pipe(tmp_path, *words)
        assert done.returncode == 0, done.stderr
        told += [done.stdout, done.stderr]
    written = {
        path.name: path.read_bytes()
        for path in [*tmp_path.rglob(".pipe/**/*"), *tmp_path.rglob("out/*")]
        if path.is_file()
    }
    assert {"log.jsonl", "r1.xml"} <= written.keys()
    assert any(len(name) == 64 for name in written), "the large output is a blob"
    text = b"\n".join([*told, *written.values()])
    assert text.count(b"***") > 100
    secret = {form for value in (TOKEN, KEY) for group in forms(value, "strict").by_core.values() for form in group}
    assert [form for form in secret if form in text] == []
