"""Simple shell text is read by one pattern, and exactly as it is read in full."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.expressions import compile_argv, compile_shell, shelltext
from pipe_runner.expressions.shell_simple import SIMPLE_COMMANDS, simple_shell

COMMANDS = ["echo", "cat", "cp", "mkdir", "rm", "ls", "head", "printf '%s'", "printf '%s\\n'", 'printf "%s"']
OTHERS = ["true", "sh -c", "env", "printf", "eval", "X=1 echo", "xargs echo", "find . -exec"]
PARTS = [
    "a", "-n", "x=1", "./a/b", "5", "2", "%s", "--", "=", "a:b", "@x", "+x", '""', '"a;b(c)#"', '"it\'s"', '"#"',
    "-c", "{{ inputs.x }}", "{{nodes.a.output.y}}", '"{{ inputs.x }}"', '"a {{ nodes.a.status }} b"',
    "a{{ inputs.x }}b", '"{{ env.A }}{{ env.A }}"', "{{ nodes.a.bogus }}", "{{ run.id }}", "{{ run.nothing }}",
    "{{ inputs.x }}{{ inputs.y }}", "{{ inputs.x | upper }}", "{{ secrets.S }}", "$(x)", "`x`", "$x", "'q'", "~",
    "*", "\\", "#", ";", "&", "|", ">", "<<X",
]  # fmt: skip


def text_of(draw: random.Random) -> str:
    lines = []
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        words = [draw.choice([*COMMANDS, *COMMANDS, draw.choice(OTHERS)])]
        for _ in range(draw.randrange(6)):
            common = PARTS[:28] if draw.random() < 0.93 else PARTS
            words.append("".join(draw.choice(common) for _ in range(draw.choice([1, 1, 1, 2]))))
        lines.append(draw.choice([" ", " ", "  "]).join(words) + draw.choice(["", "", " "]))
    return "\n".join(lines) + draw.choice(["", "\n"])


@settings(max_examples=1500, deadline=None)
@given(st.integers(0, 10**9))
def test_what_is_read_as_simple_is_what_reading_in_full_gives(seed: int) -> None:
    text = text_of(random.Random(seed))
    simple = simple_shell(text)
    if simple is not None:
        full, faults = compile_shell(text)
        assert faults == []
        assert simple == full


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 10**9))
def test_arguments_of_a_simple_command_are_what_they_are_when_read_in_full(seed: int) -> None:
    draw = random.Random(seed)
    more = [*PARTS, "--help", "-{{ inputs.x }}", "a=$({{ inputs.x }})", "{{ inputs.x | trust }}", "{{ inputs.x + 1 }}"]
    items = [draw.choice(SIMPLE_COMMANDS), *("".join(draw.choices(more, k=draw.choice([1, 1, 2]))) for _ in range(4))]
    quick = compile_argv(items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shelltext, "SIMPLE_COMMANDS", ())
        assert compile_argv(items) == quick


@pytest.mark.parametrize(
    "text",
    [
        "echo {{ inputs.x }}",
        'echo "{{ nodes.a.output }} 5"\n',
        "printf '%s' {{ nodes.a.output.x }} {{ nodes.a.output.x }}",
        "mkdir -p out/{{ inputs.name }}\ncp a.txt out/{{ inputs.name }}/b.txt\n",
    ],
)
def test_common_texts_are_simple(text: str) -> None:
    assert simple_shell(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "sh -c {{ inputs.x }}",
        "{{ inputs.x }}",
        "echo {{ inputs.x }} | sh",
        "echo {{ inputs.x }}; ls",
        "echo '{{ inputs.x }}'",
        'echo "$({{ inputs.x }})"',
        "echo {{ inputs.x | upper }}",
        "echo {{ secrets.S }}",
        "echo {{ nodes.a.bogus }}",
        "printf {{ inputs.x }}",
        'echo "{{ inputs.x }}',
        "echo {{ inputs.x }} > f",
        "cat <<X\n{{ inputs.x }}\nX",
        "echo $(( {{ inputs.x }} ))",
        "echo a" + " b" * 2000,
    ],
)
def test_everything_else_is_read_in_full(text: str) -> None:
    assert simple_shell(text) is None
