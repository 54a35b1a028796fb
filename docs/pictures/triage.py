"""Makes docs/pictures/triage.png: the report of pipelines/triage.yml on the log of a bad night. Needs Chromium.

python docs/pictures/triage.py
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
PICTURE: Final = Path(__file__).with_name("triage.png")
INPUTS: Final = {
    "logs": '["pipelines/support/failures.log"]',
    "journal": "false",
    "since": "2026-11-28T00:00:00Z",
    "ports": "[5432]",
    "processes": '["billing"]',
}
"""A night that is the same everywhere: this log, and a port and a process that aren't there."""
SIZE: Final = "1000,905"


def main() -> int:
    browser = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        return print("there is no Chromium", file=sys.stderr) or 1
    flags = [word for name, value in INPUTS.items() for word in ("-i", f"{name}={value}")]
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "pipe_runner",
            "run",
            "pipelines/triage.yml",
            "-q",
            "--state-dir",
            folder,
            *flags,
        ]
        subprocess.run(command, cwd=REPOSITORY, check=True)
        look = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={SIZE}"]
        page = Path(folder, "page.html")  # paths without those of this machine
        text = (REPOSITORY / "report" / "triage.html").read_text(encoding="utf-8")
        page.write_text(text.replace(f"{REPOSITORY}/", ""), encoding="utf-8")
        look += [f"--user-data-dir={folder}/browser", f"--screenshot={PICTURE}", page.as_uri()]
        subprocess.run([browser, *look], check=True, stderr=subprocess.DEVNULL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
