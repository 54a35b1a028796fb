"""S3: values that `env:` brings are followed like those in `run:`; the fault stands at the variable."""

from __future__ import annotations

import pytest
from tests.unit.runner.compiler.conftest import Compile, Planned

from pipe_runner.compiler import Compilation
from pipe_runner.testing import run_pipeline

HEAD = "inputs: {x: {type: string, default: a}, n: {type: integer, default: 1}}\n"


def faults(compilation: Compilation) -> list[tuple[str, int]]:
    return [(d.code, d.line) for d in compilation.diagnostics]


@pytest.mark.parametrize("name", ["BASH_ENV", "ENV", "PS4", "LD_PRELOAD", "NODE_OPTIONS", "GIT_SSH_COMMAND"])
@pytest.mark.parametrize("node", ["run: echo", "argv: [echo]"])
def test_s3_no_value_is_the_text_of_a_variable_that_is_run(compiled: Compile, name: str, node: str) -> None:
    assert faults(compiled(HEAD + f'nodes:\n  a: {{{node}, env: {{{name}: "-{{{{ inputs.x }}}}"}}}}')) == [("E420", 4)]
    assert faults(compiled(HEAD + f'env: {{{name}: "{{{{ inputs.x }}}}"}}\nnodes:\n  a: {{{node}}}')) == [("E420", 3)]
    assert faults(compiled(f"nodes:\n  a: {{{node}, env: {{{name}: plain}}}}")) == []


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ('eval "$X"', "E420"), ('sh -c "ls $X"', "E420"), ('y=$X; eval "$y"', "E420"), ('echo "$X" | sh', "E420"),
        ('f() { eval "$1"; }; f "$X"', "E420"), ('python3 -c "print($X)"', "E420"),
        ('read -r n <<< "$X"; echo $((n))', "E420"),
    ],
)  # fmt: skip
def test_s3_a_variable_of_the_environment_is_followed_into_code(compiled: Compile, script: str, code: str) -> None:
    head = HEAD + "nodes:\n  a:\n    shell: bash\n    env: {X: '{{ inputs.x }}'}\n    run: |\n      "
    assert faults(compiled(head + script)) == [(code, 6)]
    assert faults(compiled(head.replace("{{ inputs.x }}", "ls") + script)) == []
    own = HEAD + "env: {X: '{{ inputs.x }}'}\nnodes:\n  a: {env: {X: ls}, run: 'eval \"$X\"'}"
    assert faults(compiled(own)) == []


@pytest.mark.parametrize(
    "script",
    ['echo "$X"', "sh -c 'echo \"$X\"'", 'cmd "$X"', '[ "$X" = a ]', 'printf "%s" "$X" | wc -c', "echo Xylo", '"$X" a'],
)
def test_a_variable_that_is_data_passes(planned: Planned, script: str) -> None:
    plan = planned(HEAD + f"env: {{X: '{{{{ inputs.x }}}}'}}\nnodes:\n  a:\n    run: |\n      {script}")
    assert "integers" not in plan.nodes[0].options.data


def test_one_fault_is_told_once_though_many_nodes_read_the_variable(compiled: Compile) -> None:
    nodes = "".join(f"  n{i}: {{run: 'eval \"$X\"'}}\n" for i in range(5))
    assert faults(compiled(HEAD + "env: {X: '{{ inputs.x }}'}\nnodes:\n" + nodes)) == [("E420", 3)]


def test_a_secret_in_the_environment_is_the_users_own(compiled: Compile) -> None:
    node = "{secrets: [T], env: {X: '{{ secrets.T }}'}, run: 'ssh host \"x $X\"'}"
    text = "secrets: {T: {from: env}}\nnodes:\n  a: " + node
    assert faults(compiled(text)) == []


@pytest.mark.parametrize("place", ["pipeline", "node"])
@pytest.mark.parametrize("value", ["{{ inputs.x }}", "{{ inputs.x }}{{ inputs.e }}"])
def test_s3_a_variable_that_is_calculated_must_hold_an_integer(place: str, value: str) -> None:
    env = f"env: {{N: '{value}'}}"
    text = f"""
version: 1
inputs: {{x: {{type: string}}, e: {{type: string, default: ""}}}}
{env if place == "pipeline" else ""}
nodes:
  a:
    shell: bash
    {env if place == "node" else "timeout: 9s"}
    run: echo $((N + 1))
"""
    run = run_pipeline(text, inputs={"x": "41"})
    assert run.output("a") == "42"
    run = run_pipeline(text, inputs={"x": "a[$(touch CANARY)]"})
    error = run.node("a").error
    assert error is not None
    assert error["kind"] == "template"


def test_a_sum_with_a_secret_and_a_value_in_one_variable_is_refused(compiled: Compile) -> None:
    node = "{secrets: [T], env: {X: '{{ secrets.T }}{{ inputs.x }}'}, run: 'echo $((X))'}"
    assert faults(compiled(HEAD + "secrets: {T: {from: env}}\nnodes:\n  a: " + node)) == [("E420", 5)]


@pytest.mark.parametrize("word", ["-{{ inputs.x }}", "{% raw %}a{% endraw %}"])
def test_a_shell_is_no_template(compiled: Compile, word: str) -> None:
    node = f"nodes:\n  a: {{run: echo, shell: [bash, -c, '{word}']}}"
    assert faults(compiled(HEAD + node)) == [("E213", 4)]
    default = f"defaults: {{shell: [bash, '{word}']}}\nnodes:\n  a: {{run: echo}}\n  b: {{run: echo}}"
    assert faults(compiled(HEAD + default)) == [("E213", 3)]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("run: sh", "E420"), ("run: bash -s a", "E420"), ("run: psql db", "E420"), ("argv: [python3]", "E420"),
        ("argv: [ssh, host]", "E420"), ("argv: [sudo, bash]", "E420"), ("run: 'read -r x; eval \"$x\"'", "E420"),
        ("run: 'f() { sh; }; f'", "E420"), ("run: 'cat | sh'", "E420"), ("run: 'eval \"$(cat)\"'", "E420"),
        ("run: cat", None), ("run: python3 tool.py", None), ("argv: [jq, .a]", None), ("run: 'wc -l | sh'", None),
        ("run: 'sh < f'", None), ("argv: [sh, -c, cat]", None), ("run: 'while read -r x; do echo \"$x\"; done'", None),
        ("run: kubectl apply -f -", None), ("{run: 'print(1)', shell: python}", None),
    ],
)  # fmt: skip
def test_s3_a_value_on_standard_input_is_no_program(compiled: Compile, command: str, code: str | None) -> None:
    node = command.strip("{}")
    found = faults(compiled(HEAD + f"nodes:\n  a: {{{node}, stdin: '{{{{ inputs.x }}}}'}}"))
    assert found == ([(code, 4)] if code else [])
    assert faults(compiled(HEAD + f"nodes:\n  a: {{{node}, stdin: plain}}")) == []


@pytest.mark.parametrize(
    "command",
    [
        """argv: [sh, -c, 'eval "$X"']""", """argv: [sh, -c, 'sh -c "$X"']""",
        """argv: [sudo, bash, -c, 'y=$X; eval "$y"']""",
        """argv: [sh, -c, 'f() { eval "$1"; }; f "$X"']""",
        """argv: [sh, -c, 'eval "$1 $X"', sh, "{{ inputs.n }}"]""",
        """{shell: [sudo, bash, -c], run: 'eval "$X"'}""", """{shell: [sh, -c, 'eval "$X"'], run: ls}""",
    ],
)  # fmt: skip
def test_s3_a_variable_of_the_environment_is_followed_into_the_script_of_a_program(
    compiled: Compile, command: str
) -> None:
    node = f"nodes:\n  a: {{{command.strip('{}')}, env: {{X: '{{{{ inputs.x }}}}'}}}}"
    assert ("E420", 4) in faults(compiled(HEAD + node))
    whole = f"env: {{X: '{{{{ inputs.x }}}}'}}\nnodes:\n  a: {{{command.strip('{}')}}}"
    assert ("E420", 3) in faults(compiled(HEAD + whole))


@pytest.mark.parametrize(
    "command",
    [
        """argv: [sh, -c, 'echo "$X"']""", """argv: [echo, X, "{{ inputs.x }}"]""",
        """argv: [sh, -c, 'X=ls; eval "$X"']""",
        """{shell: [sudo, bash, -c], run: 'echo "$X"'}""",
    ],
)  # fmt: skip
def test_a_variable_that_is_data_to_a_program_passes(planned: Planned, command: str) -> None:
    planned(HEAD + f"nodes:\n  a: {{{command.strip('{}')}, env: {{X: '{{{{ inputs.x }}}}'}}}}")


def test_s3_what_the_script_of_a_program_calculates_must_hold_an_integer() -> None:
    text = """
version: 1
inputs: {x: {type: string}}
nodes:
  a: {argv: [bash, -c, 'echo $((X + 1))'], env: {X: "{{ inputs.x }}"}}
  b: {argv: [bash, -c, 'echo $(($1 + 1))', sh, "{{ inputs.x }}"]}
"""
    run = run_pipeline(text, inputs={"x": "41"})
    assert (run.output("a"), run.output("b")) == ("42", "42")
    run = run_pipeline(text, inputs={"x": "a[$(touch CANARY)]"})
    assert [run.node(id).error["kind"] for id in ("a", "b")] == ["template", "template"]  # type: ignore[index]


@pytest.mark.parametrize(
    "command",
    [
        "{shell: [bash, -s], run: echo}", "{shell: [sh, -s, --], run: echo}", "{shell: [python3, -], run: pass}",
        "{shell: [sudo, sh, -s], run: echo}",
    ],
)  # fmt: skip
def test_s3_a_shell_that_reads_its_program_from_standard_input_takes_no_value(compiled: Compile, command: str) -> None:
    node = f"nodes:\n  a: {{{command.strip('{}')}, stdin: '{{{{ inputs.x }}}}'}}"
    assert faults(compiled(HEAD + node)) == [("E420", 4)]


@pytest.mark.parametrize(
    "command", ["{shell: [bash, -c], run: cat}", "{shell: [bash, -x], run: cat}", "{shell: [perl], run: 'print <>'}"]
)
def test_a_value_on_the_standard_input_of_a_text_passes(planned: Planned, command: str) -> None:
    planned(HEAD + f"nodes:\n  a: {{{command.strip('{}')}, stdin: '{{{{ inputs.x }}}}'}}")


@pytest.mark.parametrize("node", ["run: make", "argv: [make]"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("GNUMAKEFLAGS", "E420"), ("GIT_CONFIG_PARAMETERS", "E420"), ("GIT_CONFIG_VALUE_0", "E420"),
        ("GIT_CONFIG_KEY_12", "E420"),
        ("JAVA_TOOL_OPTIONS", "E420"), ("npm_config_script_shell", "E421"), ("PATH", "E421"), ("NODE_PATH", "E421"),
        ("LD_LIBRARY_PATH", "E421"), ("MAKEFILES", "E421"), ("PSQLRC", "E421"), ("GIT_CONFIG_GLOBAL", "E421"),
    ],
)  # fmt: skip
def test_s3_a_variable_that_chooses_what_runs_takes_no_value(
    compiled: Compile, node: str, name: str, code: str
) -> None:
    assert faults(compiled(HEAD + f'nodes:\n  a: {{{node}, env: {{{name}: "{{{{ inputs.x }}}}"}}}}')) == [(code, 4)]
    assert faults(compiled(HEAD + f'env: {{{name}: "a{{{{ inputs.x }}}}"}}\nnodes:\n  a: {{{node}}}')) == [(code, 3)]
    text = HEAD + f"nodes:\n  a: {{run: '{name}={{{{ inputs.x }}}} cmd'}}"
    assert faults(compiled(text)) == [(code, 4)]


def test_a_setting_of_git_that_runs_nothing_takes_a_value(planned: Planned) -> None:
    env = "GIT_CONFIG_COUNT: 1, GIT_CONFIG_KEY_0: user.name, GIT_CONFIG_VALUE_0: '{{ inputs.x }}'"
    planned(HEAD + f"nodes:\n  a: {{run: git status, env: {{{env}}}}}")
    planned(HEAD + "nodes:\n  a: {run: 'GIT_CONFIG_KEY_0=user.name GIT_CONFIG_VALUE_0={{ inputs.x }} git status'}")


def test_a_variable_made_of_texts_of_the_file_may_choose(planned: Planned) -> None:
    planned("env: {TOOLS: /opt/tools}\nnodes:\n  a: {run: ls, env: {PATH: '{{ env.TOOLS }}/bin:/usr/bin:/bin'}}")
