"""S3 on made-up programs: quotes, substitutions and here-documents in one another, any value, both shells."""

from __future__ import annotations

import shutil
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipe_runner.expressions import compile_argv, compile_python_text, compile_shell

HOLE = "{{ inputs.v }}"
Made = tuple[str, str]
"""A piece of shell text, and what it must come to."""


class Maker:
    """Makes shell text around holes, and what it prints when the value is `value`."""

    def __init__(self, choices: Random, value: str) -> None:
        self.choices = choices
        self.value = value
        self.documents = 0

    def joined(self, pieces: list[str], depth: int) -> Made:
        """One to three pieces, each by the function of its name."""
        made = [getattr(self, self.choices.choice(pieces))(depth - 1) for _ in range(self.choices.randint(1, 3))]
        return "".join(text for text, _ in made), "".join(meaning for _, meaning in made)

    def hole(self, depth: int) -> Made:
        return HOLE, self.value

    def letters(self, depth: int) -> Made:
        return "lit", "lit"

    def quoted_letters(self, depth: int) -> Made:
        return "it' ", "it' "

    def backslash(self, depth: int) -> Made:
        return "\\" + HOLE, "\\" + self.value

    def variable(self, depth: int) -> Made:
        return "${s}", "set"

    def single(self, depth: int) -> Made:
        return f"'# \"{HOLE}'", f'# "{self.value}'

    def escaped_quote(self, depth: int) -> Made:
        return "\\'", "'"

    def word(self, depth: int) -> Made:
        pieces = ["letters", "hole", "hole", "single", "escaped_quote"]
        return self.joined(pieces + (["double", "default"] if depth > 0 else []), depth)

    def double(self, depth: int) -> Made:
        pieces = ["quoted_letters", "hole", "hole", "backslash", "variable"]
        text, meaning = self.joined(pieces + (["substitution", "double_default"] if depth > 0 else []), depth)
        return f'"{text}"', meaning

    def default(self, depth: int) -> Made:
        text, meaning = self.word(depth)
        return "${u-" + text + "}", meaning

    def double_default(self, depth: int) -> Made:
        text, meaning = self.joined(["letters", "hole"] + (["substitution"] if depth > 0 else []), depth)
        return "${u:-" + text + "}", meaning

    def substitution(self, depth: int) -> Made:
        text, meaning = self.word(depth)
        form = self.choices.randrange(4)
        if form == 0:
            return f"$(printf '%s.' {text})", meaning + "."
        if form == 1:
            return f"$( # it's a comment (\nprintf '%s.' {text} | cat )", meaning + "."
        if form == 2:
            return f"$(case {text} in {text}) printf '%s.' {text};; *) printf NO;; esac)", meaning + "."
        text, meaning = self.document(depth)
        return f"$({text}printf .)", meaning + "."

    def document(self, depth: int) -> Made:
        self.documents += 1
        delimiter = f"END{self.documents}"
        pieces = ["quoted_letters", "hole", "hole", "backslash", "variable"]
        text, meaning = self.joined(pieces + (["substitution", "double_default"] if depth > 0 else []), depth)
        return f"cat <<{delimiter}\n{text}\n{delimiter}\n", meaning + "\n"

    def printed(self, depth: int) -> Made:
        text, meaning = self.word(depth)
        return f"printf '<%s>' {text}\n", f"<{meaning}>"

    def assigned(self, depth: int) -> Made:
        text, meaning = self.word(depth)
        return f"x={text}; printf '<%s>' \"$x\"\n", f"<{meaning}>"

    def branch(self, depth: int) -> Made:
        text, meaning = self.program(depth)
        return f"if true; then # don't {{{{\n{text}fi\n", meaning

    def function(self, depth: int) -> Made:
        text, meaning = self.program(depth)
        return f"f{depth}() {{\n{text}}}\nf{depth}\n", meaning

    def case(self, depth: int) -> Made:
        word, _ = self.word(depth)
        text, meaning = self.program(depth)
        return f"case {word} in no|(x) eval :;; {word})\n{text};; esac\n".replace("|(x)", "|x)"), meaning

    def loop(self, depth: int) -> Made:
        word, value = self.word(depth)
        return f"for i in {word} b; do printf '<%s>' \"$i\"; done\n", f"<{value}><b>"

    def program(self, depth: int) -> Made:
        return self.joined(
            ["printed", "assigned", "document", *(["branch", "function", "case", "loop"] if depth > 0 else [])], depth
        )


values = st.one_of(
    st.sampled_from(
        ["", "\n\n", "'\"`$(touch CANARY)\\", "-n", "~", "!!", "END1\ntouch CANARY", "{{ inputs.v }}", "\udcff\x01"]
    ),
    st.lists(
        st.sampled_from(
            ["'", '"', "\\", "$(touch CANARY)", "`", "\n", " ", "*", "a", "END1", "}", "{{", "\udcff", "é", "#"]
        ),
        max_size=6,
    ).map("".join),
)


@pytest.mark.parametrize("shell", ["sh", "bash"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(choices=st.randoms(use_true_random=False), value=values)
def test_s3_a_made_up_program_prints_the_values(shells: Any, shell: str, choices: Random, value: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    text, meaning = Maker(choices, value).program(3)
    assert shells.run(text, value, shell) == shells.as_bytes(meaning), compile_shell(text)[0].program


pieces = st.sampled_from(
    ["$((", "))", "((", "$(", ")", "`", "${", "${x:-", "}", "'", '"', "a[", "]=1;", "]", "<<E ", "\nE\n", "\n", "|",
     "sh", "sh -c ",
     "docker ", "nice ", "xargs ", "find . -exec ", "case x in ", ";;", "esac", "if ", "then ", "fi", "for i in ",
     "do ",
     "done", "{ ", "( ", "[[ ", " ]]", "$[", "$'", "\\", "#", "{%", "{{", "}}", "{% raw %}", "{% endraw %}",
     HOLE, "{{ x",
     "${{", "{{.", "<(", ">(", "@(", "eval $x;", "x=", "read x;", "$x ", "=", "env ", "a=(", "&", ";", "-eq ",
     " | trust }}",
     "declare -i x;", "a\\\n", "f() ", "function ", "<<<", ">", " ", "a ", "secrets.A", "'s", "\x00", "é"]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(st.lists(pieces, max_size=30).map("".join))
def test_s11_any_shell_text_gives_a_program_or_a_message_with_its_place(text: str) -> None:
    for compiled, faults in (compile_shell(text), compile_python_text(text)):
        for fault in faults:
            assert fault.message
            assert 0 <= fault.offset <= len(text)
        for reference in compiled.references:
            assert text.startswith(str(reference.path[0]), reference.offset)
    compile_argv(text.split(" "))


@pytest.mark.parametrize(
    "unit",
    ["$((", "((", "$(", "`", "${", "${x:-", "'", '"', "a[", "a[x;", "a[x]=1;", "<<E ", "<<E\n", "\n", "|", "sh|",
     "sh -c ",
     "docker sh ", "nice ", "xargs ", "find -exec sh ", "case x in ", "esac;", "if ", "for i in ", "{ ", "( ",
     "[[ ", "$[",
     "\\", "#", "{%", "{{", "}}", "{% raw %}", HOLE, "${{", "{{.", "<(", "@(", "eval $x;", "x=$x;",
     f"echo {HOLE}|sh;",
     f"f(){{ :;}};f {HOLE};", "read x;", "$x ", "a=(", "\"$(", "\"${x:-", f"x={HOLE};", "{{ '", "ls x;"],
    ids=repr,
)  # fmt: skip
@pytest.mark.few(4)
def test_s11_much_of_the_same_is_read_or_refused_in_time(unit: str, in_time: Any) -> None:
    import time

    for before in ("", HOLE + "\n"):
        text = (before + unit * (130_000 // len(unit)))[:130_000]
        begun = time.process_time()
        compile_shell(text)
        assert in_time(time.process_time() - begun, 3)


LONG = {
    "brackets that nothing closes": lambda n: HOLE + "\n((a # " + "((((" * (n // 4),
    "brackets and quotes": lambda n: HOLE + "\n" + '"$((" ' * (n // 6),
    "code behind many copies": lambda n: (
        f"x0={HOLE};" + "".join(f'x{i + 1}=$x{i};eval "$x{i}";' for i in range(n // 30))
    ),
    "sums of many copies": lambda n: f"x0={HOLE};" + "".join(f"x{i + 1}=$x{i};echo $((x{i}));" for i in range(n // 32)),
    "functions that call one another": lambda n: (
        "".join(f'f{i}() {{ shift; f{i + 1} "$@"; eval $3; }};' for i in range(n // 40)) + "f0 " + "a " * 60 + HOLE
    ),
    "pipes into functions": lambda n: (
        "".join(f"f{i}() {{ f{i + 1}; }};" for i in range(n // 40)) + f"echo {HOLE} | f0;" * (n // 60)
    ),
    "scripts behind docker": lambda n: HOLE + "\n" + ("docker " + "sh -c a " * 199 + ";") * (n // 1600),
    "inputs for all that follows": lambda n: HOLE + "\n" + "exec < <(a);bash;" * (n // 17),
    "words that may be nothing": lambda n: HOLE + "\neval " + "$x " * (n // 3),
    "variables that mean others": lambda n: (
        HOLE + "\n" + "".join(f"x{i}=$x{i + 1};echo ${{!x{i}}};" for i in range(n // 30))
    ),
    "programs in variables": lambda n: HOLE + "\nc=sh;" + '"$c" x;' * (n // 8),
    "files that are run": lambda n: f"echo {HOLE} > f;" + "sh f;cat f > g;sh < f;" * (n // 23),
    "words without quotes": lambda n: f"x={HOLE};" + "[ $x = a ];" * (n // 12),
    "arrays that grow": lambda n: HOLE + "\na=();" + "a+=(x y);" * (n // 10) + '"${a[@]}"',
    "pipes into shells": lambda n: f"echo {HOLE}" + "|sh" * 190 + ";" + ("a|sh|" * 90 + "b;") * (n // 500),
}


@pytest.mark.parametrize("name", LONG)
@pytest.mark.few(2)
def test_r2_the_time_of_a_check_grows_with_the_text(name: str) -> None:
    import gc
    import time

    def taken(length: int) -> float:
        text = LONG[name](length)
        begun = time.process_time()
        compile_shell(text)
        return time.process_time() - begun

    def in_proportion() -> bool:
        once, more = (min(taken(length) for _ in range(2)) for length in (15_000, 60_000))
        return more < 10 * once + 0.05

    gc.collect()
    gc.disable()  # its cost grows with what the other tests have left
    try:
        held = any(in_proportion() for _ in range(3))  # a machine that slows down midway is no fault
    finally:
        gc.enable()
    assert held, "four times the text may take four times as long"


def test_a_shell_text_that_is_too_long_is_refused(shells: Any) -> None:
    (fault,) = shells.errors(HOLE + "x" * 200_000)
    assert fault.code == "E403"
    assert compile_shell("x" * 2_000_000)[1] == []
