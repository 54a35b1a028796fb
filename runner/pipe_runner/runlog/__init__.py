"""The run log: how a run is written down, read back, repaired after a crash, and guarded against a second writer.

Names are loaded when they are first used, so that starting a run doesn't import what only readers need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipe_runner import handing_on

if TYPE_CHECKING:
    from pipe_runner.runlog.blobs import LastRead, encode_output, output_fields, read_blob
    from pipe_runner.runlog.lock import RunLock
    from pipe_runner.runlog.mend import Repaired, repair
    from pipe_runner.runlog.reader import LogContents, LogReader, fold_log, read_log
    from pipe_runner.runlog.rundir import RunDir, new_run_id
    from pipe_runner.runlog.unkept import UnkeptLog
    from pipe_runner.runlog.watch import follow
    from pipe_runner.runlog.writer import LogWriter

__all__ = [
    "LastRead",
    "LogContents",
    "LogReader",
    "LogWriter",
    "Repaired",
    "RunDir",
    "RunLock",
    "UnkeptLog",
    "encode_output",
    "fold_log",
    "follow",
    "new_run_id",
    "output_fields",
    "read_blob",
    "read_log",
    "repair",
]

__getattr__ = handing_on(
    __name__,
    {
        "LastRead": "blobs",
        "LogContents": "reader",
        "LogReader": "reader",
        "LogWriter": "writer",
        "Repaired": "mend",
        "RunDir": "rundir",
        "RunLock": "lock",
        "UnkeptLog": "unkept",
        "encode_output": "blobs",
        "fold_log": "reader",
        "follow": "watch",
        "new_run_id": "rundir",
        "output_fields": "blobs",
        "read_blob": "blobs",
        "read_log": "reader",
        "repair": "mend",
    },
)
