"""All that stands in a template is looked at, and nothing else is taken for a part of it."""

from __future__ import annotations

import pytest

from pipe_runner.compiler.trees import all_in, inside, top
from pipe_runner.expressions.compile import compile_value
from pipe_runner.expressions.interpret import _EVAL
from pipe_runner.expressions.statements import _RUN

TEXTS = [
    "{{ dict(filter=inputs.a, cmp=inputs.b, ref=1, test=2, bin=3) }}",
    "{{ {'filter': inputs.a, inputs.b: [inputs.c, 'cmp']} }}",
    "{{ inputs.a[inputs.b:inputs.c:2] ~ -inputs.d ~ +inputs.e | default(inputs.f, boolean=inputs.g) }}",
    "{{ inputs.a if inputs.b else inputs.c[inputs.d] }} {{ inputs.a if inputs.b }}",
    "{{ 'a %s %s' % (inputs.a, inputs.b) }} {{ inputs.c % inputs.d < inputs.e == inputs.f }}",
    "{{ inputs.a is divisibleby(inputs.b) and not inputs.c or inputs.d }}",
    "{{ inputs.a.get(inputs.b, default=inputs.c) }} {{ range(inputs.d) }}",
    "{% for cmp, filter in inputs.a if cmp %}{{ loop.cycle(inputs.b) }}{% else %}{{ inputs.c }}{% endfor %}",
    "{% if inputs.a %}{{ inputs.b }}{% elif inputs.c %}{{ inputs.d }}{% else %}{{ inputs.e }}{% endif %}",
    "{% with bin = inputs.a, test = inputs.b %}{{ bin }}{{ inputs.c }}{% endwith %}",
    "{% set get = inputs.a %}{% set list | join(inputs.b) %}{{ inputs.c }}{% endset %}",
    "{% filter replace(inputs.a, 'x') | truncate(length=inputs.b) %}{{ inputs.c }}{% endfilter %}",
    "{% autoescape inputs.a %}{{ inputs.b }}{% endautoescape %}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_template_holds_the_references_that_it_reads(text: str) -> None:
    compiled, faults = compile_value(text)
    assert faults == []
    trees = [one for tree in top(compiled) for one in all_in(tree)]
    assert {tuple(one[1]) for one in trees if one[0] == "ref"} == {one.path for one in compiled.references}
    assert {one[0] for one in trees} <= _EVAL.keys() | _RUN.keys()


def test_every_word_is_met_by_these_templates() -> None:
    compiled = [compile_value(text)[0] for text in TEXTS]
    met = {one[0] for each in compiled for tree in top(each) for one in all_in(tree)}
    assert (_EVAL.keys() | _RUN.keys()) - met <= {"integer"}  # which stands in shell text only


def test_a_calculated_value_of_shell_text_is_looked_into() -> None:
    assert inside(["integer", ["ref", ["inputs", "n"]]]) == [["ref", ["inputs", "n"]]]
