"""A large output comes back byte for byte, or with a fault that names its file; nothing outside is ever read."""

from __future__ import annotations

import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.errors import StorageError
from pipe_runner.runlog import LastRead, LogWriter, RunDir, encode_output, read_blob
from pipe_runner.types import Durability, Json

outputs = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDir, LogWriter]:
    rundir = RunDir.create(tmp_path_factory.mktemp("state"), "r1")
    return rundir, LogWriter.create(rundir, Durability.FULL)


def ref_of(output: Json, log: LogWriter) -> dict[str, Any]:
    data, kind = encode_output(output)
    return {"sha256": log.put_blob(data), "bytes": len(data), "type": kind, "excerpt": ""}


@given(outputs)
def test_d1_an_output_comes_back_as_it_was(kept: tuple[RunDir, LogWriter], output: Json) -> None:
    rundir, log = kept
    assert repr(read_blob(rundir, ref_of(output, log))) == repr(output)


def test_d1_text_that_was_no_utf8_comes_back_as_it_was(kept: tuple[RunDir, LogWriter]) -> None:
    rundir, log = kept
    text = bytes(range(256)).decode("utf-8", "surrogateescape") + "\ud800"
    assert read_blob(rundir, ref_of(text, log)) == text


def test_a_blob_is_named_by_its_digest_and_holds_the_text_itself(kept: tuple[RunDir, LogWriter]) -> None:
    rundir, log = kept
    digest = log.put_blob(b"hello")
    assert digest == sha256(b"hello").hexdigest()
    assert Path(rundir.blobs, digest).read_bytes() == b"hello"


def test_the_same_blob_from_many_threads_is_kept_once_and_whole(tmp_path: Path) -> None:
    rundir = RunDir.create(tmp_path, "r1")
    log = LogWriter.create(rundir, Durability.FULL)
    data = os.urandom(300_000)
    threads = [threading.Thread(target=log.put_blob, args=(data,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert [path.read_bytes() == data for path in Path(rundir.blobs).iterdir()] == [True]


def test_a_blob_that_was_spoiled_is_mended_when_it_is_kept_again(tmp_path: Path) -> None:
    rundir = RunDir.create(tmp_path, "r1")
    log = LogWriter.create(rundir, Durability.OS)
    blob = Path(rundir.blobs, sha256(b"data").hexdigest())
    blob.parent.mkdir()
    blob.write_bytes(b"dat")
    log.put_blob(b"data")
    log.close()
    assert blob.read_bytes() == b"data"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda blob: blob.unlink(), "No such file"),
        (lambda blob: blob.write_bytes(b"x"), "1 bytes where the log says 5"),
        (lambda blob: blob.write_bytes(b"hellO"), "its sha256 is not its name"),
        (lambda blob: (blob.rename(blob.parent / "x"), blob.symlink_to("x")), "ELOOP"),
        (lambda blob: (blob.unlink(), os.mkfifo(blob)), "is damaged"),
        (lambda blob: (blob.unlink(), blob.mkdir()), "EISDIR|is damaged"),
    ],
)
def test_a_blob_that_is_not_what_the_log_says_is_named(tmp_path: Path, spoil: Any, why: str) -> None:
    rundir = RunDir.create(tmp_path, "r1")
    log = LogWriter.create(rundir, Durability.OS)
    ref = ref_of("hello", log)
    log.close()
    blob = Path(rundir.blobs, ref["sha256"])
    spoil(blob)
    with pytest.raises(StorageError, match=why) as found:
        read_blob(rundir, ref)
    assert str(blob) in found.value.message
    if "damaged" in found.value.message or "No such" in why:
        assert "from a copy" in str(found.value.hint)


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "x" * 64, "A" * 64, "a" * 63, "a" * 64 + "\n", None, 1])
def test_s9_a_reference_that_is_no_digest_opens_nothing(kept: tuple[RunDir, LogWriter], digest: object) -> None:
    with pytest.raises(StorageError, match="no output can be read"):
        read_blob(kept[0], {"sha256": digest, "bytes": 1, "type": "text"})
    with pytest.raises(StorageError, match="no output can be read"):
        read_blob(kept[0], {"sha256": "a" * 64, "bytes": 1, "type": "pickle"})


def test_a_blob_that_is_no_json_says_so(kept: tuple[RunDir, LogWriter]) -> None:
    rundir, log = kept
    for data in (b"{", b"\xff", b"[" * 10**5):
        ref = {"sha256": log.put_blob(data), "bytes": len(data), "type": "json"}
        with pytest.raises(StorageError, match="does not hold json"):
            read_blob(rundir, ref)


def test_s4_a_reference_that_is_none_is_named_without_the_output(kept: tuple[RunDir, LogWriter]) -> None:
    rundir, _ = kept
    ref = {"sha256": "no digest" * 1000, "bytes": 3, "type": "json", "excerpt": "what the node said"}
    with pytest.raises(StorageError, match="no output can be read by sha256 'no digest") as caught:
        read_blob(rundir, ref)
    assert "what the node said" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_what_was_read_last_is_parsed_once_and_no_more_than_16_mib_of_it_are_kept(
    kept: tuple[RunDir, LogWriter],
) -> None:
    rundir, log = kept
    read = LastRead(rundir)
    parts = [ref_of([number] * 2_000_000, log) for number in range(5)]  # of 4 MB each
    first = read(parts[0])
    assert read(parts[0]) is first
    for part in parts:
        read(part)
    assert read(parts[4]) is read(parts[4])
    assert read(parts[0]) is not first
    assert read(parts[0]) == first


def test_the_same_bytes_as_text_and_as_json_are_two_outputs(kept: tuple[RunDir, LogWriter]) -> None:
    rundir, log = kept
    read = LastRead(rundir)
    assert (read(ref_of([1], log)), read(ref_of("[1]", log)), read(ref_of([1], log))) == ([1], "[1]", [1])
