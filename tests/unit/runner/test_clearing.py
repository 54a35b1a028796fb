"""What attempts worked in is removed, whatever a command made of it, and nothing else."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path

from pipe_runner.clearing import clear


def test_of_a_link_in_the_place_of_a_directory_only_the_link_goes(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (victim / "inside").mkdir(parents=True)
    victim.chmod(0o755)
    (tmp_path / "work").symlink_to(victim)
    clear(str(tmp_path / "work"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["victim"]
    assert stat.S_IMODE(victim.stat().st_mode) == 0o755 and (victim / "inside").is_dir()


def test_a_directory_without_any_rights_goes_as_others_do() -> None:
    above = tempfile.mkdtemp()
    try:
        os.chmod(above, 0o777)
        child = os.fork()
        if not child:  # as somebody whom rights bind
            try:
                if os.geteuid() == 0:
                    os.setuid(65534)
                work = os.path.join(above, "work")
                os.makedirs(os.path.join(work, "below"))
                os.chmod(work, 0)
                clear(work)
                os._exit(int(os.path.lexists(work)))
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        shutil.rmtree(above)
