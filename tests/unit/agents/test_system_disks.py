"""Which file systems are looked at, and when they are a finding: on recorded mount tables, and on real file systems."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machine_trees import KERNEL, ROOT, V2, Recorded, severities

from pipe_agents.system import disks, mounts
from pipe_agents.system.disks import Space
from pipe_agents.system.trees import Tree
from pipe_schemas.system_defaults import THRESHOLDS

GIB = 2**30
ODD = """\
40 22 8:2 / /srv/with\\040space rw shared:9 - ext4 /dev/sda2 rw
41 22 8:2 /deep/folder /mnt/bind rw shared:9 - ext4 /dev/sda2 rw
42 22 7:1 / /snap/core/1 ro,nodev shared:10 - squashfs /dev/loop1 ro,errors=continue
43 22 7:2 / /mnt/cd ro - iso9660 /dev/loop2 ro
44 22 0:50 / /var/lib/docker/overlay2/abc/merged rw - overlay overlay rw,lowerdir=/l,upperdir=/u,workdir=/w
45 22 0:51 /@ /data rw - btrfs /dev/sdb1 rw,subvol=/@
46 22 0:52 /@home /data/home rw - btrfs /dev/sdb1 rw,subvol=/@home
47 22 0:53 / /run rw shared:11 - tmpfs tmpfs rw,size=800000k
48 22 0:54 / /mnt/nfs rw - nfs4 server:/export rw,vers=4.2
49 22 0:55 / /mnt/nfs2 rw - nfs4 server:/export rw,vers=4.2
50 22 7:3 / /mnt/image rw - ext4 /dev/loop3 rw
51 22 0:4 net:[4026532] /run/netns/x rw - nsfs nsfs rw
52 22 0:60 / /mnt/over rw - ext4 /dev/below rw
53 52 0:61 / /mnt/over rw - xfs /dev/above rw
a line that is none"""


@pytest.fixture
def here(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path)


def spaces(used: float = 50.0, total: int = 40 * GIB, inodes: float = 10.0, **other: Any) -> Any:
    """A fake statvfs; `other` by the last part of a path."""

    def asked(path: str) -> Space:
        given = other.get(os.path.basename(path), Space(total, int(total * used / 100), int(total * (100 - used) / 100),
                                                        10**6, int(10**6 * (100 - inodes) / 100)))  # fmt: skip
        if isinstance(given, OSError):
            raise given
        return given

    return asked


def look(here: Recorded, asked: Any, *paths: str, **limits: Any) -> Any:
    return here.look(here.read("disk"), "disk", asked=asked, paths=paths, **limits)


def test_each_real_file_system_is_there_once(here: Recorded) -> None:
    here.mounts(ROOT, KERNEL, V2, ODD)
    looked = look(here, spaces())
    shown = {disk["path"]: (disk["type"], disk["also_at"], disk["judged"]) for disk in looked.parts["disks"]}
    assert shown == {
        "/": ("ext4", 0, True),
        "/data": ("btrfs", 1, True),
        "/mnt/cd": ("iso9660", 0, False),
        "/mnt/image": ("ext4", 0, True),
        "/mnt/nfs": ("nfs4", 1, True),
        "/mnt/over": ("xfs", 0, True),
        "/run": ("tmpfs", 0, True),
        "/snap/core/1": ("squashfs", 0, False),
        "/srv/with space": ("ext4", 1, True),
        "/var/lib/docker/overlay2/abc/merged": ("overlay", 0, False),
    }
    assert looked.findings == []


def test_images_and_overlays_that_are_full_are_no_alarm(here: Recorded) -> None:
    here.mounts(ROOT, ODD)
    found = severities(look(here, spaces(100.0)).findings)
    assert not [name for name in found if "snap" in name or "cd" in name or "overlay2" in name]
    assert found["disk.full:/mnt/image"] == "critical"


def test_a_container_that_sees_pieces_of_its_disk_is_told_of_its_root(here: Recorded) -> None:
    here.mounts(
        "60 1 0:70 / / rw - overlay overlay rw,lowerdir=/l",
        "61 60 8:1 /var/lib/docker/containers/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw",
    )
    looked = look(here, spaces(99.5))
    assert severities(looked.findings) == {"disk.full:/": "critical"}
    assert [(disk["path"], disk["judged"]) for disk in looked.parts["disks"]] == [("/", True), ("/etc/hosts", False)]


def test_an_overlay_at_the_root_of_a_machine_that_has_the_disk_itself_is_not_told_twice(here: Recorded) -> None:
    here.mounts("60 1 0:70 / / rw - overlay overlay rw", "61 60 8:1 / /media/disk rw - ext4 /dev/sda1 rw")
    assert severities(look(here, spaces(99.5)).findings) == {"disk.full:/media/disk": "critical"}


@pytest.mark.parametrize(
    ("used", "total", "severity"),
    [
        (89.0, 40 * GIB, None),
        (91.0, 25_000 * GIB, None),
        (99.9, 250_000 * GIB, None),
        (91.0, 40 * GIB, "medium"),
        (96.0, 40 * GIB, "high"),
        (99.5, 40 * GIB, "critical"),
        (91.0, 500 * GIB, "low"),
        (96.0, 1000 * GIB, "low"),
        (92.0, GIB // 2, "low"),
        (96.0, GIB // 2, "medium"),
        (99.5, GIB // 2, "critical"),
    ],
)
def test_how_full_a_disk_is_counts_by_percent_and_by_what_is_left(
    here: Recorded, used: float, total: int, severity: str | None
) -> None:
    assert severities(look(here, spaces(used, total)).findings).get("disk.full:/") == severity


def test_space_that_is_kept_for_root_is_not_free(here: Recorded) -> None:
    space = Space(100 * GIB, 95 * GIB, 0, 10**6, 10**6)
    looked = look(here, lambda path: space)
    assert looked.parts["disks"][0]["used_percent"] == 100.0
    assert severities(looked.findings) == {"disk.full:/": "critical"}


@pytest.mark.parametrize(("inodes", "severity"), [(80.0, None), (91.0, "medium"), (96.0, "high"), (99.5, "critical")])
def test_inodes_run_out_too(here: Recorded, inodes: float, severity: str | None) -> None:
    assert severities(look(here, spaces(inodes=inodes)).findings).get("disk.inodes:/") == severity


def test_a_file_system_without_a_limit_of_inodes_has_none(here: Recorded) -> None:
    looked = look(here, lambda path: Space(GIB * 100, GIB, GIB * 99, 0, 0))
    assert looked.parts["disks"][0]["inodes_total"] is None
    assert looked.findings == []


def test_more_free_inodes_than_there_are_mean_that_there_is_no_limit(here: Recorded) -> None:
    looked = look(here, lambda path: Space(GIB * 100, GIB, GIB * 99, 5, 2**64 - 1))
    assert looked.parts["disks"][0]["inodes_used_percent"] is None
    assert looked.findings == []


def test_a_full_xfs_is_not_told_of_its_inodes_as_well(here: Recorded) -> None:
    here.mounts("22 1 8:1 / / rw - xfs /dev/sda1 rw")
    assert severities(look(here, spaces(99.5, inodes=99.5)).findings) == {"disk.full:/": "critical"}


def test_what_the_kernel_made_read_only_is_critical_and_what_is_meant_to_be_is_nothing(here: Recorded) -> None:
    here.mounts(
        ROOT,
        "40 22 8:2 / /var rw,relatime - ext4 /dev/sda2 ro",
        "41 22 8:3 / /usr ro,relatime - ext4 /dev/sda3 ro",
        "42 22 8:4 / /srv ro,relatime - ext4 /dev/sda4 ro",
        "43 22 8:5 / /opt ro,relatime - ext4 /dev/sda5 ro",
        "44 22 8:6 / /bind-ro ro,relatime - ext4 /dev/sda6 rw",
        "45 22 8:6 / /bind-rw rw,relatime - ext4 /dev/sda6 rw",
    )
    here.write(
        "etc/fstab", "# /dev/sda9 /opt ext4 rw 0 1\n/dev/sda4 /srv ext4 defaults 0 1\n/dev/sda3 /usr ext4 ro 0 1\n"
    )
    looked = look(here, spaces())
    assert severities(looked.findings) == {"disk.readonly:/var": "critical", "disk.readonly:/srv": "high"}
    assert {disk["path"]: disk["read_only"] for disk in looked.parts["disks"]}["/bind-ro"] is False


def test_an_overlay_of_read_only_layers_is_meant_to_be_read_only(here: Recorded) -> None:
    here.mounts("60 1 0:70 / / rw - overlay overlay ro,lowerdir=/a:/b")
    assert look(here, spaces(100.0)).findings == []


def test_what_another_mount_covers_is_left_out(here: Recorded) -> None:
    here.mounts(ROOT, "40 22 8:2 / /a/b rw - ext4 /dev/sda2 rw", "41 22 8:3 / /a/c rw - ext4 /dev/sda3 rw")
    looked = look(here, spaces(b=FileNotFoundError(errno.ENOENT, "x"), c=Space(10, 10, 0, 0, 0, "8:77")))
    assert [disk["path"] for disk in looked.parts["disks"]] == ["/"]
    assert looked.findings == []


def test_a_full_disk_that_is_read_only_is_no_matter(here: Recorded) -> None:
    here.mounts("22 1 8:1 / / ro - ext4 /dev/sda1 ro")
    assert look(here, spaces(100.0)).findings == []


def test_errors_that_ext4_noted_are_told(here: Recorded) -> None:
    here.write("sys/fs/ext4/sda1/errors_count", "3\n")
    looked = look(here, spaces())
    assert severities(looked.findings) == {"disk.errors:/": "medium"}
    assert looked.parts["disks"][0]["errors"] == 3


def test_a_server_that_is_gone_holds_nothing_up(here: Recorded) -> None:
    gone = [f"{100 + n} 22 0:{100 + n} / /mnt/{n}/nfs rw - nfs4 server{n}:/export rw" for n in range(50)]
    here.mounts(ROOT, *gone)
    let_go = threading.Event()

    def asked(path: str) -> Space:
        if path.endswith("nfs"):
            let_go.wait(60)
        return Space(GIB, 0, GIB, 0, 0)

    try:
        found = disks.look(here.tree, (), THRESHOLDS, asked, patience=0.05)
    finally:
        let_go.set()
    assert severities(found.findings) == {f"disk.silent:/mnt/{n}/nfs": "high" for n in range(50)}
    assert [disk["used_bytes"] for disk in found.measured] == [0, *[None] * 50]


def test_a_file_system_that_is_broken_is_told_and_one_that_may_not_be_asked_is_unavailable(here: Recorded) -> None:
    here.mounts(ROOT, "40 22 8:2 / /eio rw - xfs /dev/sda2 rw", "41 22 8:3 / /private rw - fuse.x x rw")
    looked = look(here, spaces(eio=OSError(errno.EIO, "x"), private=PermissionError(errno.EACCES, "Permission denied")))
    assert severities(looked.findings) == {"disk.broken:/eio": "high", "disk.space:/private": "unavailable"}


def test_named_paths_choose_the_file_systems_that_hold_them(here: Recorded) -> None:
    here.mounts(ROOT, ODD)
    looked = look(here, spaces(), "/data/home/me", "/srv/with space/x", "/datax")
    assert [disk["path"] for disk in looked.parts["disks"]] == ["/", "/data/home", "/srv/with space"]


def test_a_machine_without_a_mount_table_says_so(here: Recorded) -> None:
    (here.folder / "proc/self/mountinfo").unlink()
    assert severities(look(here, spaces()).findings) == {"disk:machine": "unavailable"}


@given(st.text(alphabet="ab /\\0 -:,147\n", max_size=200))
def test_any_mount_table_is_read(text: str) -> None:
    mounts.choose(mounts.parse(text))
    mounts.wanted(text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30))
def test_a_path_of_any_letters_is_read_as_it_is(name: str) -> None:
    escaped = "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in "/" + name)
    (entry,) = mounts.parse(f"40 22 8:2 / {escaped} rw - ext4 /dev/x rw")
    assert entry.path == "/" + name


# ---------------------------------------------------------------- real ones

FILLED = """
import json, os, sys
from pipe_agents.system import disks
from pipe_agents.system.trees import Tree
from pipe_schemas.system_defaults import THRESHOLDS
point = sys.argv[1]
def told():
    seen = disks.look(Tree(), (point,), THRESHOLDS)
    return [seen.measured[0]["used_percent"], [(one["check"], one["severity"]) for one in seen.findings]]
answers = [told()]
with open(point + "/fill", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(65536))
    except OSError:
        pass
answers.append(told())
os.truncate(point + "/fill", 0)
made = 0
try:
    while True:
        open(f"{point}/{made}", "w").close()
        made += 1
except OSError:
    pass
answers.append(told())
print(json.dumps(answers))
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[list[str]]:
    """A command in front of another one that mounts 4 MiB with 64 inodes at its first argument."""
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None or shutil.which("mount") is None:
        pytest.skip("no `unshare` and `mount` here")
    mount = 'mount -t tmpfs -o size=4m,nr_inodes=64 tmpfs "$1" && shift && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", str(tmp_path)]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30)
    if tried.returncode:
        pytest.skip(f"this system lets no namespace be made: {tried.stderr.strip()}")
    yield command


def test_a_real_file_system_that_fills_is_found(small: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*small, sys.executable, "-c", FILLED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    empty, full, crowded = json.loads(done.stdout)
    assert (empty[0], empty[1]) == (0.0, [])
    assert full == [100.0, [["disk.full", "high"]]]
    assert crowded[1] == [["disk.inodes", "critical"]]


def test_an_image_that_fills_is_found(tmp_path: Path) -> None:
    """A loop mount, where this user may make one."""
    mkfs = shutil.which("mkfs.ext4") or shutil.which("mkfs.ext4", path="/sbin:/usr/sbin")
    if mkfs is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("a loop mount needs root and mkfs.ext4")
    image, point = tmp_path / "image", tmp_path / "point"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(8 * 2**20)
    subprocess.run([mkfs, "-q", "-m", "0", "-N", "64", str(image)], check=True, capture_output=True, timeout=30)
    script = f'mount -o loop "{image}" "{point}" && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, timeout=30)
    if tried.returncode:
        pytest.skip(f"no loop mount here: {tried.stderr.strip()}")
    done = subprocess.run(
        [*command, sys.executable, "-c", FILLED, str(point)], capture_output=True, text=True, timeout=60, check=True
    )
    empty, full, crowded = json.loads(done.stdout)
    assert empty[1] == []
    assert full[0] >= 99
    assert full[1] == [["disk.full", "critical"]]
    assert crowded[1] == [["disk.inodes", "critical"]]


def test_this_machines_root_is_measured_as_statvfs_says() -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux's mount table")
    seen = disks.look(Tree(), ("/",), THRESHOLDS)
    found = os.statvfs("/")
    (root,) = [disk for disk in seen.measured if disk["path"] == "/"]
    assert root["total_bytes"] == found.f_blocks * found.f_frsize


def test_a_path_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("Linux's mount table")
    seen = disks.look(Tree(), (str(tmp_path / "nowhere"),), THRESHOLDS)
    assert severities(seen.findings) == {f"disk.missing:{tmp_path / 'nowhere'}": "high"}
    assert seen.measured == []
