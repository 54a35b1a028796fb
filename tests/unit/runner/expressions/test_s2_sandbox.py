"""S2: no template runs code, reads a file or the environment, or prints an object, whatever it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions import compile_condition, compile_value, evaluate

SCOPE: dict[str, Any] = {
    "inputs": {"s": "text", "l": [1, "a"], "d": {"k": 1}, "n": 3},
    "env": {"LC_ALL": "C.UTF-8"},
    "nodes": {"a": {"output": {"x": 1}, "status": "succeeded", "error": None}},
    "item": "i",
    "run": {"id": "r"},
}
PAYLOADS = r"""
''.__class__
''.__class__.__mro__[1].__subclasses__()
''.__class__.__base__.__subclasses__()[40]('/etc/passwd').read()
''['__class__']
''|attr('__class__')
''|attr('\x5f\x5fclass\x5f\x5f')|attr('\x5f\x5fmro\x5f\x5f')
[].__class__.__base__
{}.__class__.__bases__[0]
().__class__.__bases__.__getitem__(0)
inputs.__class__.__init__.__globals__
inputs.s.__class__.__init__.__globals__['os']
inputs['__class__']['__init__']['__globals__']
inputs.l.__class__
inputs.d.__class__.__mro__
inputs.n.__class__
nodes.a.output.__init__.__globals__.__builtins__
env.__class__
self.__init__.__globals__.__builtins__.__import__('os').popen('id').read()
self._TemplateReference__context
self.__dict__
self
context
_context
environment
loop
loop.__class__
request.application.__globals__.__builtins__.__import__('os').popen('id').read()
config.items()
config.__class__.__init__.__globals__['os'].popen('id').read()
get_flashed_messages.__globals__.__builtins__.open('/etc/passwd').read()
url_for.__globals__.os.environ
lipsum.__globals__['os'].popen('id').read()
lipsum.__globals__.__builtins__
cycler.__init__.__globals__.os.popen('id').read()
joiner.__init__.__globals__.os.popen('id').read()
namespace.__init__.__globals__.os.popen('id').read()
namespace()
cycler()
joiner()
lipsum()
dict.__base__.__subclasses__()
dict.__mro__
dict
dict.mro()
range
range.__class__
range(1).__class__
range(3).index.__self__
inputs.s.format
inputs.s.upper
inputs.s.upper.__self__
inputs.s.format(inputs)
'{0.__class__}'.format(inputs)
'{0.__class__.__init__.__globals__}'.format(inputs.s)
'{x.__class__}'.format_map({'x': inputs})
'{}'.format.__self__
'%s' | format(dict)
'%r' % inputs
'%a' | format(inputs)
'%(__class__)s' % inputs
inputs.s.encode
inputs.s.encode()
inputs.s.encode('idna')
inputs.s.translate({65: 66})
inputs.s.maketrans('a', 'b')
inputs.s.join
inputs.l.append(1)
inputs.l.sort()
inputs.l.pop()
inputs.l.__iadd__([1])
inputs.d.update({'a': 1})
inputs.d.clear()
inputs.d.setdefault('a', 1)
inputs.d.pop('k')
inputs.d.items
inputs.d.keys.__self__
inputs.d.fromkeys
inputs|map('attr', '__class__')|list
[inputs]|map(attribute='__class__')|list
[inputs.s]|map(attribute='__class__.__mro__')|list
[inputs]|map('__class__')|list
[inputs]|groupby('__class__')
[inputs]|sort(attribute='__class__')
[inputs]|sum(attribute='__class__')
[inputs]|selectattr('__class__')|list
[inputs]|rejectattr('__class__')|list
[inputs]|unique(attribute='__class__')|list
[inputs]|max(attribute='__class__')
[inputs]|join(',', attribute='__class__')
[''] | map('attr', '__class__') | list
inputs|pprint
inputs|xmlattr
inputs|random
inputs|urlize
inputs is callable
range is callable
dict is callable
inputs is sameas inputs
inputs is filter
'upper' is test
inputs.s.__len__()
inputs.s.__mod__(1)
inputs.s.__add__('a')
inputs.l.__getitem__(0)
inputs.n.__pow__(100000000)
inputs.n.bit_length()
inputs.n.to_bytes(8, 'big')
inputs.n.real
inputs.n.conjugate
(1).__class__
(1.0).hex()
(1).from_bytes
true.__class__
none.__class__
inputs.missing.__class__
(inputs.missing|default('')).__class__
inputs.s|string|attr('__html__')
('a'|safe).__html__()
('a'|safe).__class__
('a'|e).unescape
('a'|safe).format(1)
('a'|safe)|attr('striptags')
inputs.s|list|first|attr('__class__')
(inputs.s, 1).__class__
(inputs.s, 1).count.__self__
[1, 2].count.__self__
inputs.s[inputs.s.find.__self__]
inputs.s.__reduce__()
inputs.s.__reduce_ex__(4)
inputs.__reduce__()
inputs.__getattribute__('keys')
inputs.__dir__()
inputs.__doc__
inputs.s.__doc__
inputs.l.__sizeof__()
inputs.__init_subclass__()
inputs.__format__('')
import os
__import__('os')
__import__('os').system('id')
open('/etc/passwd').read()
open('/etc/passwd')
eval('1')
exec('1')
getattr(inputs, 's')
globals()
locals()
vars()
dir()
type(inputs)
type('')
object
print(1)
input()
compile('1', '', 'eval')
os.environ
os.environ['PATH']
environ.PATH
env.PATH
env['PATH']
env['HOME']
sys.modules
lookup('env', 'PATH')
lookup('pipe', 'id')
lookup('file', '/etc/passwd')
q('pipe', 'id')
query('file', '/etc/passwd')
hostvars
vars
builtins
__builtins__
__globals__
inputs|items|map('last')|list|attr('__class__')
(lambda: 1)()
[x for x in ()]
{% include '/etc/passwd' %}
{% include "/etc/passwd" ignore missing %}
{% import '/etc/passwd' as x %}
{% from 'os' import system %}
{% extends '/etc/passwd' %}
{% macro x() %}{{ x.__globals__ }}{% endmacro %}
{% macro x() %}{% endmacro %}{{ x }}
{% call x() %}{% endcall %}
{% block x %}{{ self.x.__class__ }}{% endblock %}
{% block x %}{{ super() }}{% endblock %}
{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}
{% for x in [].__class__.__base__.__subclasses__() %}{% if x.__name__ %}{{ x()._module }}{% endif %}{% endfor %}
{% for x in [1] %}{{ loop.__class__ }}{% endfor %}
{% for x in [1] %}{{ loop }}{% endfor %}
{% for x in [1] %}{{ loop._iterator }}{% endfor %}
{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}
{% for x in [1] %}{{ loop.cycle.__self__ }}{% endfor %}
{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}
{% set x = ''.__class__ %}{{ x }}
{% set inputs = 1 %}
{% set x.y = 1 %}
{% set ns = namespace(x=1) %}{% set ns.x = 2 %}{{ ns }}
{% set inputs.s = 1 %}
{% with x = ''.__class__ %}{{ x }}{% endwith %}
{% filter attr('__class__') %}a{% endfilter %}
{% if ''.__class__ %}a{% endif %}
{% do inputs.l.append(1) %}
{% debug %}
{% trans %}a{% endtrans %}
{% autoescape true %}{{ ('a'|safe).__class__ }}{% endautoescape %}
{% print ''.__class__ %}
{%- raw -%}{{ 1 }}{%- endraw -%}{{ ''.__class__ }}
{{ {{ 1 }} }}
{{ ''.__class__
{{ ''|attr('__cla' ~ 'ss__') }}
{{ ''['__cla' ~ 'ss__'] }}
{{ inputs['__cla' ~ 'ss__'] }}
{{ ''["\x5f\x5fclass\x5f\x5f"] }}
{{ ''['\u005f\u005fclass\u005f\u005f'] }}
{{ ''[['__class__']|first] }}
{{ ''[dict(__class__=1)|first] }}
{{ inputs|attr(dict(__init__=1)|join) }}
{{ (inputs|string)[0].__class__ }}
{{ ''.join.__globals__ }}
""".strip().splitlines()


def outcome(text: str) -> Any:
    """What a template gives: its value, or None where it is refused before or during its evaluation."""
    compiled, faults = compile_value(text)
    if faults:
        assert all(fault.message and 0 <= fault.offset <= len(text) for fault in faults)
        return None
    try:
        return evaluate(compiled, SCOPE)
    except ExpressionFault as fault:
        assert fault.message
        return None


@pytest.mark.parametrize("payload", PAYLOADS)
def test_s2_a_payload_is_refused(payload: str) -> None:
    text = payload if payload.startswith(("{%", "{{")) else "{{ " + payload + " }}"
    assert outcome(text) is None


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if "{" not in p])
def test_s2_a_payload_is_refused_in_conditions_and_loops_too(payload: str) -> None:
    compiled, faults = compile_condition(payload)
    if not faults:
        with pytest.raises(ExpressionFault):
            evaluate(compiled, SCOPE)
    assert outcome("{% for x in [" + payload + "] %}{{ x }}{% endfor %}") is None


def test_s2_values_are_only_read_by_key_and_index() -> None:
    scope = {"inputs": {"items": "key", "keys": ["k"], "__class__": "mine", "_x": 1, "get": 2}}
    for name, value in scope["inputs"].items():
        for text in (f"{{{{ inputs.{name} }}}}", f"{{{{ inputs['{name}'] }}}}", f"{{{{ (inputs).{name} }}}}"):
            assert evaluate(compile_value(text)[0], scope) == value
    assert evaluate(compile_value("{{ inputs.get('_x') }}")[0], scope) == 1
    assert evaluate(compile_value("{{ inputs.items() | length }}")[0], scope) == 5


def test_s2_data_is_never_rendered_again() -> None:
    scope = {"inputs": {"x": "{{ inputs.secret }}{% for i in [1] %}a{% endfor %}", "secret": "s"}}
    for text in ("{{ inputs.x }}", "a{{ inputs.x }}", "{{ inputs.x ~ '' }}", "{{ [inputs.x] | first }}"):
        assert "{{ inputs.secret }}" in str(evaluate(compile_value(text)[0], scope))


def test_s2_no_evaluation_changes_its_scope() -> None:
    scope = {"inputs": {"l": [3, 1], "d": {"b": 1, "a": 2}}}
    before = json.dumps(scope)
    for text in (
        "{{ inputs.l | sort }}", "{{ inputs.l + [5] }}", "{{ inputs.d | dictsort }}", "{{ inputs.l | reverse | list }}",
        "{% set inputs2 = inputs %}{% for x in inputs.l %}{% set y = x %}{% endfor %}", "{{ dict(inputs.d, c=3) }}",
        "{{ inputs.l | batch(1, 0) | list }}", "{{ inputs.l | flatten }}", "{{ inputs.l | unique | list }}",
    ):  # fmt: skip
        evaluate(compile_value(text)[0], scope)
        assert json.dumps(scope) == before


def test_s2_what_is_outside_the_scope_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPE_TEST_CANARY", "canary-value")
    assert os.environ["PIPE_TEST_CANARY"] == "canary-value"
    for text in ("{{ env.PIPE_TEST_CANARY }}", "{{ env['PIPE_TEST_CANARY'] }}", "{{ env }}", "{{ env | tojson }}"):
        assert "canary" not in json.dumps(outcome(text))


def test_a_value_that_was_compiled_evaluates_without_jinja2() -> None:
    code = """
import json, sys
from pipe_runner.expressions import Compiled, compile_value, evaluate, value_to_text
plain = [compile_value(t)[0] for t in ("x", "{{ inputs.a }}", "a {{ inputs.a.b[0]['c'] }} b {{ run.id }}")]
assert "jinja2" not in sys.modules, "compiling plain references"
data = json.dumps([c.to_json() for c in plain] + [json.loads(sys.argv[1])])
for c in map(Compiled.from_json, json.loads(data)):
    print(value_to_text(evaluate(c, {"inputs": {"a": {"b": [{"c": 1}]}}, "run": {"id": "r"}})))
assert "jinja2" not in sys.modules and "markupsafe" not in sys.modules, "evaluating"
"""
    compiled = compile_value("{% for x in [1, 2] %}{{ x + 1 }}{{ inputs.a | tojson | upper }}{% endfor %}")[0]
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(compiled.to_json())], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["x", '{"b":[{"c":1}]}', "a 1 b r", '2{"B":[{"C":1}]}3{"B":[{"C":1}]}']
