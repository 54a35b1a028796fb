"""The inputs that a user gives on the command line."""

from __future__ import annotations

from typing import Any

import pytest

FILE = """version: 1
inputs: {n: {type: integer}, m: {type: boolean}, must: {}}
nodes: {a: {run: echo}}
"""
BYTES = """version: 1
inputs: {x: {}}
nodes: {a: {run: "printf %s {{ inputs.x }} | od -An -tx1"}}
outputs: {o: "{{ nodes.a.output }}"}
"""


def test_every_wrong_input_is_told_at_once(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    done = pipe("run", "p.yml", "-i", "n=x", "-i", "m=7", "-i", "zz=1", "-i", "q")
    assert done.returncode == 2
    for said in ("input `n` is", "input `m` is", "-i zz: ", "-i q: ", "input `must` is not given", "-i must=…"):
        assert said in done.stderr


def test_a_wrong_input_is_not_said_to_be_missing(pipe: Any) -> None:
    pipe.write("p.yml", FILE)
    done = pipe("run", "p.yml", "-i", "n=x", "-i", "m=true", "-i", "must")
    assert done.returncode == 2
    assert "not given" not in done.stderr
    assert "write `-i must=…`" in done.stderr


def test_an_empty_run_id_is_refused(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\nnodes: {a: {run: echo}}\n")
    done = pipe("run", "p.yml", "--run-id", "")
    assert (done.returncode, "--run-id is empty" in done.stderr) == (2, True)


def test_a_retry_without_a_wait_begins_at_once(pipe: Any) -> None:
    pipe.write(
        "p.yml", "version: 1\nnodes: {a: {run: 'test $PIPE_ATTEMPT = 3', retry: {max_attempts: 3, delay: 0s}}}\n"
    )
    done = pipe("run", "p.yml")
    assert done.returncode == 0, done.stderr
    assert '"delay_s":0' in pipe.log()


def test_half_of_a_surrogate_pair_in_an_input_is_told_as_what_it_is(pipe: Any) -> None:
    pipe.write("p.yml", "version: 1\ninputs: {x: {}, l: {type: array}, o: {type: object}}\nnodes: {a: {run: echo}}\n")
    pipe.write("i.json", r'{"x": "a\ud800", "l": [["\udfff"]], "o": {"\ud801": "\ud83d\ude00"}}')
    done = pipe("run", "p.yml", "--inputs", "i.json")
    assert done.returncode == 2
    for said in (r"input `x` holds \ud800", r"input `l` holds \udfff", r"input `o` holds \ud801"):
        assert said in done.stderr
    assert not (pipe.folder / ".pipe" / "runs").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("i.json", '{"o": {"a": 1, "b": 3, "a": 2}}', 'i.json: the key "a" stands twice in one object'),
        ("i.json", '{"o": {}, "l": [], "o": {}}', 'i.json: the key "o" stands twice in one object'),
        ("i.yml", "o: {a: 1, a: 2}", 'i.yml:1:11: E108 duplicate key "a"'),
    ],
)
def test_a_key_that_stands_twice_in_a_file_of_inputs_is_named(pipe: Any, name: str, text: str, said: str) -> None:
    pipe.write("p.yml", "version: 1\ninputs: {l: {type: array}, o: {type: object}}\nnodes: {a: {run: echo}}\n")
    pipe.write(name, text)
    done = pipe("run", "p.yml", "--inputs", name, "-i", "l=[]")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    for given in ('{"a":1,"a":2}', "{a: 1, a: 2}"):
        done = pipe("run", "p.yml", "-i", f"o={given}", "-i", "l=[]")
        assert (done.returncode, "input `o` is" in done.stderr, '"a"' in done.stderr) == (2, True, True), done.stderr
    assert not (pipe.folder / ".pipe" / "runs").exists()


def test_s3_a_byte_that_is_no_utf_8_reaches_the_shell_as_it_was(pipe: Any) -> None:
    pipe.write("p.yml", BYTES)
    done = pipe("run", "p.yml", "-i", "x=a\udcff")
    assert done.stdout.split() == ["o:", "61", "ff"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n"a": "b",}', "i.json:2:10: this is not JSON: a name in double quotes must stand here"),
        ('{"a" "b"}', "i.json:1:6: this is not JSON: a colon is missing before this"),
        ('{"a": "\\d"}', "i.json:1:8: this is not JSON: a backslash begins nothing that JSON has here: write \\\\"),
        (b'{"a": "\xff"}', "i.json: this is not JSON: it is not UTF-8"),
        ("[" * 100_000, "i.json: this is not JSON: it is nested too deeply"),
        (f'{{"a": {"9" * 5000}}}', "i.json: this is not JSON: it holds an integer of more than 4,300 digits"),
    ],
    ids=["comma", "colon", "backslash", "bytes", "deep", "digits"],
)
def test_s11_a_file_of_inputs_that_is_no_json_is_told_in_our_words(pipe: Any, text: str | bytes, said: str) -> None:
    pipe.write("p.yml", "version: 1\ninputs: {a: {}}\nnodes: {a: {run: echo}}\n")
    (pipe.folder / "i.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = pipe("run", "p.yml", "--inputs", "i.json")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_null_is_as_if_nothing_were_given_where_an_input_may_be_left_out(pipe: Any) -> None:
    pipe.write(
        "p.yml",
        "version: 1\ninputs: {n: {type: integer, required: false}, s: {required: false}, d: {default: x}}\n"
        'nodes: {a: {run: "echo [{{ inputs.n }}] [{{ inputs.s }}]"}}\noutputs: {o: "{{ nodes.a.output }}"}\n',
    )
    pipe.write("i.json", '{"n": null, "s": null}')
    for given, told in (("-i n=null", "[] []"), ("--inputs i.json", "[] []"), ("-i s=null", "[] [null]")):
        done = pipe("run", "p.yml", *given.split())
        assert (done.returncode, done.stdout) == (0, f"o: {told}\n"), done.stderr
    pipe.write("i.json", '{"d": null}')
    done = pipe("run", "p.yml", "--inputs", "i.json")
    assert (done.returncode, "input `d` must be text, not null" in done.stderr) == (2, True)
