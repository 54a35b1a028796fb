"""What a model would have looked at next: only agents that measure, and only tasks that look."""

from __future__ import annotations

import re
from typing import Any, Final

_COMMAND: Final = re.compile(
    r"&&|\|\||\$\(|[|>]\s*[\w/]|;\s*(?:rm|sudo|sh|curl|wget)\b|(?<!\S)-{1,2}[A-Za-z][\w-]*"
    r"|^\W*(?:sudo|rm|rmdir|mv|dd|mkfs\S*|killall|pkill|reboot|shutdown|poweroff|halt|systemctl|docker|kubectl|helm|chmod|"
    r"chown|iptables|nft|curl|wget|bash|sh|python3?|eval|exec|psql|mysql|redis-cli)\s",
    re.I,
)
_CHANGES: Final = re.compile(
    r"^\W*(?:please\s+)?(?:restart|reboot|stop|delete|remove|kill|drop|truncate|wipe|format|shut|erase|purge|disable|enable|"
    r"scale|terminate|roll|run|execute|install|upgrade|clean|clear|empty)\b",
    re.I,
)


def looks(task: str, measures: bool) -> bool:
    """Whether a task only looks: it is no command and, where no agent that measures is to do it, changes nothing."""
    return not _COMMAND.search(task) and (measures or not _CHANGES.match(task))


def measuring() -> list[str]:
    """Names of the installed agents that measure and may be chosen for a task. Blocks."""
    from importlib.metadata import entry_points

    return sorted({point.name for point in entry_points(group="pipe_runner.agents") if _measures(point)})


def _measures(point: Any) -> bool:
    """As for a task in words: it says by which it is found, changes nothing, and a task can say all that it needs."""
    try:
        agent = point.load()()
        about = agent.describe()
        speaks = any(getattr(one, "words", ()) for one in about.capabilities)
        needs_models = about.asks_models and not hasattr(agent, "may_ask")
        if not speaks or about.changes_things or about.runs_functions or needs_models:
            return False
        fields = agent.options_model().model_fields.values()
        return all("x-task" in (field.json_schema_extra or {}) for field in fields if field.is_required())
    except (Exception, SystemExit):  # a plugin's own fault, whatever it is, is none of the explanation's
        return False
