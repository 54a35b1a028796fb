"""Code in a command line that runs what it puts together: `awk '{ system("ls " $1) }'`, `python3 -c 'os.system(…)'`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from pipe_runner.expressions.shell_model import Word
from pipe_runner.expressions.shell_spoken import ARGUMENTS, OPENED, code_of

_TEXT: Final = r"""\s*[rb]?(?:"[^"\\$#]{0,300}"|'[^'\\]{0,300}')"""
_FURTHER: Final = r"(?:(?!input|stdin|env\b|executable|preexec)[^()]){0,200}"
"""Arguments behind that which don't say what it reads or by whom it is run."""
_LITERAL: Final = rf"{_TEXT}\s*\)"
_OTHERS: Final = r"[^{};\n\"/|]{0,200}"
_PRINTED: Final = rf"\bprintf?\b{_OTHERS}(?:\"[^\"]{{0,200}}\"{_OTHERS}){{0,20}}"
_SHELL: Final = r"\"(?:[\w./-]{0,50}/)?(?:a|ba|da|k|z|c|tc|fi)?sh\b"
_ONE: Final = r"(?:\"[^\",]{0,300}%s[^\",]{0,300}\"|[\w$@.\[\]]{1,100})\s*(?:[);}\n]|\Z)"
"""One text for a shell, not a program with its arguments."""
_RUNNING: Final = {
    "sed": r"\bs([/|,#])(?:(?!\1).){0,300}\1(?:(?!\1).){0,300}\1[0-9a-zI]{0,9}e",
    "python": (
        rf"\bos\.(?:system|popen)\((?!{_LITERAL})|shell\s*=\s*True|\bsubprocess\.get(?:status)?output\("
        rf"|(?<![\w.])(?:eval|exec)\((?!{_LITERAL}|open\({_TEXT}\)\.read\(\)\s*[,)])"
    ),
    "awk": (rf"\bsystem\s*\((?!{_LITERAL})|{_PRINTED}\|&?\s*(?:{_SHELL}|[A-Za-z_$(])|[\w)\]]\s*\|&?\s*getline\b"),
    "perl": (
        rf"\b(?:system|exec)\b\s*\(?\s*{_ONE % '[$@]'}|`[^`]{{0,300}}[$@]|\bqx\W[^;]{{0,300}}[$@]"
        r"|\beval\b\s*\(?\s*[$@\"<]"
        r"|\bs/(?:[^/\\]|\\.){0,300}/(?:[^/\\]|\\.){0,300}/[a-z]*e[a-z]*e"
    ),
    "ruby": (
        rf"\b(?:system|exec|spawn)\b\s*\(?\s*{_ONE % '#[{]'}|`[^`]{{0,300}}#\{{|%x\W[^;]{{0,300}}#\{{|(?<![\w.])eval\b"
    ),
    "node": (
        rf"(?:(?<![\w.])exec|\bexecSync|child_process['\"]\)\.exec|\b(?:cp|child_process)\.exec)\((?!{_TEXT}\s*(?:,{_FURTHER})?\))"
        r"|(?<![\w.])eval\(|\bnew\s+Function\(|\bvm\.run|shell:\s*true"
    ),
    "php": (rf"(?<![\w>:$])(?:system|exec|shell_exec|passthru|popen|eval|assert)\s*\((?!{_LITERAL})|`[^`]{{0,300}}\$"),
}
_KINDS: Final = {
    **dict.fromkeys(("python2", "python3", "pypy", "pypy3", "ipython", "ipython3"), "python"),
    **dict.fromkeys(("gawk", "mawk", "nawk", "original-awk"), "awk"),
    **dict.fromkeys(("gsed", "ssed"), "sed"),
    **dict.fromkeys(("nodejs", "bun"), "node"),
    "perl5": "perl",
}
"""Interpreters of the same language."""
_QUOTING: Final = re.compile(r"shlex|quotemeta|[sS]hellescape|Shellwords|escapeshell|literal_eval")
"""What makes one word of a text for a shell, or reads it as data."""
MAX_CODE: Final = 10_000
"""Characters of code that are looked at."""
_FIXED: Final = {
    "python": re.compile(rf"\({_TEXT}\s*,{_FURTHER}\bshell\s*=\s*True{_FURTHER}\)"),
    "perl": re.compile(r"`[^`$@]{0,300}`"),
    "ruby": re.compile(r"`(?:[^`#]|#(?!\{)){0,300}`"),
}
"""Where a text of the code alone is run."""
_HANDED_ON: Final = re.compile(r"\b(?:exec|system)\b\s*\(?\s*@ARGV\b")
_HOLDING: Final = r"(?<![\w$])(%s)\s{0,2}=\s{0,2}\"(?![^\"]{0,300}sh\b)[^\"\\]{0,300}\"\s{0,2}(?=[;})\n]|\Z)"
"""A variable of awk's that is given a text, which is no shell."""
_MOST_HOLDING: Final = 5


def runs_values(name: str, words: Sequence[Word]) -> tuple[bool, bool]:
    """Whether the code among such an interpreter's arguments runs text that it puts together; and whether that may be
    made of its arguments."""
    kind = _KINDS.get(name, name)
    pattern = _RUNNING.get(kind)
    code = code_of(name, words) if pattern is not None else None
    if code and kind in _FIXED and len(code) <= MAX_CODE and code.count("`") % 2 == 0:
        code = _FIXED[kind].sub("", code)
    if code and handed_on(name, words) is not None:
        code = _HANDED_ON.sub("", code)
    if pattern is None or not code or len(code) > MAX_CODE or re.search(pattern, code) is None or _QUOTING.search(code):
        return False, False
    if kind == "awk" and re.search(pattern, _settled(code, words)) is None:
        return False, False
    return True, kind == "awk" or ARGUMENTS.search(OPENED.sub("", code)) is not None


def handed_on(name: str, words: Sequence[Word]) -> int | None:
    """Where among perl's arguments a command begins that its code runs without a shell: `perl -e 'alarm 9; exec @ARGV'
    curl URL`. Of one word alone a shell would make a command."""
    code = code_of(name, words) if _KINDS.get(name, name) == "perl" else None
    if not code or _HANDED_ON.search(code) is None:
        return None
    begin = next(at for at, word in enumerate(words) if word.text == code) + 1
    begin += len(re.findall(r"\bshift\b", code)) + (words[begin : begin + 1] != [] and words[begin].text == "--")
    return begin if len(words) - begin > 1 else None


def _settled(code: str, words: Sequence[Word]) -> str:
    """Code of awk's without variables that hold texts which stand in it and nothing else, where those are run:
    `cmd = "date"; cmd | getline now`."""
    code = "\n".join(filter(None, (" ".join(line.split()) for line in code.split("\n"))))
    given = {word.text.removeprefix("-v").partition("=")[0] for word in words}
    for name in sorted(set(re.findall(_HOLDING % r"[A-Za-z_]\w*", code)) - given)[:_MOST_HOLDING]:
        rest = re.sub(_HOLDING % name, "", code)
        rest = re.sub(rf"\b(?:close|system) ?\( ?{name} ?\)|\|&? ?{name} ?(?=[;}}\n]|\Z)", "", rest)
        rest = re.sub(rf"([(){{;\n&!] ?|\A ?){name} ?\|&? ?getline\b", r"\1", rest)
        if re.search(rf"\b{name}\b", rest) is None:
            code = rest
    return code
