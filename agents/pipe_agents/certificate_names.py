"""Which hosts a name of a certificate stands for, the same for all agents that look at certificates."""

from __future__ import annotations


def holds_for(pattern: str, name: str) -> bool:
    """RFC 6125: `*` stands for one whole label, the first, and never below a top level. Both in ASCII."""
    ours, theirs = name.lower().rstrip(".").split("."), pattern.lower().rstrip(".").split(".")
    if len(ours) != len(theirs) or not all(theirs):
        return False
    if theirs[0] == "*":
        return len(theirs) > 2 and ours[1:] == theirs[1:] and bool(ours[0])
    return ours == theirs
