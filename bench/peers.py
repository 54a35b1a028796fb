"""Finds or installs the systems that we are compared with; each is there, or is skipped with its reason."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench import files
from bench.measure import clean_environment, measure


@dataclass(frozen=True, slots=True)
class Peer:
    """A system that was found: how its command begins, and its version."""

    name: str
    command: tuple[str, ...]
    version: str
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Peers:
    """What was found, and why the rest was not."""

    directory: Path
    install: bool
    found: dict[str, Peer] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def look_for_all(self) -> None:
        for name, find in FINDERS.items():
            try:
                self.found[name] = find(self)
            except (OSError, subprocess.CalledProcessError, LookupError) as error:
                reason = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
                self.missing[name] = (str(reason).strip().splitlines() or ["no reason given"])[-1][:120]

    def installed(self, name: str) -> Path:
        """The directory of a peer's own installation; LookupError if there is none and none may be made."""
        target = self.directory / name
        if not target.exists() and not self.install:
            raise LookupError("not installed (--no-install)")
        return target


def _say(command: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=clean_environment(env), timeout=120)
    return (done.stdout or done.stderr).strip().splitlines()[0]


def _on_path(name: str) -> Callable[[Peers], Peer]:
    def find(_: Peers) -> Peer:
        path = shutil.which(name)
        if path is None:
            raise LookupError("not on PATH")
        return Peer(name, (path,), _say([path, "--version"]).removeprefix("GNU Make").strip())

    return find


def _from_pip(name: str, package: str, program: str, *beside: str) -> Callable[[Peers], Peer]:
    def find(peers: Peers) -> Peer:
        target = peers.installed(name)
        if not target.exists():
            subprocess.run([sys.executable, "-m", "venv", target], check=True, capture_output=True, text=True)
            pip = [str(target / "bin" / "pip"), "install", "--quiet", package, *beside]
            try:
                subprocess.run(pip, check=True, capture_output=True, text=True)
            except subprocess.CalledProcessError:
                shutil.rmtree(target)
                raise
        binary = target / "bin" / program
        if program == "python":
            ask = f"from importlib.metadata import version; print(version({package!r}))"
            return Peer(name, (str(binary),), _say([str(binary), "-c", ask]))
        return Peer(name, (str(binary),), _say([str(binary), "--version"]).split()[-1])

    return find


def _dagu(peers: Peers) -> Peer:
    target = peers.installed("dagu")
    system = {"Linux": "linux", "Darwin": "darwin"}.get(platform.system(), "")
    machine = {"x86_64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "")
    package = f"@dagu-org/dagu-{system}-{machine}"
    if not target.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise LookupError("npm is not on PATH")
        target.mkdir(parents=True)
        try:
            command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", ".", package]
            subprocess.run(command, check=True, capture_output=True, text=True, cwd=target)
        except subprocess.CalledProcessError:
            shutil.rmtree(target)
            raise
    binary = target / "node_modules" / package / "bin" / "dagu"
    return Peer("dagu", (str(binary),), _say([str(binary), "version"]), {"DAGU_HOME": str(target / "home")})


FINDERS: dict[str, Callable[[Peers], Peer]] = {
    "ninja": _on_path("ninja"),
    "make": _on_path("make"),
    "go-task": _from_pip("go-task", "go-task-bin", "task"),
    "just": _from_pip("just", "rust-just", "just"),
    "dagu": _dagu,
    "luigi": _from_pip("luigi", "luigi", "python"),
    # Prefect 3.8 fails on what later versions of FastAPI no longer accept.
    "prefect": _from_pip("prefect", "prefect", "python", "fastapi<0.140"),
    "langgraph": _from_pip("langgraph", "langgraph", "python"),
}


# ---------------------------------------------------------------- their runs


def run_commands(
    peer: Peer, directory: Path, count: int, parallel: int, cpu: list[float] | None = None
) -> Callable[[], float]:
    """Prepare `count` independent `true` commands for the peer; the result runs them all and gives seconds.

    Those of CPU, commands included, are added to `cpu`.
    """
    place = directory / f"{peer.name}-{count}"
    jobs = str(parallel)
    if peer.name == "ninja":
        files.ninja_commands(place, count)
        argv = [*peer.command, "-j", jobs, "--quiet", "all"]
    elif peer.name == "make":
        files.make_commands(place, count)
        argv = [*peer.command, "-j", jobs, "all"]
    elif peer.name == "go-task":
        files.task_commands(place, count)
        argv = [*peer.command, "--concurrency", jobs, "--silent", "all"]
    elif peer.name == "just":
        files.just_commands(place, count)
        argv = [*peer.command, "--jobs", jobs, "all"]
    elif peer.name == "dagu":
        argv = [*peer.command, "start", "--quiet", str(files.dagu_commands(place, count, parallel))]
    else:
        raise LookupError(f"{peer.name} runs no commands")

    def timed() -> float:
        (place / ".ninja_log").unlink(missing_ok=True)
        found = measure(argv, place, peer.env)
        if cpu is not None:
            cpu.append(found.cpu)
        return found.wall

    return timed


def run_functions(peer: Peer, directory: Path, count: int) -> float:
    """Seconds for each function that does nothing, beyond the start, as the peer itself can do it."""
    place = directory / peer.name
    script = {"luigi": files.LUIGI, "prefect": files.PREFECT, "langgraph": files.LANGGRAPH}[peer.name]
    path = files.place(place, f"{peer.name}_noop.py", script)
    env = clean_environment(
        {
            "PREFECT_HOME": str(place / "prefect"),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PREFECT_LOGGING_TO_API_ENABLED": "false",
        }
    )
    done = subprocess.run(
        [*peer.command, str(path), str(count)],
        cwd=place,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return float(done.stdout.split()[-1])


def facts() -> dict[str, str]:
    """What a reader must know of the machine to judge the figures; nothing that names it."""
    return {
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
