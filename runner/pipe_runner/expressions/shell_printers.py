"""Names of programs by what they print: what they are given, what they read, or what stands in files."""

from __future__ import annotations

from typing import Final

from pipe_runner.expressions.interpreter_table import SHELLS

_BYTES_OF_FILES: Final = """
    cat tac head tail zcat gunzip gzip bzcat bzip2 bunzip2 xzcat xz unxz zstd zstdcat unzip curl wget pg_dump pg_dumpall
    pg_restore mysqldump mariadb-dump mongodump aws gsutil az dd pv openssl gpg age sops tar cpio
"""
BYTES: Final = frozenset(_BYTES_OF_FILES.split())
"""Programs that print what they find under a name, not the name: what they are given isn't what comes out."""
SHOWN: Final = frozenset({"cat", "tac", "head", "tail"})
"""Those that print all of a file that they are given, or lines of it."""
_FILTERS: Final = """
    cat tac tee tr sed gsed awk gawk mawk grep cut head tail sort uniq rev fold column envsubst base64 jq paste
"""
FILTERS: Final = frozenset(_FILTERS.split())
"""Programs that print what they read."""
NETTED: Final = frozenset({*SHELLS, "python", "python3", "perl", "ruby", "node", "php"})
SPEAKERS: Final = frozenset(
    {"echo", "printf", "test", "[", "grep", "which", "type", "man", "apt", "apt-get", "pip", "dnf", "yum"}
)
