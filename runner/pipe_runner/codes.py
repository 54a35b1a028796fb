"""Every diagnostic code and its title; docs/diagnostics.md explains each one (a test compares the two).

E1xx reading YAML · E2xx shape of the file · E3xx graph and references · E4xx expressions and shell text ·
E5xx agents, options and types · E6xx paths, secrets and policy · E9xx not available in this version · W… warnings.
"""

from __future__ import annotations

from typing import Final

CODES: Final[dict[str, str]] = {
    "E101": "not valid YAML",
    "E102": "tab in the indentation",
    "E103": "not UTF-8",
    "E104": "character that YAML doesn't allow",
    "E105": "empty file",
    "E106": "no map at the top",
    "E107": "several documents in one file",
    "E108": "duplicate key",
    "E109": "key that isn't text",
    "E110": "tag",
    "E111": "unknown alias",
    "E112": "alias inside what it stands for",
    "E113": "aliases that expand too far",
    "E114": "merge key without a map",
    "E115": "number that JSON doesn't have",
    "E116": "nested too deeply",
    "E117": "unquoted expression",
    "E118": "file too large",
    "E119": "too many faults",
    "E120": "YAML directive",
}
