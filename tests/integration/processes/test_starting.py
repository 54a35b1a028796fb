"""What a command starts with, and what is said when it can't start."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import pipe_runner
from pipe_runner.errors import RunBusy, Unsupported
from pipe_runner.executors.processes import Processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")


def script(path: Path, text: str, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_what_cannot_be_started_is_said_in_a_sentence(machine: Any) -> None:
    folder = machine.folder
    (folder / "file").write_text("")
    (folder / "bin").mkdir()
    plain = script(folder / "plain", "not a program\n")
    no_interpreter = script(folder / "no-interpreter", "#!/not/there\n")
    forbidden = script(folder / "forbidden", "#!/bin/sh\n", 0o644)
    cases = {
        ("no-such-program",): "no-such-program was not found on the PATH",
        ("./no-such-file",): "./no-such-file was not found",
        ("/no/such/file",): "/no/such/file was not found",
        (plain,): f"{plain} is not a program: it is executable, but neither a binary for this system nor has a #! line",
        (no_interpreter,): f"{no_interpreter} can't be run: what its #! line names is not there",
        (forbidden,): f"{forbidden} can't be run: it is not executable",
        (str(folder / "bin"),): f"{folder}/bin can't be run: it is a directory",
        ("./file/x",): "./file/x can't be run: Not a directory",
        ("",): " was not found on the PATH",
    }

    async def scene() -> None:
        for argv, sentence in cases.items():
            end = await machine.run(*argv)
            assert end.not_found == sentence
            assert end.exit_code is end.signal is None
        for cwd, why in {"nowhere": "is not there", "file": "can't be used: Not a directory"}.items():
            end = await machine.sh("true", cwd=str(folder / cwd))
            assert end.not_found == f"the working directory {folder / cwd} {why}"
        assert machine.events == []

    machine.play(scene())


def test_programs_are_looked_for_on_the_path_of_the_command(machine: Any) -> None:
    script(machine.folder / "tool", "#!/bin/sh\necho here\n")
    (machine.folder / "first" / "tool").mkdir(parents=True)
    path = f"/not/there:{machine.folder}/first:{machine.folder}"

    async def scene() -> None:
        assert (await machine.run("tool", env={"PATH": path})).stdout == b"here\n"
        assert (await machine.run("./tool")).stdout == b"here\n"
        assert (await machine.run("echo", "hi", env={})).stdout == b"hi\n"
        assert (await machine.run("tool", env={"PATH": ":/bin"})).stdout == b"here\n"

    machine.play(scene())


def test_too_much_for_the_system_and_nul_are_said(machine: Any) -> None:
    async def scene() -> None:
        assert "more than this system gives" in (await machine.run("echo", "x" * 200_000)).not_found
        many = {f"V{i}": "x" * 100_000 for i in range(40)}
        assert "more than this system gives" in (await machine.sh("true", env={**machine.env, **many})).not_found
        assert "NUL" in (await machine.run("echo", "a\0b")).not_found
        assert "NUL" in (await machine.sh("true", env={"A": "a\0b"})).not_found
        half = (await machine.run("echo", "a\ud800b")).not_found
        assert half == "the argument 1 holds half a character (the surrogate U+D800), which no program can be given"
        assert "the variable A holds half a" in (await machine.sh("true", env={"A": "\udbff"})).not_found
        assert "'A=B' can't be the name" in (await machine.sh("true", env={"A=B": "c"})).not_found
        big = {"BIG": "x" * 120_000}
        assert (await machine.sh("echo ${#BIG}", env={**machine.env, **big})).stdout == b"120000\n"
        assert (await machine.sh("true")).exit_code == 0

    machine.play(scene())


def test_s4_the_environment_is_exactly_what_was_given_and_whose_it_is(machine: Any) -> None:
    os.environ["PIPE_TEST_LEAK"] = "leak"

    async def scene() -> None:
        env = {"A": "1", "ÄÖ": "é\n'\"$x", "RAW": os.fsdecode(b"\xff\xfe"), "PIPE_NODE": "forged"}
        end = await machine.run("/usr/bin/env", "-0", env=env, number=3)
        found = dict(entry.split(b"=", 1) for entry in end.stdout.split(b"\0") if entry)
        assert found == {
            b"A": b"1",
            "ÄÖ".encode(): "é\n'\"$x".encode(),
            b"RAW": b"\xff\xfe",
            b"PIPE_RUN_ID": machine.run_id.encode(),
            b"PIPE_RUN_DIR": os.path.realpath(machine.folder).encode(),
            b"PIPE_WARDEN": b"0",
            b"PIPE_NODE": b"n",
            b"PIPE_ATTEMPT": b"3",
        }

    try:
        machine.play(scene())
    finally:
        del os.environ["PIPE_TEST_LEAK"]


def test_arguments_arrive_byte_for_byte(machine: Any) -> None:
    words = ["", " ", "$(id)", "`x`", "é\t\n", os.fsdecode(b"\xff"), "-n", "'\"\\"]

    async def scene() -> None:
        end = await machine.run("printf", "%s|", *words)
        assert end.stdout == b"".join(os.fsencode(word) + b"|" for word in words)

    machine.play(scene())


def test_no_descriptor_of_the_runner_reaches_a_command(machine: Any) -> None:
    read, write = os.pipe()
    os.set_inheritable(read, True)
    os.dup2(write, 77, inheritable=True)

    async def scene() -> None:
        end = await machine.sh("ls -l /proc/self/fd", stdin=b"x")
        names = [line.split(b" -> ")[0].split()[-1] for line in end.stdout.splitlines() if b"->" in line]
        assert names == [b"0", b"1", b"2", b"3"], "the last is the folder that ls reads"

    try:
        machine.play(scene())
    finally:
        for fd in (read, write, 77):
            os.close(fd)


def test_a_command_leads_a_group_has_no_terminal_and_signals_as_they_are_by_default(machine: Any) -> None:
    import signal

    old = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])

    async def scene() -> None:
        masks = (await machine.run("grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")).stdout.decode().splitlines()
        assert len(masks) == 2
        # Two that the C library keeps for itself are above the 31 standard ones.
        assert all(int(mask.split()[1], 16) & 0x7FFFFFFF == 0 for mask in masks), masks
        text = "cat /proc/$$/stat; (: </dev/tty) 2>/dev/null || echo none"
        stat, terminal = (await machine.run("/bin/sh", "-c", text)).stdout.decode().splitlines()
        pid, group = stat.split()[0], stat.rpartition(")")[2].split()[2]
        assert pid == group
        assert terminal == "none"

    try:
        machine.play(scene())
    finally:
        signal.signal(signal.SIGUSR1, old)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])


def test_the_runner_keeps_no_descriptor_of_commands_that_are_over(machine: Any) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    async def scene() -> None:
        await machine.sh("true")
        before = opened()
        for _ in range(3):
            await asyncio.gather(*(machine.sh("echo x; (sleep 0.01)", node=f"n{i}", stdin=b"y") for i in range(30)))
            await machine.run("no-such-program", stdin=b"y")
            await machine.sh("sleep 5 & true", timeout=0.05)
        assert opened() == before

    machine.play(scene())


def test_hundreds_at_once_lift_the_limit_of_open_files(machine: Any) -> None:
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    if old[1] != resource.RLIM_INFINITY and old[1] < 2000:
        pytest.skip("the system allows too few open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, old[1]))

    async def scene() -> None:
        ends = await asyncio.gather(*(machine.sh("sleep 0.5; echo $PIPE_NODE", node=f"n{i}") for i in range(400)))
        assert [end.stdout for end in ends] == [b"n%d\n" % i for i in range(400)]

    try:
        machine.play(scene())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)


@pytest.mark.parametrize("soft", [45, 46])
def test_the_limit_is_lifted_although_no_descriptor_is_left_when_it_is_met(tmp_path: Path, soft: int) -> None:
    (tmp_path / "f.yml").write_text(
        "version: 1\nconcurrency: 60\nnodes:\n  n: {for_each: {items: '{{ range(60) | list }}'}, run: sleep 1}\n"
    )
    shell = f'ulimit -Sn {soft}; exec "$0" -m pipe_runner run f.yml'
    done = subprocess.run(["sh", "-c", shell, sys.executable], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_room_for_descriptors_the_system_is_called_unavailable(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> tuple[int, int]:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    async def scene() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pipe", full)
            end = await machine.sh("true")
        assert end.unavailable == "no pipe for the command's output could be opened: Too many open files in system"
        assert (await machine.sh("echo ok")).stdout == b"ok\n"

    machine.play(scene())


def test_starting_takes_no_time_and_needs_no_loop(machine: Any) -> None:
    began = time.perf_counter()
    machine.processes.start()
    machine.processes.start()
    assert time.perf_counter() - began < 0.2

    async def scene() -> None:
        assert (await machine.sh("echo up")).stdout == b"up\n"

    machine.play(scene())


@pytest.mark.parametrize("module", ["warden", "guard", "relatives"])
def test_a_warden_imports_little(module: str) -> None:
    """It is there before the first command, and typing alone takes longer to import than the rest of it to start."""
    heavy = {"typing", "re", "enum", "functools", "collections", "contextlib", "signal", "socket"}
    program = (
        f"import sys; sys.path.append(sys.argv[1]); import pipe_runner.executors.{module}; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    folder = str(Path(pipe_runner.__file__).parents[1])
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program, folder], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_d4_a_second_launcher_of_a_run_is_refused_while_the_first_watches(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipe_runner.executors.connection.LOCK_WAIT", 0.1)
    machine.processes.start()
    with pytest.raises(RunBusy, match="still being ended"):
        Processes(machine.run_id, machine.lock).start()
    machine.processes.abandon()
    second = Processes(machine.run_id, machine.lock)
    second.start()
    second.abandon()


def test_a_system_without_what_it_takes_is_refused_with_a_reason(machine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_spawn")
    with pytest.raises(Unsupported, match="can't be run on this system") as error:
        machine.processes.start()
    assert error.value.exit_code == 2


def test_a_variable_of_many_megabytes_is_refused_in_a_moment(machine: Any, in_time: Any) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    end = machine.play(machine.run("true", env={**machine.env, "LARGE": "x" * (32 << 20)}))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "more than this system gives to a program" in end.not_found
    assert in_time(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 3)
