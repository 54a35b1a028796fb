"""How the python agent calls functions, and takes what they return or raise."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from python_calling import Write, fault, output, perform

from pipe_agents.python import PythonAgent
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

# ---------------------------------------------------------------- calling


def test_functions_of_installed_modules_are_called(bench: Any) -> None:
    assert output(bench, "os.path:join", "a", "b") == "a/b"
    assert output(bench, "textwrap:shorten", "hello world", width=8) == "[...]"
    assert output(bench, "json:JSONDecoder.__name__.upper") == "JSONDECODER"


def test_functions_of_files_are_called_sync_and_async(bench: Any, write: Write) -> None:
    write(
        "import asyncio, threading\n"
        "def plain(a, b=2): return [a, b, threading.current_thread() is threading.main_thread()]\n"
        "async def waits(a):\n    await asyncio.sleep(0)\n"
        "    return [a, threading.current_thread() is threading.main_thread()]\n"
        "def gives_coroutine(a): return waits(a)\n"
        "class Tool:\n"
        "    @staticmethod\n    def run(x): return x + 1\n"
        "class Callable:\n    async def __call__(self): return 'called'\n"
        "instance = Callable()\n"
    )
    assert output(bench, "tools/f.py:plain", 1) == [1, 2, False]
    assert output(bench, "tools/f.py:plain", 1, b="x") == [1, "x", False]
    assert output(bench, "tools/f.py:waits", 1) == [1, False]
    assert output(bench, "tools/f.py:gives_coroutine", 5) == [5, False]
    assert output(bench, "tools/f.py:Tool.run", 1) == 2
    assert output(bench, "tools/f.py:instance") == "called"


def test_a_call_without_arguments_needs_no_args(bench: Any, write: Write) -> None:
    write("def f(*a, **k): return [list(a), k]")
    assert perform(bench, {"call": "tools/f.py:f"}).output == [[], {}]


def test_a_file_is_loaded_once_for_a_run(bench: Any, write: Write) -> None:
    write("count = 0\ndef f():\n    global count\n    count += 1\n    return count\ndef g(): return count")
    assert perform(bench, {"call": "tools/f.py:f"}, {"call": "tools/f.py:f"}, {"call": "tools/f.py:g"}).output == 2
    assert output(bench, "tools/f.py:f") == 1


def test_attempts_that_start_together_load_a_file_once(bench: Any, write: Write) -> None:
    write("import time\ntime.sleep(0.05)\ncount = []\ndef f():\n    count.append(1)\n    return len(count)")

    async def together() -> list[Any]:
        agent = PythonAgent()
        outcomes = await asyncio.gather(
            *(bench.perform(agent, {"call": "tools/f.py:f"}, node=str(number)) for number in range(8))
        )
        await agent.close()
        return [outcome.output for outcome in outcomes]

    assert sorted(asyncio.run(together())) == list(range(1, 9))


def test_arguments_are_the_functions_own(bench: Any, write: Write) -> None:
    write("def f(items, *, more):\n    items.append(1)\n    more['x'].clear()\n    return None")
    shared: dict[str, Any] = {"call": "tools/f.py:f", "args": [[0]], "kwargs": {"more": {"x": [1]}}}
    perform(bench, shared)
    assert shared["args"] == [[0]]
    assert shared["kwargs"] == {"more": {"x": [1]}}


def test_an_output_is_the_runs_own(bench: Any, write: Write) -> None:
    write("kept = [1]\ndef f(): return kept\nasync def g():\n    kept.append(2)")

    async def two() -> Any:
        agent = PythonAgent()
        first = await bench.perform(agent, {"call": "tools/f.py:f"})
        await bench.perform(agent, {"call": "tools/f.py:g"})
        await agent.close()
        return first.output

    assert asyncio.run(two()) == [1]


# ---------------------------------------------------------------- outputs


@pytest.mark.parametrize(
    "value",
    ["None", "True", "0", "-1.5", "''", "'é'", "[]", "{}", "{'a': [1, {'b': None}]}", "10**4000", "'\\x00'", "1e308"],
)
def test_json_values_pass_as_they_are(bench: Any, write: Write, value: str) -> None:
    write(f"def f(): return {value}")
    expected = eval(value)  # noqa: S307 - from the table above
    result = output(bench, "tools/f.py:f")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("(1, 2)", "output is not JSON: a tuple; return a list"),
        ("{1}", "output is not JSON: a set; return a list"),
        ("b'x'", "bytes"),
        ("object()", "an object"),
        ("float('nan')", "nan is no JSON number"),
        ("[1, float('-inf')]", "output[1] is not JSON: -inf"),
        ("{'x': [0, 0, 0, (1,)]}", "output.x[3] is not JSON: a tuple"),
        ("{'a b': {1}}", "output['a b']"),
        ("{'x': {1: 2}}", "output.x is not JSON: the key 1 is an int"),
        ("{(1, 2): 3}", "a tuple, and keys must be strings"),
        ("{None: 3}", "the key None"),
        ("'\\ud800'", "surrogate"),
        ("{'\\ud800': 1}", "surrogate"),
        ("10**5000", "4,300 digits"),
        ("range(3)", "a range"),
        ("(x for x in [])", "a generator"),
        ("__import__('collections').OrderedDict(a=1)", "return a plain dict"),
        ("__import__('enum').IntEnum('E', 'a').a", "return a plain int"),
        ("__import__('datetime').datetime(2020, 1, 1)", "isoformat"),
        ("__import__('decimal').Decimal(1)", "Decimal"),
        ("lambda: 1", "a function"),
        ("print", "builtin_function"),
        ("type('A' * 100000, (), {})()", "AAAA"),
    ],
)
def test_what_is_no_json_is_named_with_its_place(bench: Any, write: Write, value: str, says: str) -> None:
    write(f"def f(): return {value}")
    error = fault(bench, "tools/f.py:f")
    assert error.kind is ErrorKind.INVALID_OUTPUT
    assert says in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize(
    "body",
    [
        "x = []\n    x.append(x)\n    return x",
        "x = {}\n    x['x'] = {'y': [x]}\n    return x",
        "x = []\n    for _ in range(100000): x = [x]\n    return x",
    ],
)
def test_r1_values_without_end_are_refused(bench: Any, write: Write, body: str) -> None:
    write(f"def f():\n    {body}")
    error = fault(bench, "tools/f.py:f")
    assert error.kind is ErrorKind.INVALID_OUTPUT
    assert "nested deeper than 200 levels" in error.message


@pytest.mark.parametrize(
    "body",
    [
        "return 'x' * 2000",
        "return ['xxx'] * 1000",
        "return {str(i): i for i in range(1000)}",
        "return [None] * 1000",
        "x = [1]\n    for _ in range(60): x = [x] * 10\n    return x",
        "return 'é' * 501",
    ],
)
def test_r3_an_output_above_the_limit_fails(bench: Any, write: Write, body: str) -> None:
    write(f"def f():\n    {body}")
    error = fault(bench, "tools/f.py:f", output_limit=1000)
    assert error.kind is ErrorKind.OUTPUT_TOO_LARGE
    assert "1000 bytes" in error.message


# ---------------------------------------------------------------- faults


def test_an_exception_is_told_with_the_users_own_frames(bench: Any, write: Write) -> None:
    write("def f(x):\n    return g(x)\ndef g(x):\n    raise ValueError(f'no {x}')")
    for call in ("tools/f.py:f",):
        error = fault(bench, call, "luck")
        assert (error.kind, error.message) == (ErrorKind.EXCEPTION, "ValueError: no luck")
        lines = (error.tail or "").splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert lines[1].endswith('tools/f.py", line 2, in f')
        assert lines[-1] == "ValueError: no luck"
        assert "pipe_agents" not in (error.tail or "")


@pytest.mark.parametrize("define", ["def", "async def"])
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("raise SystemExit(3)", "SystemExit(3)"),
        ("import sys; sys.exit()", "SystemExit()"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise StopIteration(1)", "StopIteration"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("raise ExceptionGroup('g', [ValueError('a')])", "g (1 sub-exception)"),
        ("raise type('E', (Exception,), {'__str__': lambda s: 1/0})", "its text can't be had"),
        ("raise ValueError('x' * 10**6)", "ValueError: xxx"),
        ("def r(): return r()\n    r()", "RecursionError"),
        ("import json; json.loads('{')", "json.decoder.JSONDecodeError"),
        ("assert False", "AssertionError"),
    ],
)
def test_s11_whatever_user_code_raises_fails_its_node_and_no_more(
    bench: Any, write: Write, define: str, statement: str, says: str
) -> None:
    write(f"{define} f():\n    {statement}\n{define} fine(): return 1")

    async def both() -> Any:
        agent = PythonAgent()
        with pytest.raises(NodeFault) as caught:
            await bench.perform(agent, {"call": "tools/f.py:f"})
        fine = await bench.perform(agent, {"call": "tools/f.py:fine"})
        await agent.close()
        return caught.value, fine.output

    error, after = asyncio.run(both())
    assert error.kind is ErrorKind.EXCEPTION
    assert (
        says in error.message or "async generator" in error.message or "coroutine raised StopIteration" in error.message
    )
    assert len(error.message) <= 1000
    assert len(error.tail or "") <= 4096
    assert after == 1


@pytest.mark.parametrize("define", ["def", "async def"])
def test_wrong_arguments_are_told_clearly(bench: Any, write: Write, define: str) -> None:
    write(f"{define} f(a): return a")
    error = fault(bench, "tools/f.py:f", 1, 2)
    assert error.kind is ErrorKind.EXCEPTION
    assert error.message == "TypeError: f() takes 1 positional argument but 2 were given; check args and kwargs"


def test_a_function_may_fail_its_node_with_a_kind_of_its_choice(bench: Any, write: Write) -> None:
    write(
        "from pipe_runner.errors import NodeFault\nfrom pipe_runner.types import ErrorKind\n"
        "def f(): raise NodeFault(ErrorKind.RATE_LIMITED, 'slow down')"
    )
    assert fault(bench, "tools/f.py:f").kind is ErrorKind.RATE_LIMITED


def test_s4_no_secret_is_in_an_error_or_an_output(bench: Any, write: Write) -> None:
    write(
        "def f(t):\n    raise ValueError('a' * 500 + t + 'b' * 2000 + t)\n"
        "def g(t): return {'x': [t], t: 1}\n"
        "def h(t):\n    raise ValueError('a' * 995 + t)"
    )
    bench.keep("very-secret-value")
    for call in ("tools/f.py:f", "tools/f.py:h"):
        error = fault(bench, call, "very-secret-value")
        assert "very-s" not in error.message
        assert "very-s" not in (error.tail or "")
    assert "very" not in str(output(bench, "tools/f.py:g", "very-secret-value"))
