"""What programs print of the values in their arguments, and of those that they read."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from pipe_runner.expressions.shell_model import STANDARD_INPUT, Facts, Word
from pipe_runner.expressions.shell_printers import FILTERS

WRITING: Final = frozenset({"echo", "printf", "true"})
_SAYING: Final = frozenset({*WRITING, "tr", "basename", "dirname", "expr", "yes", "seq", "mktemp"})
"""Programs that print of their arguments."""
_PRINTED: Final = {
    "cut": re.compile(r"--out"),
    "join": re.compile(r"-[et]"),
    "paste": re.compile(r"-s?d|--del"),
    "column": re.compile(r"-t?o|--output-s"),
    "pr": re.compile(r"-[sS]|--sep"),
    "nl": re.compile(r"-s|--number-sep"),
    "stat": re.compile(r"-L?c|--format|--printf"),
    "find": re.compile(r"-printf"),
    "grep": re.compile(r"--label"),
    "diff": re.compile(r"--label|-L"),
    "shuf": re.compile(r"-[a-z]*e|--echo"),
    "numfmt": re.compile(r"--suffix|--format"),
    "curl": re.compile(r"-[a-zS]*w|--write-out"),
    "git": re.compile(r"--format|--pretty"),
}
"""Options of programs whose value is printed."""
_PASSING: Final = """
    egrep fgrep rg yq gojq jaq nl bc dc strings iconv expand unexpand fmt shuf pr dd pv gzip gunzip zcat bzip2 bunzip2
    bzcat xz unxz xzcat zstd zstdcat openssl more less col split comm join diff ts sponge xxd base32
"""
PASSING: Final = frozenset({*FILTERS, *_PASSING.split()})
"""Programs that print of what they read."""
_PYTHONS: Final = frozenset({"python", "python2", "python3", "pypy", "pypy3"})
_CODED: Final = frozenset({*_PYTHONS, "perl", "ruby", "node", "nodejs", "php", "lua", "bun"})
"""Interpreters whose code may stand behind an option."""
_AWKS: Final = frozenset({"awk", "gawk", "mawk", "nawk"})
_BETWEEN: Final = frozenset({"OFS", "ORS"})
"""Variables of awk that it prints of itself."""
_JQS: Final = frozenset({"jq", "gojq", "jaq"})
_OPTION: Final = re.compile(r"-[A-Za-z0-9]*[ceErp]|--(?:eval|print)")
OPENED: Final = re.compile(
    r"(?:open|read\w*|path|require|exists?|isfile|getsize|stat|listdir)\(\s*(?:sys\.|process\.)?\$?argv\[-?\d+\]", re.I
)
"""An argument that names a file: what is printed is what stands in it."""
ARGUMENTS: Final = re.compile(r"argv|\bshift\b|\barg\[", re.I)
_LOOKED_UP: Final = re.compile(
    r"(?:environ(?:\.get\(|\[)|getenv\(|\bENV(?:IRON)?[\[{.]|ENV\.fetch\(|\benv[.\[]|\b(?:str)?env\()\s*[\"']?([A-Za-z_]\w*)"
)
_INPUT: Final = re.compile(r"stdin|\binput\(|open\(0|\bgets\b|<>|\bARGF\b|Sync\(0", re.I)
_GIVEN: Final = re.compile(r"(?:-v)?([A-Za-z_]\w*)=")
_INNERMOST: Final = re.compile(r"(?<![\w.])([\w.]*)\(([^()]*)\)(\.days\b)?")
_NUMBERS: Final = frozenset({"int", "len", "sum", "round", "ord"})
_COUNTING: Final = (".count", ".timestamp", ".total_seconds")
_FIGURES: Final = re.compile(r"[-+*/%0-9. ,]*(?:,\s*(?:end|flush)=[^,]*)*")
_KEPT: Final = re.compile(
    r"(?:^|[;\n])[ \t]*([A-Za-z_]\w*)\s*=\s*"
    r"(?:-?\d+(?=\s*(?:[;#\n]|\Z))|(?:int|len|sum|round)\((?![^;\n]*\b(?:and|or|if)\b))"
)
"""A variable of Python's that is given a number."""
_SET: Final = re.compile(r"\b([A-Za-z_]\w*)\s*[*/%:]?=(?!=)")
_BOUND: Final = re.compile(
    r"\bfor\b([\w, \t()*]{1,80}?)\bin\b|\b(?:as|in)\s+([A-Za-z_]\w*)\b|\bdef\s+\w+\(([^)]{0,200})"
    r"|\blambda\b([^:\n]{0,80}):|(?:^|[;\n:])[ \t]*\(?([\w*]+[ \t]*,[\w*, \t]*)(?:\)[ \t]*)?=(?!=)"
)
"""Where names of Python's get values otherwise: loops, imports, parameters, several at once."""
_NAME: Final = re.compile(r"[A-Za-z_]\w*")
_USED: Final = re.compile(r"\b[A-Za-z_]\w*\b(?!\s*=)")
_FORMATTED: Final = re.compile(r"f?[\"'](?:%d[\"']\s*%|\{([^{}\"']*?)(?::d)?\}[\"'])")
_ANOTHER_WAY: Final = re.compile(r"write|system|subprocess|popen|exec|=\s*print\b")
_SAID: Final = re.compile(r"(?:console\.log|\bprint|\bputs|\bsay|\becho)\b\s*([^;\n]*)")
_COUNTED: Final = re.compile(
    r".*\.(?:length|size|count|to_i|sum)\s*+\)?[\s}]*+"
    r"|\(?\s*(?:length|scalar|int|parseInt|Number|count|strlen)\b.*"
)
_MAX_DEPTH: Final = 20


def says(name: str, words: Sequence[Word]) -> bool:
    """Whether a program prints of these arguments as they are."""
    if name in _CODED:
        code = coded(name, words)
        return code is not None and ARGUMENTS.search(OPENED.sub("", code)) is not None
    if name in _PRINTED:
        return _says_by_option(_PRINTED[name], words)
    if name in _AWKS:
        program = _program(words)
        given = {found[1] for word in words if word.rich and (found := _GIVEN.match(word.text))}
        return "ARGV" in program or any(each in _BETWEEN or awk_says(each, program) for each in given)
    if name in _JQS:
        program = _program(words)
        pairs = zip(words, words[1:], words[2:], strict=False)
        given = {key.text for option, key, value in pairs if option.text in ("--arg", "--argjson") and value.rich}
        return "$ARGS" in program or any(_jq_says(each, program) for each in given)
    if name == "date":
        return any(word.rich and word.text.startswith("+") for word in words)
    return name in _SAYING


def _says_by_option(option: re.Pattern[str], words: Sequence[Word]) -> bool:
    """Whether something stands in the value of such an option."""
    for at, word in enumerate(words):
        if (found := option.match(word.text)) is not None:
            glued = "=" in word.text if word.text.startswith("--") else found.end() < len(word.text)
            if any(value.rich for value in ([word] if glued else words[at + 1 : at + 2])):
                return True
    return False


def passes(name: str, words: Sequence[Word]) -> bool:
    """Whether an interpreter's code may print of what it reads from standard input."""
    code = coded(name, words)
    each_line = any(re.fullmatch(r"-[a-z]*[np][a-z]*", word.text) for word in words[:3]) and name in ("perl", "ruby")
    return code is not None and (each_line or _INPUT.search(code) is not None)


def looked_up(name: str, words: Sequence[Word]) -> list[str]:
    """The variables of the environment that an interpreter's code, or `printenv`, may print."""
    if name == "printenv":
        return [word.text for word in words]
    code = _program(words) if name in _AWKS or name in _JQS or name == "yq" else coded(name, words)
    return _LOOKED_UP.findall(code or "")


def coded(name: str, words: Sequence[Word]) -> str | None:
    """The code behind an interpreter's option, if it has any."""
    if name not in _CODED:
        return None
    for option, code in itertools.pairwise(words):
        if not option.text.startswith("-"):
            return None
        if _OPTION.fullmatch(option.text) is not None:
            return code.text
    return None


def code_of(name: str, words: Sequence[Word]) -> str | None:
    """The code among an interpreter's arguments, if it has any there."""
    return _program(words) if name in _AWKS or name.endswith("sed") else coded(name, words)


def counts(name: str, words: Sequence[Word]) -> bool:
    """Whether an interpreter's code prints numbers alone: `print(len(…))`, `console.log(x.length)`."""
    code = coded(name, words)
    return code is not None and words[0].text not in ("-p", "-pe") and _counts(name, code)


def reads_program(name: str, words: Sequence[Word]) -> bool:
    """Whether such an interpreter finds its code on standard input."""
    operand = next((word.text for word in words if word.text == "-" or not word.text.startswith("-")), "-")
    return name in _CODED and operand in STANDARD_INPUT and coded(name, words) is None


def interpret(key: Callable[[str], str], given: Facts, text: str) -> None:
    """The code that an interpreter finds on its standard input: what it prints of its arguments and the environment.
    `key`: what a variable is called in the tables."""
    if (facts := given.interpreted) is not None:
        facts.says |= ARGUMENTS.search(OPENED.sub("", text)) is not None
        facts.looked_up += map(key, _LOOKED_UP.findall(text))
        facts.number |= _counts(facts.interprets, text)


def _counts(name: str, code: str) -> bool:
    if _ANOTHER_WAY.search(code) is not None:
        return False
    if name not in _PYTHONS:
        said = [found[1] for found in _SAID.finditer(code)]
        return bool(said) and all(_COUNTED.fullmatch(each) for each in said)
    code = _FORMATTED.sub(r"\1", code)
    given = Counter([*_SET.findall(code), *_NAME.findall(" ".join(itertools.chain(*_BOUND.findall(code))))])
    figures = {name for name in _KEPT.findall(code) if given[name] == 1}
    code = _USED.sub(lambda found: "0" if found[0] in figures else found[0], code)
    for _ in range(_MAX_DEPTH):
        code, found = _INNERMOST.subn(_figured, code)
        if not found:
            break
    return "print" not in code and "\0" in code


def _figured(found: re.Match[str]) -> str:
    """A call of Python's without brackets: a number, a `print` of numbers, or something else."""
    if found[1] == "print":
        return "\0" if _FIGURES.fullmatch(found[2].strip()) else "print"
    if found[1] in _NUMBERS:
        return "0"
    if "print" in found[2]:
        return "print"
    return "0" if found[3] or found[1].endswith(_COUNTING) else f"{found[1]} x"


def _program(words: Sequence[Word]) -> str:
    """The text of awk or jq among its arguments, with what else stands in the file's own words."""
    return "\n".join(word.text for word in words if not word.holes and not _GIVEN.match(word.text))


def awk_says(name: str, program: str) -> bool:
    """Whether a variable of awk stands elsewhere than in a comparison, as a key, or as the number of a field."""
    compared = rf"(?:[=!]=|!?~|[<>]=?)\s*{name}\b|\b{name}\s*(?:[=!]=|!?~|[<>])|[$\[]{name}\b"
    return re.search(rf"\b{name}\b", re.sub(compared, "", program)) is not None


def _jq_says(name: str, program: str) -> bool:
    """Whether a variable of jq stands elsewhere than in a comparison, as a key, or alone in a call."""
    name = re.escape(name)
    compared = rf"(?:[=!]=|[<>]=?)\s*\${name}\b|\[\${name}\]|\b(?!select)\w+\(\${name}\)"
    return re.search(rf"\${name}\b", re.sub(compared, "", program)) is not None
