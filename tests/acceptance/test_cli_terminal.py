"""What a person at a terminal sees, through a pseudo-terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

PIPE = str(Path(sys.executable).with_name("pipe"))
NODES = (
    "version: 1\nnodes:\n  a: {run: 'echo began; echo the last line; sleep 0.8'}\n  b: {run: 'exit 3', needs: [a]}\n"
)


class Terminal:
    """A terminal of 24 lines and 80 columns with a process in it."""

    def __init__(self, pipe: Any, *words: str, program: str = PIPE, **env: str) -> None:
        self.text = ""
        pid, self.fd = pty.fork()
        if pid == 0:  # pragma: no cover
            os.chdir(pipe.folder)
            os.execve(program, [program, *words], {**pipe.env, "TERM": "xterm-256color", **env})
        self.pid = pid
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def read(self, until: str | None = None, patience: float = 30.0) -> str:
        """Everything that is printed until a text comes, or until the process ends."""
        end = time.monotonic() + patience
        while until is None or until not in self.text:
            assert time.monotonic() < end, self.text
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode()
        return self.text

    def press(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def wait(self) -> int:
        self.read()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


def test_a_terminal_shows_what_runs_and_its_last_line_and_is_given_back(pipe: Any) -> None:
    pipe.write("f.yml", NODES)
    terminal = Terminal(pipe, "run", "f.yml")
    assert terminal.wait() == 1
    text = terminal.text
    assert text.startswith(f"run {pipe.run_id()}: f, 2 nodes\r\n")
    assert re.search(r"▸ a \d\.\d\ds", text)
    assert "the last line" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "f.yml:4: b failed" in plain
    assert plain.splitlines()[-1].startswith(f"run {pipe.run_id()} failed in")


def test_ctrl_c_stops_the_run_and_gives_the_terminal_back(pipe: Any) -> None:
    pipe.write("f.yml", NODES.replace("sleep 0.8", "sleep 30"))
    terminal = Terminal(pipe, "run", "f.yml", "--grace", "2s")
    terminal.read(until="the last line")
    terminal.press(b"\x03")
    assert terminal.wait() == 130
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
    assert "cancelled" in terminal.text


def test_verbose_lines_stay_above_what_is_drawn(pipe: Any) -> None:
    pipe.write("f.yml", NODES)
    terminal = Terminal(pipe, "run", "f.yml", "-v")
    terminal.wait()
    assert "  a | began\r\n" in terminal.text


def test_verbose_shows_each_line_also_of_nodes_that_print_thousands_at_once(pipe: Any) -> None:
    pipe.write("f.yml", "version: 1\nnodes:\n  a: {run: seq 9000; sleep 0.5}\n  b: {run: sleep 0.4; seq 9000}\n")
    terminal = Terminal(pipe, "run", "f.yml", "-v")
    assert terminal.wait() == 0
    for node in "ab":
        found = re.findall(rf"  {node} \| (\d+)\r\n", terminal.text)
        assert found == [str(number) for number in range(1, 9001)]


def test_no_color_keeps_the_display_and_leaves_out_the_colours(pipe: Any) -> None:
    pipe.write("f.yml", NODES)
    terminal = Terminal(pipe, "run", "f.yml", NO_COLOR="1")
    terminal.wait()
    assert "▸ a" in terminal.text
    assert not re.search(r"\x1b\[[0-9;]*m", terminal.text)


def test_a_dumb_terminal_gets_lines(pipe: Any) -> None:
    pipe.write("f.yml", NODES)
    terminal = Terminal(pipe, "run", "f.yml", TERM="dumb")
    terminal.wait()
    assert "\x1b" not in terminal.text
    assert "  succeeded  a (" in terminal.text


def test_a_quick_run_on_a_terminal_never_draws(pipe: Any) -> None:
    pipe.write("one.yml", "version: 1\nnodes:\n  a: {run: 'true'}\n")
    pipe("run", "one.yml")
    terminal = Terminal(pipe, "run", "one.yml")
    assert terminal.wait() == 0


def test_jsonl_and_progress_do_not_share_a_screen(pipe: Any) -> None:
    pipe.write("f.yml", NODES)
    terminal = Terminal(pipe, "run", "f.yml", "--output", "jsonl")
    terminal.wait()
    assert "\x1b[?25l" not in terminal.text


def test_ten_thousand_nodes_on_a_terminal_fit_its_screen(pipe: Any) -> None:
    nodes = "".join(f"  n{number}: {{agent: python, with: {{call: 'quick.py:nothing'}}}}\n" for number in range(2000))
    pipe.write("quick.py", "async def nothing():\n    return None\n")
    pipe.write("many.yml", f"version: 1\nnodes:\n{nodes}")
    terminal = Terminal(pipe, "run", "many.yml", "--durability", "os")
    assert terminal.wait() == 0
    ups = [int(count) for count in re.findall(r"\x1b\[(\d+)A", terminal.text)]
    assert max(ups, default=0) < 24
    assert "2000 succeeded" in terminal.text


def test_a_reader_who_does_not_read_the_terminal_does_not_stop_the_run(pipe: Any) -> None:
    """As with Ctrl-S: nobody takes what is drawn, and the run goes on to its end."""
    pipe.write("f.yml", "version: 1\nnodes:\n  a: {run: 'sleep 2'}\n  b: {run: 'touch done', needs: [a]}\n")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
    process = subprocess.Popen(
        [PIPE, "run", "f.yml", "-v"],
        cwd=pipe.folder,
        env={**pipe.env, "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave,
    )
    pipe.started.append(process)
    os.close(slave)
    os.read(master, 100)  # the first line, and nothing after it
    termios.tcflow(master, termios.TCOOFF)
    pipe.until(lambda: (pipe.folder / "done").exists())
    termios.tcflow(master, termios.TCOON)
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        if select.select([master], [], [], 0.05)[0]:
            try:
                os.read(master, 65536)
            except OSError:
                break
    assert process.wait(10) == 0
    os.close(master)


def test_ctrl_z_gives_the_terminal_back_and_fg_draws_again(pipe: Any) -> None:
    pipe.write("f.yml", NODES.replace("sleep 0.8", "while [ ! -e go ]; do sleep 0.1; done"))
    terminal = Terminal(pipe, "--norc", "-i", program="/bin/bash", PS1="$ ")
    terminal.read(until="$ ")
    terminal.press(f"{PIPE} run f.yml\n".encode())
    terminal.read(until="▸ a")
    terminal.press(b"\x1a")
    terminal.read(until="Stopped")
    drawn = terminal.text
    assert drawn.rindex("\x1b[?25h") > drawn.rindex("\x1b[?25l")
    terminal.text = ""
    terminal.press(b"fg\n")
    terminal.read(until="▸ a")
    assert "\x1b[?25l" in terminal.text
    assert "A" not in re.findall(
        r"\x1b\[\d*([A-Z])", terminal.text.partition("▸ a")[0]
    )  # it goes up over no line of others
    terminal.press(b"\x1a")
    terminal.read(until="Stopped")
    terminal.press(b"fg\n")
    pipe.write("go", "")
    terminal.read(until="go on with")  # which is said when nothing is drawn any more
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")
    terminal.press(b"exit\n")
    terminal.wait()


def test_ctrl_backslash_gives_the_terminal_back_before_it_ends_the_process(pipe: Any) -> None:
    pipe.write("f.yml", NODES.replace("sleep 0.8", "sleep 30"))
    terminal = Terminal(pipe, "run", "f.yml")
    terminal.read(until="▸ a")
    terminal.press(b"\x1c")
    assert terminal.wait() == -signal.SIGQUIT
    assert terminal.text.rindex("\x1b[?25h") > terminal.text.rindex("\x1b[?25l")


def test_ctrl_z_before_anything_is_drawn_stops_and_goes_on(pipe: Any) -> None:
    pipe.write("f.yml", NODES)
    terminal = Terminal(pipe, "--norc", "-i", program="/bin/bash", PS1="$ ")
    terminal.read(until="$ ")
    terminal.press(f"{PIPE} run f.yml --quiet\n".encode())
    pipe.until(lambda: "node.started" in pipe.log())
    terminal.press(b"\x1a")
    terminal.read(until="Stopped")
    terminal.press(b"fg; echo code $?\n")
    terminal.read(until="code 1")
    terminal.press(b"exit\n")
    terminal.wait()


def test_a_command_has_no_terminal_to_read_from_or_to_write_to(pipe: Any) -> None:
    """One that asks for a password there (git, ssh, sudo) fails at once; it would be stopped, and wait without end."""
    pipe.write(
        "f.yml",
        "version: 1\nnodes:\n  a: {run: 'cat < /dev/tty', timeout: 5s}\n  b: {run: 'echo forged > /dev/tty'}\n"
        "  c: {run: 'cut -d \" \" -f 7 /proc/self/stat'}\n",
    )
    terminal = Terminal(pipe, "run", "f.yml")
    assert terminal.wait() == 1
    assert "forged\r\n" not in terminal.text
    nodes = json.loads(pipe("show", "latest", "--output", "json").stdout)["nodes"]
    assert nodes["a"]["error"]["kind"] == nodes["b"]["error"]["kind"] == "exit"
    assert nodes["c"]["output"].strip() == "0", "no terminal stands there"
