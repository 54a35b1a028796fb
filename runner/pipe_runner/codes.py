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
    "E401": "expression that can't be read",
    "E402": "expression, block or comment that is never closed",
    "E403": "expression that is too long or nested too deeply",
    "E404": "not available in templates",
    "E405": "secret where none may stand",
    "E406": "expression of GitHub Actions",
    "E407": "Go template",
    "E408": "braces around a condition",
    "E410": "unknown name in an expression",
    "E411": "unknown filter, test, function or method",
    "E412": "node that can't be known before the run",
    "E413": "unknown field of a node or of the run",
    "E420": "value inside the text of a program",
    "E421": "value that chooses the program",
    "E422": "place in shell text that can't carry a value whole",
    "E423": "value in a quoted here-document",
    "E424": "value where the shell wants a name",
    "E425": "template syntax that shell text doesn't have",
    "E426": "expression in a Python program",
    "W401": "trusted value inside the text of a program",
    "W402": "value pasted as shell text",
    "W403": "loop over one value",
    "W404": "template block in shell text",
    "W405": "value whose backslashes are interpreted",
    "W406": "variable with a value, used as code",
}
