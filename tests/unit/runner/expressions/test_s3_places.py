"""S3: a value reaches the shell byte for byte wherever it stands, and is never shell text. Shown by running shells."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import compile_shell, evaluate

EVERYWHERE = {
    "bare": ("printf '<%s>' {{ inputs.v }}", "<V>"),
    "bare without spaces": ("printf '<%s>' {{inputs.v}}", "<V>"),
    "beside text": ("printf '<%s>' a{{ inputs.v }}b", "<aVb>"),
    "two together": ("printf '<%s>' {{ inputs.v }}{{ inputs.v }}", "<VV>"),
    "as several words": ("printf '<%s>' {{ inputs.v }} {{ inputs.v }}", "<V><V>"),
    "behind an option": ("printf '<%s>' --x={{ inputs.v }} -{{ inputs.v }}", "<--x=V><-V>"),
    "double quotes": ("printf '<%s>' \"{{ inputs.v }}\"", "<V>"),
    "double quotes beside text": ("printf '<%s>' \"a 'b' {{ inputs.v }} $s\"", "<a 'b' V set>"),
    "double quotes behind a backslash": ("printf '<%s>' \"a\\{{ inputs.v }}\\\\{{ inputs.v }}\"", "<a\\V\\V>"),
    "single quotes": ("printf '<%s>' '{{ inputs.v }}'", "<V>"),
    "single quotes beside text": ("printf '<%s>' 'a \"$b\" {{ inputs.v }} c'", "<a \"$b\" V c>"),
    "single quotes behind a backslash": ("printf '<%s>' 'a\\{{ inputs.v }}'", "<a\\V>"),
    "all quotes in one word": ("printf '<%s>' a{{ inputs.v }}'{{ inputs.v }}'\"{{ inputs.v }}\"", "<aVVV>"),
    "an assignment": ("x={{ inputs.v }}; printf '<%s>' \"$x\"", "<V>"),
    "an assignment in quotes": ("x=\"a{{ inputs.v }}\" y='{{ inputs.v }}'; printf '<%s>' \"$x$y\"", "<aVV>"),
    "an assignment for a command": ("X={{ inputs.v }} sh -c 'printf \"<%s>\" \"$X\"'", "<V>"),
    "export": ("export X={{ inputs.v }}; sh -c 'printf \"<%s>\" \"$X\"'", "<V>"),
    "a here-document": ("cat <<E\na{{ inputs.v }}b\nE\n", "aVb\n"),
    "a here-document with quotes in it": ("cat <<E\n\"{{ inputs.v }}\" '{{ inputs.v }}'\nE\n", "\"V\" 'V'\n"),
    "a here-document with tabs": ("cat <<-E\n\ta{{ inputs.v }}\n\tE\n", "aV\n"),
    "a here-document behind a backslash": ("cat <<E\na\\{{ inputs.v }} \\$s\nE\n", "a\\V $s\n"),
    "a here-document with a joined line": ("cat <<E\nx\\\nE\n{{ inputs.v }}\nE\n", "xE\nV\n"),
    "two here-documents": ("cat <<A; cat <<B\n{{ inputs.v }}\nA\nb{{ inputs.v }}\nB\n", "V\nbV\n"),
    "a command substitution": ("printf '<%s>' \"$(printf '%s.' {{ inputs.v }})\"", "<V.>"),
    "quotes in a command substitution in quotes": ("printf '<%s>' \"$(printf '%s.' \"{{ inputs.v }}\")\"", "<V.>"),
    "a here-document in a substitution": ("x=$(cat <<E\n{{ inputs.v }}.\nE\n); printf '<%s>' \"$x\"", "<V.>"),
    "a default": ("printf '<%s>' ${u:-{{ inputs.v }}} ${u-a{{ inputs.v }}}", "<V><aV>"),
    "a default in quotes": ("printf '<%s>' \"${u:-{{ inputs.v }}}\" \"${u-a{{ inputs.v }}}\"", "<V><aV>"),
    "a default that is assigned": ("printf '<%s>' \"${u:={{ inputs.v }}}\" \"$u\"", "<V><V>"),
    "an alternative": ("printf '<%s>' ${s:+{{ inputs.v }}} \"${s+a{{ inputs.v }}}\"", "<V><aV>"),
    "a default in a default": ("printf '<%s>' \"${u:-${u:-{{ inputs.v }}}}\"", "<V>"),
    "a default in a here-document": ("cat <<E\n${u:-{{ inputs.v }}}\nE\n", "V\n"),
    "a case": ("case {{inputs.v}} in x{{inputs.v}}) printf no;; {{inputs.v}}) printf yes;; esac", "yes"),
    "a case in a substitution": ("x=$(case a in a) printf '%s.' {{ inputs.v }};; esac); printf '<%s>' \"$x\"",
    "<V.>"),
    "a function's argument": ("f() { printf '<%s>' \"$1\"; }\nf {{ inputs.v }}", "<V>"),
    "inside a function": ("f() { printf '<%s>' {{ inputs.v }}; }\nf", "<V>"),
    "a loop's words": ("for i in a {{ inputs.v }}; do printf '<%s>' \"$i\"; done", "<a><V>"),
    "inside a loop": ("for i in 1 2; do printf '<%s>' {{ inputs.v }}; done", "<V><V>"),
    "a test": ("if [ {{ inputs.v }} = \"{{ inputs.v }}\" ]; then printf yes; else printf no; fi", "yes"),
    "behind comments": ("# it's {{ nodes.x }} $(\nprintf '<%s>' {{ inputs.v }} # don't {{ foo\n", "<V>"),
    "beside raw": ("printf '<%s>' {% raw %}'{{ x }}'{% endraw %}{{ inputs.v }}", "<{{ x }}V>"),
    "beside shell braces": ("printf '<%s>' ${#u}{{ inputs.v }}'{#' '{%'", "<0V{#><{%>"),
    "a subshell in a pipeline": ("( printf '<%s>' {{ inputs.v }} ) | cat", "<V>"),
    "a group": ("{ printf '<%s>' {{ inputs.v }}; }", "<V>"),
    "set": ("set -- {{ inputs.v }} b; printf '<%s>' \"$@\"", "<V><b>"),
    "through a pipe": ("printf '%s' {{ inputs.v }} | cat", "V"),
    "a file's name": ("echo a > ./f{{ inputs.v | length }}; printf '<%s>' ./f*", "<./fL>"),
    "an argument of sh -c": ("sh -c 'printf \"<%s>\" \"$1\"' sh {{ inputs.v }}", "<V>"),
    "env": ("env X={{ inputs.v }} sh -c 'printf \"<%s>\" \"$X\"'", "<V>"),
    "awk's environment": ("X={{ inputs.v }} awk 'BEGIN { printf \"<%s>\", ENVIRON[\"X\"] }'", "<V>"),
    "a line that goes on": ("printf '<%s>' \\\n  {{ inputs.v }}", "<V>"),
    "a condition": ("true && printf '<%s>' {{ inputs.v }} || printf no", "<V>"),
    "while read": ("while IFS= read -r l; do printf '%s;' \"$l\"; done <<E\nq\nE\nprintf '<%s>' {{ inputs.v }}",
    "q;<V>"),
    "elif": ("if false; then :; elif true; then printf '<%s>' {{ inputs.v }}; fi", "<V>"),
    "a redirection before the command": ("2>&1 printf '<%s>' {{ inputs.v }}", "<V>"),
}  # fmt: skip

IN_BASH = {
    "[[ == ]]": ("[[ {{ inputs.v }} == {{ inputs.v }} && x{{ inputs.v }} != {{ inputs.v }} ]] && printf yes", "yes"),
    "[[ =~ ]]": ("[[ x{{ inputs.v }}y =~ ^x{{ inputs.v }}y$ ]] && printf yes", "yes"),
    "a here-string": ("cat <<< {{ inputs.v }}", "V\n"),
    "an array": ("a=( {{ inputs.v }} b ); printf '<%s>' \"${a[@]}\"", "<V><b>"),
    "process substitution": ("cat <(printf '<%s>' {{ inputs.v }})", "<V>"),
    "brace expansion": ("printf '<%s>' x{a,{{ inputs.v }}}", "<xa><xV>"),
    "declare": ("declare y={{ inputs.v }}; printf '<%s>' \"$y\"", "<V>"),
    "local": ("f() { local y={{ inputs.v }}; printf '<%s>' \"$y\"; }; f", "<V>"),
    "an extended pattern": ("shopt -s extglob\ncase {{ inputs.v }} in @({{ inputs.v }}|zz)) printf yes;; esac", "yes"),
    "printf -v": ("printf -v x '<%s>' {{ inputs.v }}; printf '%s' \"$x\"", "<V>"),
    "appending": ("x=a; x+={{ inputs.v }}; printf '<%s>' \"$x\"", "<aV>"),
    "mapfile": ("mapfile -t a < <(printf '%s\\n' {{ inputs.v | length }}); printf '<%s>' \"${a[@]}\"", "<L>"),
}
CASES = [(shell, name) for shell in ("sh", "bash") for name in EVERYWHERE] + [("bash", name) for name in IN_BASH]


@pytest.mark.parametrize(("shell", "name"), CASES)
@pytest.mark.few(25)
def test_s3_every_value_arrives_byte_for_byte(shells: Any, shell: str, name: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    text, expected = {**EVERYWHERE, **IN_BASH}[name]
    for value in shells.hostile:
        if "extended pattern" in name and value.endswith("\n"):
            continue
        wanted = expected.replace("V", value).replace("L", str(len(value)))
        assert shells.run(text, value, shell, str(tmp_path)) == shells.as_bytes(wanted), value
        assert not (tmp_path / "CANARY").exists(), value
        for made in tmp_path.glob("f*"):
            made.unlink()


@pytest.mark.parametrize("value", [None, True, False, 0, -7, 1.5, [], ["a b", None], {"k": "é"}])
def test_s3_values_of_other_types_arrive_as_their_text(shells: Any, value: object) -> None:
    assert shells.run("printf '<%s>' {{ inputs.v }}", value) == shells.run(
        "printf '<%s>' '{{ inputs.v | string }}'", value
    )


ARITHMETIC = {
    "$(( ))": ("printf '%s' $(( {{ inputs.v }} + 1 ))", lambda n: n + 1),
    "$(( )) without spaces": ("printf '%s' $((1+{{inputs.v}}*2))", lambda n: 1 + n * 2),
    "a difference": ("printf '%s' $((5-{{ inputs.v }}))", lambda n: 5 - n),
    "in double quotes": ("printf '%s' \"$(( {{ inputs.v }} ))\"", lambda n: n),
    "in brackets": ("printf '%s' $(( (1 + {{ inputs.v }}) * 2 ))", lambda n: (1 + n) * 2),
    "a substitution inside": ("printf '%s' $(( $(printf '%s' 3) + {{ inputs.v }} ))", lambda n: 3 + n),
    "a variable that is calculated later": ("x={{ inputs.v }}\nprintf '%s' $((x + 1))", lambda n: n + 1),
    "a copy of it": ("x={{ inputs.v }}; y=$x; printf '%s' $(($y + 1))", lambda n: n + 1),
    "an argument that is calculated": ("f() { printf '%s' $(($1 + 1)); }; f {{ inputs.v }}", lambda n: n + 1),
    "in a here-document": ("cat <<E\n$(({{ inputs.v }}))\nE", lambda n: f"{n}\n"),
}
IN_BASH_ARITHMETIC = {
    "(( ))": ("(( x = {{ inputs.v }} + 1, 1 )); printf '%s' $x", lambda n: n + 1),
    "let": ("let x=10+{{ inputs.v }}; printf '%s' $x", lambda n: 10 + n),
    "[[ -eq ]]": ("[[ {{ inputs.v }} -le 99 ]] && printf yes", lambda n: "yes"),
    "declare -i": ("declare -i x={{ inputs.v }}; printf '%s' $x", lambda n: n),
    "an integer variable": ("declare -i x; x={{ inputs.v }}; printf '%s' $x", lambda n: n),
    "a for loop": (
        "for ((i = {{ inputs.v }}; i < {{ inputs.v }} + 2; i++)); do printf '%s.' $i; done",
        lambda n: f"{n}.{n + 1}.",
    ),
    "$[ ]": ("printf '%s' $[ {{ inputs.v }} + 1 ]", lambda n: n + 1),
}
SUBSCRIPTS = {
    "a subscript": ("a=(x y z); printf '%s' \"${a[{{ inputs.v }}]}\"", lambda n: "xyz"[n]),
    "a subscript that is assigned": ("a[{{ inputs.v }}]=q; printf '%s' ${!a[@]}", lambda n: n),
    "a part of a variable": ("x=abcdef; printf '%s' ${x:{{ inputs.v }}:2}", lambda n: "abcdef"[n : n + 2]),
}


@pytest.mark.parametrize("value", [0, 7, -3, "42", " 5 ", "-1", "010", 2.0])
@pytest.mark.parametrize(
    ("shell", "name"),
    [(s, n) for s in ("sh", "bash") for n in ARITHMETIC] + [("bash", n) for n in IN_BASH_ARITHMETIC],
)
def test_integers_pass_into_arithmetic(shells: Any, shell: str, name: str, value: object) -> None:
    text, expected = {**ARITHMETIC, **IN_BASH_ARITHMETIC}[name]
    assert shells.run(text, value, shell).decode() == str(expected(int(str(value).strip().removesuffix(".0"))))


@pytest.mark.parametrize("value", [0, 1, "2"])
@pytest.mark.parametrize("name", SUBSCRIPTS)
def test_integers_pass_into_subscripts(shells: Any, name: str, value: object) -> None:
    text, expected = SUBSCRIPTS[name]
    assert shells.run(text, value, "bash").decode() == str(expected(int(str(value))))


@pytest.mark.parametrize("name", [*ARITHMETIC, *IN_BASH_ARITHMETIC, *SUBSCRIPTS])
def test_s3_nothing_else_passes_into_arithmetic(shells: Any, name: str) -> None:
    text, _ = {**ARITHMETIC, **IN_BASH_ARITHMETIC, **SUBSCRIPTS}[name]
    compiled, faults = compile_shell(text)
    assert not faults
    modes = [expression for _, expression in compiled.environment if expression.body[0] == "integer"]
    assert modes
    for value in shells.hostile:
        if value == "0":
            continue
        with pytest.raises(ExpressionFault, match="shell arithmetic takes an integer"):
            for expression in modes:
                evaluate(expression, {"inputs": {"v": value}})


@pytest.mark.parametrize(
    "text",
    [
        "echo `ls {{ inputs.v }}`", 'echo "`ls {{ inputs.v }}`"', "echo $'a{{ inputs.v }}'",
        'echo $"a{{ inputs.v }}"',
        "echo ${x#{{ inputs.v }}}", 'echo "${x%%{{ inputs.v }}}"', "echo ${x/{{ inputs.v }}/b}",
        "echo ${x={{ inputs.v }}}",
        "echo ${x:={{ inputs.v }}}", "echo ${x^{{ inputs.v }}}", 'echo "${x:-"{{ inputs.v }}"}"',
        "echo \\{{ inputs.v }}",
        "cat <<{{ inputs.v }}\na\n", "echo {{- inputs.v }}", "echo {{ inputs.v -}} b",
    ],
)  # fmt: skip
def test_s3_a_place_that_cannot_carry_a_value_whole_is_refused(shells: Any, text: str) -> None:
    (fault,) = shells.errors(text)
    assert fault.code in ("E422", "E425")
    assert text[fault.offset :].startswith("{{")
    assert fault.hint or "delimiter" in fault.message


@pytest.mark.parametrize(
    "text",
    [
        "for {{ inputs.v }} in a; do :; done", "read {{ inputs.v }}", "read -r a {{ inputs.v }}",
        "unset {{ inputs.v }}",
        "export {{ inputs.v }}", "declare {{ inputs.v }}", 'declare "{{ inputs.v }}=1"',
        "declare -n x={{ inputs.v }}",
        "local {{ inputs.v }}", "readonly {{ inputs.v }}", "printf -v {{ inputs.v }} x", "test -v {{ inputs.v }}",
        "[ -v {{ inputs.v }} ]", "[[ -v {{ inputs.v }} ]]",
        "mapfile {{ inputs.v }}", "getopts ab {{ inputs.v }}",
    ],
)  # fmt: skip
def test_s3_a_value_is_never_the_name_of_a_variable(shells: Any, text: str) -> None:
    assert [fault.code for fault in shells.errors(text)] == ["E424"]


@pytest.mark.parametrize("delimiter", ["'E'", '"E"', "\\E", "E''"])
def test_a_value_in_a_quoted_here_document_is_refused_with_its_mend(shells: Any, delimiter: str) -> None:
    (fault,) = shells.errors(f"cat <<{delimiter}\na {{{{ inputs.v }}}}\nE\n")
    assert fault.code == "E423"
    assert "take the quotes off the delimiter" in str(fault.hint)


def test_a_value_that_is_pasted_is_reported_and_pasted(shells: Any) -> None:
    text = "{{ inputs.v | unsafe_raw }} | tr a b; printf '<%s>' {{ inputs.v }}"
    _, faults = compile_shell(text)
    assert [fault.code for fault in faults] == ["W402"]
    assert shells.run(text, "printf '%s' aXa") == b"bXb<printf '%s' aXa>"


def test_a_value_that_is_trusted_is_reported_and_stands_where_it_stands(shells: Any) -> None:
    text = "sh -c \"printf '<%s>' {{ inputs.v | trust }}\""
    _, faults = compile_shell(text)
    assert [fault.code for fault in faults] == ["W401"]
    assert shells.run(text, "'a b'") == b"<a b>"
    assert shells.run("{{ inputs.v | trust }} x", "echo") == b"x\n"
    assert shells.run("printf '%s' $(( {{ inputs.v | trust }} ))", "1 + 1") == b"2"


def test_equal_expressions_share_a_variable() -> None:
    compiled, _ = compile_shell("echo {{ inputs.v }} {{inputs.v}} '{{ inputs.w }}' $(({{ inputs.v }}))")
    assert [(name, mode) for name, _, mode in compiled.variables] == [
        ("PIPE_V1", "text"), ("PIPE_V2", "text"), ("PIPE_V3", "integer"),
    ]  # fmt: skip
    assert compiled.program == 'echo "${PIPE_V1}" "${PIPE_V1}" \'\'"${PIPE_V2}"\'\' $((${PIPE_V3}))'
    assert len(compiled.references) == 4
    assert compile_shell("echo {{ inputs.v }}", first_variable=7)[0].program == 'echo "${PIPE_V7}"'


@pytest.mark.parametrize(
    "text", ["echo ${#x} {# no comment #} ${x%%.*} '{%s}' {%", "# {{ nodes.x.output }}\necho a", "echo }} a }}"]
)
def test_the_rest_belongs_to_the_shell(text: str) -> None:
    compiled, faults = compile_shell(text)
    assert faults == []
    assert compiled.variables == ()
    assert compiled.program == text


def test_places_count_in_the_text_of_the_file_also_behind_raw() -> None:
    text = "echo {% raw %}{{.A}}{% endraw %} {{ inputs.v }} {{ inputs.w | uper }}"
    compiled, faults = compile_shell(text)
    assert [text[r.offset :].split()[0] for r in compiled.references] == ["inputs.v", "inputs.w"]
    assert [text[f.offset : f.offset + f.length] for f in faults] == ["uper"]
    assert compiled.program.startswith("echo {{.A}} ")


def test_a_secret_in_a_command_is_refused_and_the_way_is_shown(shells: Any) -> None:
    (fault,) = shells.errors('curl -H "Authorization: {{ secrets.TOKEN }}" x')
    assert fault.code == "E405"
    assert '"$TOKEN"' in str(fault.hint)


def test_a_loop_over_one_value_is_a_warning() -> None:
    _, faults = compile_shell('for f in {{ inputs.v }}; do echo "$f"; done')
    assert [fault.code for fault in faults] == ["W403"]
    assert compile_shell('for f in a {{ inputs.v }}b "{{ inputs.v }}"; do :; done')[1] == []


def test_a_block_in_shell_text_is_a_warning() -> None:
    _, faults = compile_shell("{% if inputs.x %}\necho {{ inputs.v }}\n{% endif %}")
    assert [fault.code for fault in faults] == ["W404", "W404"]


def test_a_value_whose_backslashes_awk_reads_is_a_warning() -> None:
    _, faults = compile_shell("awk -v x={{ inputs.v }} '{ print x }'")
    assert [fault.code for fault in faults] == ["W405"]
    assert "ENVIRON" in str(faults[0].hint)
