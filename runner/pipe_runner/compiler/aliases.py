"""Keys of other systems, and ours for the same thing. Each value is a hint, said after "`x` is not a key here"."""

from __future__ import annotations

from typing import Final

_NODE_MAP: Final = "nodes stand in a map: `nodes: {build: {run: make}}`"
_ENV: Final = "write `env:` with names and values"
_INPUTS: Final = "write `inputs:`; an expression reads them as `inputs.<name>`"
_NEEDS: Final = "write `needs: [a]`; a reference `{{ nodes.a.output }}` is a dependency by itself"
_WHEN: Final = "write `when:` with a bare expression, as `when: nodes.a.output > 0`"
_RUN: Final = "write `run:`"
_CWD: Final = "write `cwd:`"
_TIMEOUT: Final = "write `timeout:` with a unit, as `timeout: 10m`"
_RETRY: Final = "write `retry: 3`: attempts in total, the first one counted"
_TOLERATE: Final = "write `continue_on_error: true`"
_FOR_EACH: Final = "write `for_each: {items: …}`, or `matrix:` for a static list"
_AGENT: Final = "write `agent:` with the agent's name, and its options under `with:`"
_EFFECT: Final = "write `effect: once`"
_FAILURE: Final = "write `on_failure:` at the top of the file, with nodes that run when the run has failed"
_FINALLY: Final = "write `finally:` at the top of the file, with nodes that always run"
_GROUP: Final = "write `concurrency: {group: …}` at the top of the file: one run of a group at a time"
_PYTHON: Final = 'write `agent: python` and `with: {call: "module:function"}`'
_CONCURRENCY: Final = "write `concurrency: 8`: attempts in flight for the run"
_NAME: Final = "a node is called by its key; say more in `description:`"
_SECRETS: Final = "declare it in `secrets:` at the top, grant it with `secrets: [NAME]` on the node"
_TRIGGER: Final = "pipelines have no triggers: `pipe run FILE` starts one, from cron or CI where that is wanted"
_IMAGE: Final = "commands run on this machine; start a container in `run:`, as `run: docker run …`"
_RIGHTS: Final = "commands run with your own rights: leave it out; secrets are granted by the `secrets:` of a node"
_POLICY: Final = "this stands in pipe.yml at the project's root, never in a pipeline file"
_ARTIFACTS: Final = "write `artifacts: [{name, path}]`"
_CACHE: Final = "write `cache: true`, or `cache: {key, files, ttl}`"
_ONE_THING: Final = "a node does one thing: make each of them a node, which has the one before in its `needs:`"
_HERE: Final = "nodes run on this machine; leave it out"
_BEFORE: Final = "write it at the beginning of `run:`; what several nodes want done before is a node that they need"
_AFTER: Final = "write a node that needs this one with `run_on: always`, or `finally:` at the top of the file"
_OUTPUT: Final = (
    "write `output: text`, `json`, `lines` or `file`: how to read what the command prints, or writes to `$PIPE_OUTPUT`"
)

_DOTENV: Final = _ENV + ", or read the file in `run:`"
_OF_NODES: Final = "say it of the nodes that it is meant for, each on its own"
_REQUEST: Final = "a request is `agent: http` with its options under `with:`"
TOP: Final = {
    **dict.fromkeys(
        (
            "needs",
            "when",
            "if",
            "matrix",
            "for_each",
            "cache",
            "artifacts",
            "effect",
            "run_on",
            "stdin",
            "with",
            "agent",
        ),
        "it stands in a node: `nodes: {build: {run: make, …}}`",
    ),
    **dict.fromkeys(("continue_on_error", "continue-on-error"), _OF_NODES),
    **dict.fromkeys(("cwd", "working-directory", "working_directory", "dir"), "write `defaults: {cwd: …}`"),
    "agents": _POLICY,
    "post": _FINALLY,
    "steps": _NODE_MAP,
    "jobs": _NODE_MAP,
    "workflows": _NODE_MAP,
    "tasks": _NODE_MAP,
    "stages": _NODE_MAP,
    "workflow": _NODE_MAP,
    "pipeline": _NODE_MAP,
    "on": _TRIGGER,
    "trigger": _TRIGGER,
    "triggers": _TRIGGER,
    "schedule": _TRIGGER,
    "cron": _TRIGGER,
    "spec": _NODE_MAP,
    "apiVersion": "write `version: 1`",
    "kind": "leave it out",
    "metadata": "write `name:`",
    "before_script": _BEFORE,
    "after_script": _FINALLY,
    **dict.fromkeys(("dotenv", "env_file", "env-file"), _DOTENV),
    "params": _INPUTS,
    "parameters": _INPUTS,
    "args": _INPUTS,
    "variables": "write `inputs:` for values given from outside, `env:` for environment variables",
    "vars": "write `inputs:` for values given from outside, `env:` for environment variables",
    "environment": _ENV,
    "max_parallel": _CONCURRENCY,
    "max-parallel": _CONCURRENCY,
    "parallelism": _CONCURRENCY,
    "parallel": _CONCURRENCY,
    "fail-fast": "write `fail_fast: true`",
    "timeout": "write `budget: {max_time: 30m}` for the run, `defaults: {timeout: 10m}` for each attempt",
    "timeout-minutes": "write `budget: {max_time: 30m}` for the run, `defaults: {timeout: 10m}` for each attempt",
    "max_time": "write `budget: {max_time: 30m}`",
    "retry": "write `defaults: {retry: 3}`",
    "retries": "write `defaults: {retry: 3}`",
    "default": "write `defaults:`",
    "permissions": _RIGHTS,
    "shell": "write `defaults: {shell: bash}`",
    "image": _IMAGE,
    "services": _IMAGE,
    "runs-on": _HERE,
    "pool": _HERE,
    "executors": _HERE,
    "providers": _POLICY,
    "mcp_servers": _POLICY,
    "policy": _POLICY,
    "executor": _POLICY,
    "store": _POLICY,
    "limits": _POLICY,
    "includes": "write `include: [{file: …}]`",
    "import": "write `include: [{file: …}]`",
    "on_error": _FAILURE,
    "onFailure": _FAILURE,
    "failure": _FAILURE,
    "on_exit": _FINALLY,
    "onExit": _FINALLY,
    "always": _FINALLY,
    "cleanup": _FINALLY,
    "after": _FINALLY,
    "run": "a command stands in a node: `nodes: {build: {run: make}}`",
    "title": "write `name:`",
    "resource_group": _GROUP,
    "on_success": "what runs after success is a node as any other: `needs: [a]`",
    "handlers": _FAILURE,
    "secret": "write `secrets:`",
}
NODE: Final = {
    **dict.fromkeys(("dotenv", "env_file", "env-file"), _DOTENV),
    **dict.fromkeys(("url", "headers"), _REQUEST),
    **dict.fromkeys(("include", "exclude"), "it stands under `matrix:`"),
    "depends_on": _NEEDS,
    "dependsOn": _NEEDS,
    "depends-on": _NEEDS,
    "depends": _NEEDS,
    "dependencies": _NEEDS,
    "after": _NEEDS,
    "runAfter": _NEEDS,
    "run_after": _NEEDS,
    "requires": _NEEDS,
    "need": _NEEDS,
    "if": _WHEN,
    "condition": _WHEN,
    "only_if": _WHEN,
    "skip_if": _WHEN,
    "unless": _WHEN,
    "rules": _WHEN,
    "uses": _AGENT,
    "type": _AGENT,
    "plugin": _AGENT,
    "action": _AGENT,
    "executor": _AGENT,
    "script": _RUN,
    "command": _RUN,
    "commands": _RUN,
    "cmd": _RUN,
    "cmds": _RUN,
    "shell_command": _RUN,
    "bash": "write `run:` and `shell: bash`",
    "exec": "write `argv: [program, argument]` for a program, `run:` for shell text",
    "args": "write `argv: [program, argument]` for a program with its arguments",
    "image": _IMAGE,
    "container": _IMAGE,
    "permissions": _RIGHTS,
    "services": _IMAGE,
    "deps": _NEEDS,
    "stage": _NEEDS,
    "only": _WHEN,
    "except": _WHEN,
    "before_script": _BEFORE,
    "after_script": _AFTER,
    "resource_group": _GROUP,
    "extends": "write `<<: *name`, and the node or the `x-…` key that it extends with `&name`",
    "trigger": "write `pipeline:` with the path of another pipeline file",
    "preconditions": "make it a node that fails where it doesn't hold, and name that in `needs:`",
    "generates": _ARTIFACTS,
    "sources": "write `cache: {files: [src/**]}`",
    "runs-on": _HERE,
    "runs_on": _HERE,
    "tags": _HERE,
    "platforms": _HERE,
    "timeout-minutes": _TIMEOUT,
    "timeout_minutes": _TIMEOUT,
    "timeoutMinutes": _TIMEOUT,
    "timeout_seconds": _TIMEOUT,
    "timeoutSeconds": _TIMEOUT,
    "deadline": _TIMEOUT,
    "retries": _RETRY,
    "max_retries": _RETRY,
    **dict.fromkeys(("max_attempts", "max-attempts", "maxAttempts", "attempts"), "write `retry: {max_attempts: 3}`"),
    "retryPolicy": _RETRY,
    "retry_policy": _RETRY,
    **dict.fromkeys(("retry_delay", "delay"), "write `retry: {max_attempts: 3, delay: 5s}`"),
    "until": "a node that fails is tried again: `retry: {max_attempts: 10, delay: 5s}`",
    **dict.fromkeys(
        ("failed_when", "changed_when"), "a command fails by its exit code: let it end with another than 0"
    ),
    "environment": _ENV + "; a person is asked by a node with `agent: approval` that this one needs",
    "envs": _ENV,
    "variables": _ENV,
    "vars": _ENV,
    "secret": _SECRETS,
    "working-directory": _CWD,
    "working_directory": _CWD,
    "working_dir": _CWD,
    "workingDirectory": _CWD,
    "workingDir": _CWD,
    "workdir": _CWD,
    "dir": _CWD,
    "chdir": _CWD,
    "continue-on-error": _TOLERATE,
    "ignore_errors": _TOLERATE,
    "allow_failure": _TOLERATE,
    "allow-failure": _TOLERATE,
    "fail-fast": "write `fail_fast: true` at the top of the file",
    "fail_fast": "it stands at the top of the file: `fail_fast: true`",
    "strategy": "write `matrix:` with the lists that stand under its own `matrix:`",
    "foreach": _FOR_EACH,
    "forEach": _FOR_EACH,
    "loop": _FOR_EACH,
    "with_items": _FOR_EACH,
    "withItems": _FOR_EACH,
    "parallel": _FOR_EACH,
    "max_parallel": "write `for_each: {items: …, max_parallel: 4}`",
    "concurrency": "it stands at the top of the file: `concurrency: 8`",
    "name": _NAME,
    "id": _NAME,
    "title": _NAME,
    "desc": "write `description:`",
    "trigger_rule": "write `run_on: success`, `failure` or `always`",
    "always_run": "write `run_on: always`",
    "idempotent": "write `effect: idempotent` or `effect: once`",
    "once": _EFFECT,
    "outputs": _OUTPUT,
    "register": "every node's output can be read: `{{ nodes.<id>.output }}`",
    **dict.fromkeys(("on_failure", "on-failure", "onFailure", "on_fail"), _FAILURE),
    "on_error": f"{_TOLERATE}, or {_FAILURE.removeprefix('write ')}",
    "on_success": _NEEDS.partition(";")[0] + " on the node that runs after this one",
    "finally": _FINALLY,
    "rescue": _FAILURE,
    "always": "write `run_on: always`",
    "artifact": _ARTIFACTS,
    "memoize": _CACHE,
    "input": "text for its standard input is `stdin:`; options of an agent stand under `with:`",
    "inputs": "options of an agent stand under `with:`",
    "params": "options of an agent stand under `with:`",
    "parameters": "options of an agent stand under `with:`",
    "options": "options of an agent stand under `with:`",
    "prompt": "options of an agent stand under `with:`",
    "steps": _ONE_THING,
    "tasks": _ONE_THING,
    "tool": _AGENT,
    "model": "options of an agent stand under `with:`",
    "template": "write `pipeline:` with the path of another pipeline file",
    "uses_pipeline": "write `pipeline:` with the path of another pipeline file",
    "call": _PYTHON,
    "python": _PYTHON,
    "function": _PYTHON,
    # Argo Workflows
    "withParam": _FOR_EACH,
    "withSequence": _FOR_EACH,
    "arguments": "options of an agent, and inputs of a sub-pipeline, stand under `with:`",
    "templateRef": "write `pipeline:` with the path of another pipeline file",
    "retryStrategy": _RETRY,
    "activeDeadlineSeconds": _TIMEOUT,
    "continueOn": _TOLERATE,
    "onExit": _FINALLY,
    "parallelism": "write `for_each: {items: …, max_parallel: 4}`",
    "failFast": "write `fail_fast: true` at the top of the file",
    # Airflow
    "task_id": _NAME,
    "upstream": _NEEDS,
    "bash_command": _RUN,
    "python_callable": _PYTHON,
    "op_args": _PYTHON,
    "op_kwargs": _PYTHON,
    "operator": _AGENT,
    "execution_timeout": _TIMEOUT,
    "expand": _FOR_EACH,
    "partial": _FOR_EACH,
    "on_failure_callback": _FAILURE,
    # Taskfile, Dagu
    "precondition": _WHEN,
    "ignore_error": _TOLERATE,
    "method": "write `cache: {files: [src/**]}`; that of a request stands under the `with:` of `agent: http`",
}
MAY_BE_OPTIONS: Final = frozenset(
    [
        *("action", "args", "arguments", "call", "concurrency", "container", "exclude", "headers", "include", "kwargs"),
        *("method", "services", "sources", "title", "until", "url"),
    ]
)
"""Keys that agents have under `with:`."""
OPTION: Final = NODE["options"]
_WITH: Final = "values of the file's inputs stand under `with:`"
OUTPUTS_OF_FILE: Final = "a sub-pipeline gives the `outputs:` of its own file"
PIPELINE_NODE: Final = {
    **dict.fromkeys(("input", "inputs", "params", "parameters", "options", "args", "vars", "variables"), _WITH),
    "outputs": OUTPUTS_OF_FILE,
}
"""Of a node that runs a sub-pipeline, where another hint holds than of other nodes."""
_KEPT: Final = "`files:` names what counts by its content; files that the node leaves are kept by its `artifacts:`"
CACHE: Final = dict.fromkeys(("path", "paths", "untracked", "restore-keys", "restore_keys", "policy"), _KEPT)
_REPLACES_KIND: Final = (
    "uses script command commands cmd cmds shell_command bash exec steps tasks tool call python function "
    "plugin action type template templateRef uses_pipeline image container args trigger bash_command python_callable "
    "operator url"
)
REPLACES_KIND: Final = frozenset(_REPLACES_KIND.split())
"""Keys that stand where `run`, `argv`, `agent` or `pipeline` was meant."""
RETRY: Final = {
    "max": "write `max_attempts:`",
    "attempts": "write `max_attempts:`",
    "max-attempts": "write `max_attempts:`",
    "maxAttempts": "write `max_attempts:`",
    "limit": "write `max_attempts:`, the first attempt counted",
    "count": "write `max_attempts:`, the first attempt counted",
    "times": "write `max_attempts:`, the first attempt counted",
    "retries": "write `max_attempts:`, the first attempt counted",
    "max_retries": "write `max_attempts:`, the first attempt counted",
    "interval": "write `delay:`",
    "wait": "write `delay:`",
    "initial_delay": "write `delay:`",
    "max_interval": "write `max_delay:`",
    "factor": "`backoff: exponential` doubles the delay each time",
    "when": "write `on: [error, timeout, …]`",
    "on_errors": "write `on: [error, timeout, …]`",
}
CONCURRENCY: Final = {
    "cancel-in-progress": "write `cancel_in_progress: true`",
    "max-parallel": "write `max_parallel:`",
    "limit": "write `max_parallel:`",
}
DEFAULTS: Final = {
    "env": "`env:` at the top of the file is for every node",
    "run": "write `defaults: {shell: …, cwd: …}`",
    "retries": _RETRY,
    "working-directory": _CWD,
    "timeout-minutes": _TIMEOUT,
    **dict.fromkeys(("continue_on_error", "continue-on-error", "cache", "secrets", "if", "when"), _OF_NODES),
    "provider": "it stands in a node, or for the whole project in pipe.yml: `defaults: {provider: …}`",
    "concurrency": "it stands at the top of the file: `concurrency: 8`",
}
INPUT: Final = {
    "min": "write `minimum:`",
    "max": "write `maximum:`",
    "min_length": "write `minLength:`",
    "max_length": "write `maxLength:`",
    "min_items": "write `minItems:`",
    "max_items": "write `maxItems:`",
    "options": "write `enum: [a, b]`",
    "choices": "write `enum: [a, b]`",
    "values": "write `enum: [a, b]`",
    "regex": "write `pattern:`",
    "value": "write `default:`",
    "desc": "write `description:`",
    "help": "write `description:`",
    "optional": "write `required: false`, or a `default:`",
    "element_type": "write `items: {type: …}`",
}
SECRET: Final = {
    "env": "write `{from: env, key: NAME}`",
    "file": "write `{from: file, key: PATH}`",
    "name": "write `key:`",
    "path": "write `key:`",
    "value": "a secret's value never stands in a file: say where it comes from, `{from: env}`",
    "source": "write `from:`",
}
TYPES: Final = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "map": "object",
    "dict": "object",
    "mapping": "object",
    "choice": "string",
}
"""Type names of other systems → JSON Schema's."""
