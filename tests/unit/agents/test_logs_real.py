"""Logs that others wrote: those of this machine and of programs here. `grep -c` counts what the agent counts."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from logs_reading import analysed as analysed_then

pytestmark = pytest.mark.skipif(shutil.which("grep") is None, reason="there is no grep to count with")


def analysed(root: Path, **options: Any) -> dict[str, Any]:
    return analysed_then(root, now=time.time(), **options)


def grep(path: Path, pattern: str) -> int:
    done = subprocess.run(["grep", "-aEc", pattern, str(path)], capture_output=True, text=True, check=False)
    return int(done.stdout)


def copied(name: str, tmp_path: Path) -> Path:
    """A copy, since the machine may write on; or the test is skipped."""
    source = Path("/var/log") / name
    try:
        data = source.read_bytes()
    except OSError as error:
        pytest.skip(f"{source} can't be read here: {error.strerror}")
    if not data:
        pytest.skip(f"{source} is empty here")
    path = tmp_path / source.name
    path.write_bytes(data[: 2 << 20].rpartition(b"\n")[0] + b"\n")
    return path


def by_word(found: dict[str, Any], word: str) -> int:
    return sum(one["count"] for one in found["templates"] if f"{one['template']} ".startswith(f"{word} "))


def test_dpkg_log(tmp_path: Path) -> None:
    path = copied("dpkg.log", tmp_path)
    found = analysed(tmp_path, paths=str(path))
    assert found["files"][0]["format"] == "dpkg"
    assert found["lines"] == found["entries"] == grep(path, "")
    assert found["untimed_entries"] == 0
    first = path.read_text().split("\n", 1)[0]
    assert found["files"][0]["first_minute"] == f"{first[:10]}T{first[11:16]}:00Z"
    for word in ("status", "install", "configure", "startup", "trigproc", "upgrade"):
        assert by_word(found, word) == grep(path, rf"^.{{19}} {word}( |$)"), word


def test_alternatives_log(tmp_path: Path) -> None:
    path = copied("alternatives.log", tmp_path)
    found = analysed(tmp_path, paths=str(path))
    assert found["files"][0]["format"] == "iso"
    assert found["lines"] == grep(path, "")
    assert found["untimed_entries"] == grep(path, "") - grep(path, r"^update-alternatives [0-9]{4}-[0-9]{2}-")


def test_apt_term_log(tmp_path: Path) -> None:
    path = copied("apt/term.log", tmp_path)
    found = analysed(tmp_path, paths=str(path))
    assert found["lines"] == grep(path, "")
    assert found["blank_lines"] == grep(path, r"^\s*$")
    for word in ("Setting up", "Preparing to"):
        assert by_word(found, word) == grep(path, f"^{word} "), word


@pytest.mark.filterwarnings("ignore")
def test_what_logging_of_python_writes(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    logger = logging.Logger("shop.orders")
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    for number in range(50):
        logger.info("order %d stored", number)
        if number % 10 == 0:
            try:
                {}[number]
            except KeyError:
                logger.exception("order %d is lost", number)
    handler.close()
    found = analysed(tmp_path, paths=str(path), timezone="local")
    assert found["files"][0]["format"] == "python"
    assert found["levels"]["info"] == grep(path, " INFO ")
    assert found["levels"]["error"] == grep(path, " ERROR ")
    assert found["entries"] + found["joined_lines"] == grep(path, "")


def test_what_an_http_server_of_python_writes(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with open(path, "w") as file:

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: Any) -> None:
                file.write(f"{self.address_string()} - - [{self.log_date_time_string()}] {format % args}\n")

            def log_error(self, format: str, *args: Any) -> None:
                pass

            def do_GET(self) -> None:
                self.send_response(500 if self.path == "/fails" else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            for way in ("/a", "/b", "/fails", "/a"):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}{way}").close()
                except urllib.error.HTTPError as error:
                    error.close()
            server.shutdown()
            thread.join()
    found = analysed(tmp_path, paths=str(path), timezone="local")
    assert found["http"]["requests"] == grep(path, '"GET ') == 4
    assert found["http"]["classes"]["5xx"] == grep(path, '" 500 ') == 1
    assert found["untimed_entries"] == 0


def test_a_traceback_of_python_is_one_entry(tmp_path: Path) -> None:
    code = "def f(n):\n    return f(n - 1) if n else [][1]\nf(3)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    found = analysed(tmp_path, text=done.stderr)
    assert (found["entries"], found["joined_lines"]) == (1, done.stderr.count("\n") - 1)
    assert found["exceptions"] == [{"name": "IndexError", "lines": 1}]
