"""R4: rendering and compiling are bounded in size, depth and time, whatever a template says."""

from __future__ import annotations

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import compile_condition, compile_shell, compile_value, evaluate
from pipe_runner.expressions.shell_reading import trouble

SECONDS = 1.5
"""What a bomb may take here; half a second on a quiet machine, and a test must not fail on a busy one."""
BYTES = 100 * 2**20

SCOPE: dict[str, Any] = {
    "inputs": {"s": "x" * 1000, "big": "ab" * 2**20, "l": list(range(1000)), "long": list(range(200_000)), "n": 5},
    "nodes": {"a": {"output": "y"}},
}
NINE = "{% set a = [1,1,1,1,1,1,1,1,1,1] %}" + "{% set a = [a,a,a,a,a,a,a,a,a,a] %}" * 9

BOMBS = [
    "{{ 'x'.ljust(10**9) }}", "{{ 'x'.rjust(10**9) }}", "{{ 'x'.center(10**9) }}", "{{ 'x'.zfill(10**9) }}",
    "{{ 'x' | center(10**9) }}", "{{ '%1000000000d' % 1 }}", "{{ '%.1000000000f' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}", "{{ '%1000000000d' | format(1) }}", "{{ '%s' * 10**6 % 1 }}",
    "{{ 10**(10**10) }}", "{{ 2**100000000 }}", "{{ 2**4000 * 2**4000 }}", "{{ 10**10**10**10**10 }}",
    "{{ 'x' * 10**9 }}", "{{ 10**9 * 'x' }}", "{{ [0] * 10**9 }}", "{{ inputs.s * 10**6 }}",
    "{{ ((inputs.s * 1000) ~ 'x') * 1000 }}", "{{ range(10**9) }}", "{{ range(10**9) | list }}",
    "{{ range(0, -10**9, -1) | list }}", "{{ range(2**63) | length }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{% for a in inputs.l %}{% for b in inputs.l %}{% for c in inputs.l %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in inputs.l %}{{ inputs.big }}{% endfor %}", "{{ inputs.l | map('center', 10**7) | list }}",
    "{{ inputs.l | map('string') | map('center', 1000000) | join }}",
    "{{ 'aaaaaaaaaa' | replace('a', 'a'*1000) | replace('a', 'a'*1000) | replace('a', 'a'*1000) }}",
    "{{ 'a' | replace('', 'b'*1000000) | replace('', 'b'*1000000) }}", "{{ 'a' | indent(10**9) }}",
    "{{ ('a\n'*100000) | indent(100000) }}", "{{ [1] | batch(10**9, 0) | list }}", "{{ [1] | slice(10**9) | list }}",
    "{{ 'a b c' | wordwrap(1, wrapstring='x'*1000000) }}", "{{ ('a '*400000) | wordwrap(1) }}",
    "{{ inputs.l | join('x'*100000) }}", "{{ ('x'*100000).join(inputs.l | map('string')) }}",
    "{{ [[1]*1000]*1000 }}{{ [[[1]*1000]*1000]*1000 }}", NINE + "{{ a }}", NINE + "{{ a == a }}",
    NINE + "{{ a | tojson }}", NINE + "{{ a in [a] }}", NINE + "{{ [a, a] | sort }}", NINE + "{{ [a, a] | unique }}",
    NINE + "{{ a ~ a }}", NINE + "{{ a | string | length }}", NINE + "{{ a | flatten(20) }}", NINE + "{{ a | join }}",
    "{{ inputs.long" + " | sort" * 40 + " }}", "{{ inputs.big" + " | upper | lower" * 20 + " }}",
    "{{ inputs.big ~ inputs.big" + " ~ inputs.big" * 40 + " }}",
    "{% for i in range(10000) %}{{ 'zz' in inputs.big }}{% endfor %}",
    "{% for i in range(10000) %}{{ inputs.big.find('zz') }}{% endfor %}",
    "{% for i in range(10000) %}{{ inputs.big.startswith(inputs.big) }}{% endfor %}",
    "{% for i in range(10000) %}{{ inputs.big.endswith(['y', inputs.big]) }}{% endfor %}",
    "{% for i in range(10000) %}{{ inputs.big == inputs.big ~ '' }}{% endfor %}",
    "{% for i in range(10000) %}{{ inputs.long | length }}{{ 7 in inputs.long[::-1] }}{% endfor %}",
    "{{ ('a'*1000000).rfind('b' ~ 'a'*500000) }}", "{{ ('a'*1000000).rsplit('b' ~ 'a'*500000) }}",
    "{{ ('a'*1000000).rpartition('b' ~ 'a'*500000) }}", "{{ ('a'*1000000).strip('b'*1000000 ~ 'a') }}",
    "{{ ('<>'*500000) | striptags }}", "{{ ('['*100000) | fromjson }}",
    "{{ ('9'*100000) | fromjson }}", "{{ 'Infinity' | fromjson }}", "{{ 1e308 * 10 }}", "{{ -1e308 * 10 }}",
    "{{ [1e308 * 10] | tojson }}", "{{ inputs.big" + " | urlencode" * 9 + " }}",
    "{{ inputs.big" + " | b64encode" * 30 + " }}",
    "{{ inputs.long | map('string') | map('upper') | map('lower') | list }}", "{{ 1 | round(10**9) }}",
    "{{ 'x' | truncate(-1) }}", "{{ 1 // 0 }}", "{{ 1 % 0 }}", "{{ 1 / 0 }}", "{{ 0 ** -1 }}", "{{ (-8) ** 0.5 }}",
    "{{ lipsum(n=10**9) }}", "{{ cycler(1, 2) }}", "{{ namespace(a=1) }}", "{{ joiner() }}",
    "{{ inputs.long | tojson(indent=16) }}", "{{ 'a' | tojson(indent=10**9) }}", "{{ inputs.long | sum(start='') }}",
]  # fmt: skip


def test_range_gives_as_many_numbers_as_the_documentation_says() -> None:
    compiled, _ = compile_value("{{ range(100000) | length }}")
    assert evaluate(compiled, {}) == 100_000
    assert refused("{{ range(100001) }}")


def test_range_counts_milliseconds_since_1970_too() -> None:
    compiled, _ = compile_value("{{ range(1700000000000, 1700000000003) }}")
    assert evaluate(compiled, {}) == [1700000000000, 1700000000001, 1700000000002]
    compiled, _ = compile_value("{{ range(10**18) | length }}")
    with pytest.raises(ExpressionFault, match="at most 100,000 numbers"):
        evaluate(compiled, {})


def refused(text: str) -> bool:
    """Whether a template is refused, in its text or when it is evaluated."""
    compiled, faults = compile_value(text)
    if faults:
        return True
    try:
        evaluate(compiled, SCOPE)
    except ExpressionFault as fault:
        assert fault.message
        assert fault.source == text
        return True
    return False


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: text[:70])
@pytest.mark.few(4)
def test_r4_a_bomb_is_refused_quickly_and_in_little_memory(text: str, in_time: Any) -> None:
    begun = time.process_time()
    assert refused(text)
    assert in_time(time.process_time() - begun, SECONDS)
    tracemalloc.start()
    refused(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BYTES, f"{peak >> 20} MiB"


DEEP = {
    "brackets": lambda n: "{{ " + "(" * n + "1" + ")" * n + " }}",
    "lists": lambda n: "{{ " + "[" * n + "]" * n + " }}",
    "objects": lambda n: "{{ " + "{'a':" * n + "1" + "}" * n + " }}",
    "not": lambda n: "{{ " + "not " * n + "true }}",
    "signs": lambda n: "{{ " + "-" * n + "1 }}",
    "sums": lambda n: "{{ 1" + "+1" * n + " }}",
    "powers": lambda n: "{{ 1" + "**1" * n + " }}",
    "conditions": lambda n: "{{ " + "1 if true else " * n + "2 }}",
    "filters": lambda n: "{{ 1" + " | abs" * n + " }}",
    "indexes": lambda n: "{{ inputs" + "[inputs" * n + "]" * n + " }}",
    "calls": lambda n: "{{ " + "range(" * n + ")" * n + " }}",
    "ifs": lambda n: "{% if true %}" * n + "x" + "{% endif %}" * n,
    "fors": lambda n: "{% for a in [1] %}" * n + "x" + "{% endfor %}" * n,
    "withs": lambda n: "{% with %}" * n + "x" + "{% endwith %}" * n,
    "filter blocks": lambda n: "{% filter upper %}" * n + "x" + "{% endfilter %}" * n,
    "set blocks": lambda n: "{% set a %}" * n + "x" + "{% endset %}" * n,
}


@pytest.mark.parametrize("times", [300, 3000, 30_000])
@pytest.mark.parametrize("form", DEEP)
@pytest.mark.few(8)
def test_r4_deep_nesting_is_refused_not_followed(form: str, times: int, in_time: Any) -> None:
    text = DEEP[form](times)
    begun = time.process_time()
    _, faults = compile_value(text)
    assert faults
    assert {fault.code for fault in faults} <= {"E401", "E402", "E403", "E411"}
    assert in_time(time.process_time() - begun, SECONDS)


@pytest.mark.parametrize("form", [form for form in DEEP if form not in ("indexes", "calls")])
def test_ordinary_nesting_passes(form: str) -> None:
    compiled, faults = compile_value(DEEP[form](10))
    assert not faults
    evaluate(compiled, SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "{{" * 100_000, "{%" * 100_000, "{#" * 100_000, "{{ 1 }}" * 100_000, "{{ inputs.n }}" * 50_000,
        "{{ " + "a" * 900_000 + " }}", "{{ '" + "\\n" * 300_000 + "' }}",
        "{{ '" + "\\" * 500_000, "{{ 1" + " " * 900_000,
        "{{ " + "9" * 900_000 + " }}", "{{ " + "1," * 400_000 + " }}", "{{- 1 -}}" * 50_000, "{% raw %}" * 50_000,
        "{{ inputs" + ".a" * 400_000 + " }}", "${{" * 100_000, "{{." * 100_000, "{{ '" + "x" * 900_000 + "' }}",
        "}}" * 400_000 + "{{", "{% if" * 100_000, "{{ a" + "|a" * 200_000 + " }}", "{{ x }" * 100_000,
    ],
    ids=lambda text: text[:12],
)  # fmt: skip
def test_r4_a_long_text_is_compiled_or_refused_in_time(text: str, in_time: Any) -> None:
    begun = time.process_time()
    compile_value(text)
    compile_condition(text)
    assert in_time(time.process_time() - begun, SECONDS)


def test_r4_large_outputs_pass_as_they_are() -> None:
    scope: dict[str, Any] = {"nodes": {"a": {"output": "x" * (8 * 2**20)}, "b": {"output": {"k": ["y" * 1000] * 4000}}}}
    assert evaluate(compile_value("{{ nodes.a.output }}")[0], scope) is scope["nodes"]["a"]["output"]
    assert len(str(evaluate(compile_value("<{{ nodes.a.output }}>")[0], scope))) == 8 * 2**20 + 2
    assert evaluate(compile_value("{{ nodes.a.output | length }}")[0], scope) == 8 * 2**20
    assert evaluate(compile_value("{{ nodes.a.output | trim | length }}")[0], scope) == 8 * 2**20
    assert len(str(evaluate(compile_value("{{ nodes.b.output | tojson }}")[0], scope))) > 4_000_000
    with pytest.raises(ExpressionFault, match="longer than 16 MiB"):
        evaluate(compile_value("{{ nodes.a.output }}{{ nodes.a.output }}{{ nodes.a.output }}")[0], scope)


fragments = st.sampled_from(
    ["{{", "}}", "{%", "%}", "{#", "#}", "-", " ", "inputs", ".", "s", "[", "]", "(", ")", "'", '"', "|", "upper", "if",
     "endif", "for", "x", "in", "endfor", "1", "+", "*", "~", "==", "not", "is", "defined", "set", "=", "raw", "endraw",
     "\\", "\n", "{", "}", ",", ":", "and", "else", "é", "\x00", "$", ".Names", "nodes", "a", "output", "secrets", "é"]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(fragments, max_size=25).map("".join))
def test_s11_any_text_gives_a_value_or_a_message_with_its_place(text: str) -> None:
    for compile_it in (compile_value, compile_condition):
        compiled, faults = compile_it(text)
        for fault in faults:
            assert fault.message
            assert 0 <= fault.offset <= len(text)
            assert fault.length >= 0
        for reference in compiled.references:
            assert text.startswith(str(reference.path[0]), reference.offset)
        if not faults:
            try:
                evaluate(compiled, SCOPE)
            except ExpressionFault as fault:
                assert fault.message


@pytest.mark.parametrize(
    "text",
    [
        "o=(-p 22)\n{{ inputs.v }}\n" + 'ssh "${o[@]}" h ls\n' * 3000,
        "x={{ inputs.v }}\n" + "".join(f"re='(a{n})'; [[ $x =~ $re ]]\n" for n in range(2000)),
        "x={{ inputs.v }}; o=-v\n" + 'o+=" -q"; ssh $o h ls\n' * 3000,
        "set -- a\n" + 'for i in 1; do set -- "$@" -a; done; set -- "$@" b\n' * 1500 + "echo {{ inputs.v }}",
        "n=$(python3 - {{ inputs.v }} <<P\n" + "".join(f"x{n} = len(a)\n" for n in range(6000)) + "P\n)",
        "n=$(python3 -c '" + "a" * 60_000 + "' {{ inputs.v }})",
        "n=$(python3 - {{ inputs.v }} <<P\n" + "\n" * 60_000 + "P\n)",
        "n=$(node -e 'print a.length" + " " * 50_000 + "x' {{ inputs.v }})",
        "[[ {{ inputs.v }} =~ " + "[a" * 20_000 + " ]]; echo",
        "echo {{ inputs.v }} | awk '" + "{ " * 20_000 + "print NR" + " }" * 20_000 + "'",
        "echo {{ inputs.v }} | awk '{" + "print " * 15_000 + "}'",
    ],
    ids=[
        "arrays of ssh",
        "expressions in a variable",
        "texts of ssh",
        "lists of arguments",
        "numbers of Python",
        "a long name of Python's",
        "empty lines of Python",
        "spaces of node's",
        "classes that don't end",
        "blocks of awk",
        "statements of awk",
    ],
)
def test_r2_a_long_shell_text_is_looked_at_in_time(text: str, in_time: Any) -> None:
    begun = time.process_time()
    compile_shell(text)
    assert in_time(time.process_time() - begun, SECONDS)


def test_r2_braces_of_many_dots_are_looked_at_in_time(in_time: Any) -> None:
    begun = time.process_time()
    assert trouble("echo {" + "." * 19_900, "sh")[0] is None
    assert in_time(time.process_time() - begun, 0.3)
