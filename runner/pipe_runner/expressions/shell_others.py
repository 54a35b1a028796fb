"""Programs that run what one of their options, or the beginning of an operand, says."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from pipe_runner.expressions.shell_files import choose_parts, file_key
from pipe_runner.expressions.shell_leading import HERE, begins, could_be_options
from pipe_runner.expressions.shell_marks import set_variable
from pipe_runner.expressions.shell_model import Word

if TYPE_CHECKING:
    from pipe_runner.expressions.interpreters import Command


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_RUNS: Final = "what this option says is run"
_PLAIN: Final = "write the command without values"


class _Options(NamedTuple):
    """What options of a program mean; their names as they are written, with a `-` or two."""

    code: str = ""
    """Options whose value is a command, or code."""
    chosen: str = ""
    """Those whose value names a program or a script."""
    parts: str = ""
    """Those whose value says where parts of it are found."""
    letters: str = ""
    """Letters of other options that take a value."""
    long: str = ""
    """Long ones of them."""
    single: bool = False
    """`-name` is one option, not several letters."""
    warned: bool = True
    """An operand that could be an option is warned of."""
    stdin: bool = False
    """Reads commands from standard input where no option gave any."""


_EDITORS: Final = {"vim": ("+", True), "ex": ("+", True), "ed": ("!", False), "Lisp": ("-", True)}
"""What a command begins with among the operands of an editor, and whether `--` says that none follow."""
_BY_OPTION: Final = {
    "zip": _Options(code="-TT --unzip-command", letters="bnPtisxO", single=True, long="-b -n -P -t -tt -i -s -x -O"),
    "wget": _Options(
        code="--use-askpass -e --execute",
        chosen="--config",
        letters="oaiBtOTwQPUADRIl",
        long="--output-document --output-file --input-file --tries --timeout --header --user-agent --user --password "
        "--post-data --directory-prefix",
    ),
    "man": _Options(code="-P --pager -H --html", chosen="-C --config-file", letters="LmMSseREprT"),
    "tcpdump": _Options(chosen="-z", letters="BcCDEFGijmMQrsTVwWyZ"),
    **dict.fromkeys(
        ("nc", "netcat", "ncat"),
        _Options(
            code="-c -e --sh-exec --exec --lua-exec",
            letters="giImMopPqsTVwWxX",
            long="--source-port --wait --output",
            warned=False,
        ),
    ),
    **dict.fromkeys(
        ("gcc", "g++", "cc", "c++", "clang", "clang++"),
        _Options(code="-wrapper", parts="-fplugin -specs -B", long="-o -I -L -D -include -x -MF -MT", single=True),
    ),
    "nodemon": _Options(code="-x --exec", letters="weid", long="--watch --ext --ignore --delay", warned=False),
    "lldb": _Options(
        code="-o -O -k -K --one-line --one-line-before-file --one-line-on-crash",
        chosen="-s -S --source --source-before-file",
        letters="fcnpw",
        warned=False,
    ),
    "lftp": _Options(code="-e -c", chosen="-f", letters="up", warned=False, stdin=True),
    "rg": _Options(chosen="--pre --hostname-bin", letters="ABCefgjmMrtTd", warned=False),
    "rpm": _Options(code="-E --eval --pipe -D --define", letters="", warned=False),
    "openssl": _Options(
        chosen="-config -engine -provider -provider-path", single=True, warned=False, long="-in -out -subj -pass"
    ),
    "bazel": _Options(code="--run_under", warned=False),
    "cdk": _Options(code="-a --app", letters="co", long="--context --output --profile", warned=False),
    "fzf": _Options(code="--preview --bind --execute", letters="fqdn", long="--filter --query", warned=False),
    "pandoc": _Options(
        chosen="-F --filter -L --lua-filter", letters="ofrtsV", long="--output --from --to", warned=False
    ),
    "puppet": _Options(code="-e --execute", warned=False),
    "helm": _Options(chosen="--post-renderer", letters="nf", long="--namespace --values --set", warned=False),
}
_JOINED: Final = {
    "entr": ("", ""),
    "hyperfine": ("wmMrsnpcS", "-p -c -s -S --prepare --setup --cleanup --conclude --shell"),
    "watchexec": ("weiofs", ""),
    "concurrently": ("n", "--names"),
    "pdsh": ("wxflut", ""),
    "pssh": ("hHlptoe", ""),
    "clush": ("wxgfbtul", ""),
}
"""Programs that join their operands for a shell: letters of options with a value, options whose value is a command."""
_FD_RUNS: Final = re.compile(r"-[HIasLpFgil0]*[xX]")
_JOINED_TAKE: Final = _set(
    "--export-json --export-csv --export-markdown --runs --warmup --min-runs --max-runs --parameter-list --watch --ext "
    "--exts --ignore --host --hosts --user --timeout --names"
)
"""Long options of theirs that take a value."""


def _by_option(command: Command, index: int) -> None:
    name = command.words[index].text.rsplit("/", 1)[-1]
    known = _BY_OPTION[name]
    code, chosen, parts = known.code.split(), known.chosen.split(), known.parts.split()
    every = [*code, *chosen, *parts]
    letters = known.letters + "".join(option[1] for option in every if len(option) == 2)
    long = frozenset([*known.long.split(), *(option for option in every if len(option) > 2 and option not in parts)])
    if known.single:
        long |= frozenset(option for option in every if len(option) == 2)
    options, rest = command.options(index, letters, long, permute=True, single=known.single)
    for option, value in options:
        if value is None:
            continue
        if option in code:
            command.code(value, _RUNS, _PLAIN)
        elif option in chosen:
            command.chosen(value, name)
        elif option in parts:
            choose_parts(command.scan, value, name)
    if known.warned:
        could_be_options(command, rest)
    if known.stdin and not any(option in (*code, *chosen) for option, _ in options):
        command.facts.reads.append((name, _PLAIN))


def _joined(command: Command, index: int) -> None:
    """Programs whose operands are commands for a shell, and so are the values of some options."""
    name = command.words[index].text.rsplit("/", 1)[-1]
    letters, code = _JOINED[name]
    options, rest = command.options(index, letters, _JOINED_TAKE | _set(code), permute=name != "entr")
    running = [value for option, value in options if value is not None and option in code.split()]
    if name == "entr" and not any("s" in option for option, _ in options):
        command.at(rest[0] if rest else len(command.words))
        return
    for word in [*running, *(command.words[at] for at in rest)]:
        command.code(word, f"{name} hands this to a shell", _PLAIN)


def _fd(command: Command, index: int) -> None:
    """`fd … -x COMMAND`."""
    for at in range(index + 1, len(command.words)):
        option, equals, value = command.words[at].text.partition("=")
        if equals and option in ("--exec", "--exec-batch"):
            command.program(command.words[at].copy_of(value))
        if option in ("--exec", "--exec-batch") or _FD_RUNS.fullmatch(option):
            command.at(at + 1)
            return


def _sg(command: Command, index: int) -> None:
    """`sg GROUP [-c] COMMAND`."""
    for word in command.words[index + 2 :]:
        command.code(word, "sg hands this to a shell", _PLAIN)


def _setarch(command: Command, index: int) -> None:
    """`setarch [ARCHITECTURE] [OPTION]… COMMAND`."""
    first = command.words[index + 1].text if index + 1 < len(command.words) else ""
    command.wrapper(index, "", "", 0 if first.startswith("-") else 1)


_OF_BOXES: Final = {
    0: _set("--new-session --die-with-parent --clearenv --as-pid-1 --disable-userns --version --help"),
    2: _set(
        "--bind --bind-try --dev-bind --dev-bind-try --ro-bind --ro-bind-try --setenv --symlink --file --bind-data "
        "--ro-bind-data --chmod --bind-fd --ro-bind-fd"
    ),
}
"""Options of bwrap that take no value, or two; all others but `--unshare-…` take one."""


def _bwrap(command: Command, index: int) -> None:
    at = index + 1
    while at < len(command.words) and command.words[at].text.startswith("--"):
        text = command.words[at].text
        at += 1
        if text == "--":
            break
        if text == "--setenv" and at + 1 < len(command.words):
            name, value = command.words[at : at + 2]
            set_variable(command.scan, value.copy_of(f"{name.text}={value.text}"))
        plain = text in _OF_BOXES[0] or text.startswith(("--unshare-", "--share-"))
        at += 0 if plain else 2 if text in _OF_BOXES[2] else 1
    command.split(range(index + 1, min(at, len(command.words))))
    if at < len(command.words):
        command.at(at)


def _capsh(command: Command, index: int) -> None:
    """Behind `--` stand arguments of a shell."""
    words = command.words
    at = next((at for at in range(index + 1, len(words)) if words[at].text in ("--", "==", "-+", "=+")), None)
    could = range(index + 1, len(words) if at is None else at)
    for each in could:
        if words[each].text.startswith("--shell="):
            command.program(words[each].copy_of(words[each].text.partition("=")[2]))
    if at is not None and words[at].text[0] == words[at].text[1]:
        inner = command.inner([Word(words[at].start, "bash", quoted=True), *words[at + 1 :]])
        inner.at(0)
        command.facts.inherit(inner.facts)


def _daemon(command: Command, index: int) -> None:
    """start-stop-daemon: the program is an option's value, its arguments stand behind `--`."""
    running = frozenset({"--exec", "--startas"})
    taking = _set(
        "--pidfile --user --chuid --group --name --signal --retry --chdir --chroot --nicelevel --umask --output"
    )
    options, rest = command.options(index, "xapucgnsRdrNIPkO", running | taking)
    for option, value in options:
        if option in running or option in ("-x", "-a"):
            inner = command.inner([*([value] if value is not None else []), *(command.words[at] for at in rest)])
            inner.at(0)
            command.facts.inherit(inner.facts)


def _run_parts(command: Command, index: int) -> None:
    _, rest = command.options(index, "aur", frozenset({"--arg", "--umask", "--regex"}), permute=True)
    for at in rest[:1]:
        command.chosen(command.words[at], "run-parts")


def _socat(command: Command, index: int) -> None:
    _, rest = command.options(index, "bdlLtTx", permute=True)
    for at in rest:
        hint = "write the address without values; nc takes host and port as arguments"
        command.code(command.words[at], "socat runs addresses like `EXEC:…`, also behind a `!!` in another one", hint)


def _cmake(command: Command, index: int) -> None:
    words = command.words
    for at in range(index + 1, len(words)):
        text = words[at].text
        if text in ("-P", "-C") and at + 1 < len(words):
            command.chosen(words[at + 1], "cmake")
        elif text[:2] in ("-P", "-C") and len(text) > 2:
            command.chosen(words[at].copy_of(text[2:]), "cmake")
        elif text == "-E" and words[at + 1 : at + 2] and words[at + 1].text in ("env", "time"):
            behind = at + 2
            while behind < len(words) and (words[behind].text.startswith("-") or "=" in words[behind].text):
                behind += 1
            command.at(behind)
            return


def _java(command: Command, index: int) -> None:
    parts = _set("-cp -classpath --class-path -p --module-path --upgrade-module-path")
    running = re.compile(
        r"-(?:agentpath:|agentlib:|javaagent:|Xbootclasspath|XX:(?:OnOutOfMemoryError|OnError|Flags)=)"
    )
    at, words = index + 1, command.words
    while at < len(words):
        text = words[at].text
        following = words[at + 1] if at + 1 < len(words) else None
        if text in ("-jar", "-m", "--module") and following is not None:
            command.chosen(following, "java")
            return
        if text in parts and following is not None:
            choose_parts(command.scan, following, "java")
            at += 2
            continue
        if text[:1] not in ("-", "@"):
            command.chosen(words[at], "java")
            return
        if text[:1] == "@":
            command.chosen(words[at], "java")
        elif running.match(text):
            command.code(words[at], _RUNS, _PLAIN)
        at += 1


def _go(command: Command, index: int) -> None:
    words = command.words
    subcommand = words[index + 1].text if index + 1 < len(words) else ""
    options, rest = command.options(
        index + 1,
        "",
        _set(
            "-exec --exec -toolexec --toolexec -vettool --vettool -C -p -o -mod -modfile "
            "-overlay -pgo -tags -asmflags -gcflags "
            "-ldflags -buildmode -compiler -gccgoflags -installsuffix -pkgdir -coverpkg -run -timeout -count"
        ),
        single=True,
    )
    for option, value in options:
        if option.lstrip("-") in ("exec", "toolexec", "vettool") and value is not None:
            command.code(value, _RUNS, _PLAIN)
    if subcommand == "run":
        for at in rest[:1]:
            command.chosen(words[at], "go")


def _ip(command: Command, index: int) -> None:
    _, rest = command.options(index, "nfbr", frozenset({"-netns", "-n", "-family", "-batch", "-b", "-f"}), single=True)
    words = [command.words[at].text for at in rest[:3]]
    if len(words) > 2 and words[0] in ("netns", "net", "vrf") and words[1].startswith("ex"):
        command.at(rest[3] if rest[3:] and words[2] != "-all" else len(command.words))


def _mlr(command: Command, index: int) -> None:
    words, hint = command.words, "give the value by the environment: X={{ x }} mlr put '… ENV[\"X\"] …'"
    at = index + 1
    while at < len(words):
        text = words[at].text
        if text in ("--prepipe", "--prepipex") and at + 1 < len(words):
            command.code(words[at + 1], _RUNS, _PLAIN)
        elif text in ("put", "filter", "tee", "split", "case"):
            at = _verb(command, at, hint)
        at += 1


def _verb(command: Command, verb: int, hint: str) -> int:
    """The program of `put` or `filter`, which is its first operand where no option gave one."""
    words, at, coded = command.words, verb + 1, False
    while at < len(words) and words[at].text.startswith("-"):
        option = words[at].text
        if option in ("-e", "-f", "-s") and at + 1 < len(words):
            at += 1
            coded = coded or option != "-s"
            if option == "-e":
                command.code(words[at], "the value becomes part of Miller code", hint)
            elif option == "-f":
                command.chosen(words[at], "mlr")
        at += 1
    if at < len(words) and not coded and words[verb].text in ("put", "filter"):
        command.code(words[at], "the value becomes part of Miller code", hint)
    return at


def as_commands(command: Command, what: str, operands: list[int]) -> None:
    """Operands of editors, of which some are commands by what they begin with."""
    if what not in _EDITORS:
        return
    begin, protecting = _EDITORS[what]
    message = f"a value that begins with `{begin}` would be a command of {what}"
    for at in operands:
        word = command.words[at]
        if word.text.startswith(begin):
            command.code(word, f"the value becomes part of {what} code", HERE)
        elif not protecting or at < command.protected:
            begins(command, word, "", message)


def _filtered(command: Command, index: int) -> None:
    """split, sort: one option of each is a command."""
    running = frozenset({"--filter", "--compress-program"})
    taking = frozenset({"--lines", "--bytes", "--number", "--key", "--output", "--field-separator"})
    options, _ = command.options(index, "abClntkoST", running | taking, permute=True)
    for option, value in options:
        if option in running and value is not None:
            command.code(value, _RUNS, _PLAIN)
        elif option in ("-o", "--output") and value is not None and (key := file_key(value)):
            command.scan.flows.files.add(key)
            command.facts.takes.append(key)


OTHERS: Final[dict[str, Callable[[Command, int], None]]] = {
    **dict.fromkeys(_BY_OPTION, _by_option),
    **dict.fromkeys(_JOINED, _joined),
    **dict.fromkeys(("fd", "fdfind"), _fd),
    "sg": _sg,
    "setarch": _setarch,
    "bwrap": _bwrap,
    "capsh": _capsh,
    "start-stop-daemon": _daemon,
    "run-parts": _run_parts,
    "socat": _socat,
    "cmake": _cmake,
    "java": _java,
    "go": _go,
    "ip": _ip,
    "mlr": _mlr,
    "split": _filtered,
    "sort": _filtered,
}
