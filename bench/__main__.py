"""Fills the table of speed: `python -m bench`, from the repository's top, with pipe-runner installed."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bench import results, where
from bench.measure import Failed, fdatasync_seconds, processors
from bench.peers import Peers, facts
from bench.rows import ROWS, Bench, Row

HERE = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rows", help=f"some rows only, by commas: {','.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, fewer repetitions")
    parser.add_argument("--no-install", action="store_true", help="use only peers that are there already")
    parser.add_argument("--peers", type=Path, help="directory for the peers' installations (default: in --scratch)")
    parser.add_argument("--scratch", type=Path, help="directory to measure in (default: a temporary one)")
    parser.add_argument("--no-profile", action="store_true", help="leave out where the time goes")
    parser.add_argument("--output", type=Path, help="where the table goes (default: bench/RESULTS.md; - prints only)")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    pipe = Path(sys.executable).with_name("pipe")
    if not pipe.exists():
        print(f"there is no `pipe` beside {sys.executable}: pip install -e '.[dev]'", file=sys.stderr)
        return 2
    names = asked.rows.split(",") if asked.rows else list(ROWS)
    if unknown := [n for n in names if n not in ROWS]:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="pipe-bench-")) if asked.scratch is None else asked.scratch
    peers = Peers(asked.peers or scratch / "peers", install=not asked.no_install)
    rows: list[Row] = []
    failed: dict[str, str] = {}
    before = processors()
    try:
        peers.directory.mkdir(parents=True, exist_ok=True)
        peers.look_for_all()
        bench = Bench(str(pipe), scratch.resolve(), peers, asked.quick)
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                found = ROWS[name](bench)
            except Failed as error:
                failed[name] = str(error)
                print(f"  no figure: {error}", file=sys.stderr)
                continue
            for row in found:
                print(f"  {row.work}: {row.ours} ({row.value:.2f} {row.unit}, at most {row.at_most})", file=sys.stderr)
            rows += found
        spent = [] if asked.no_profile else where.section(bench.scratch, asked.quick)
        known = facts() | {"fdatasync here": f"{fdatasync_seconds(scratch) * 1e6:.0f} µs"}
        known |= {"load when it ended": f"{os.getloadavg()[0]:.1f}"}
        if before is not None and (after := processors()) is not None and after[0] > before[0]:
            share = (after[1] - before[1]) / (after[0] - before[0])
            known |= {"of the time when processors were wanted, their host gave to others": f"{share:.1%}"}
        known |= {name: peer.version for name, peer in peers.found.items()}
    finally:
        if asked.scratch is None:
            shutil.rmtree(scratch, ignore_errors=True)
    text = results.render(rows, known, peers.missing, failed, spent)
    if str(asked.output) != "-":
        (asked.output or HERE / "RESULTS.md").write_text(text, encoding="utf-8")
    print(text)
    return 1 if failed or not all(row.holds for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
