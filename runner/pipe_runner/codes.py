"""Every diagnostic code and its title; docs/diagnostics.md explains each one (a test compares the two).

E1xx reading YAML · E2xx shape of the file · E3xx graph and references · E4xx expressions and shell text ·
E5xx agents, options and types · E6xx paths, secrets and policy · E9xx not available in this version · W… warnings.
"""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {}
