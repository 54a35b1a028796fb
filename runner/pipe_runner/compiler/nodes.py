"""Makes a draft of each node: its options compiled, its condition, its environment, its digest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.agents import AgentInfo, Agents, timeless, unguarded
from pipe_runner.compiler.choices import chosen_function
from pipe_runner.compiler.contexts import keys_of
from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.environment import commands_of
from pipe_runner.compiler.fanout import compile_fan_out, uses_without_list, without_list
from pipe_runner.compiler.options import check_options
from pipe_runner.compiler.report import TITLE, Report, headline, short
from pipe_runner.compiler.room import STEPS, WORK, Room
from pipe_runner.compiler.surroundings import Surroundings, check_shell, is_shell
from pipe_runner.compiler.values import Use, Values, sound
from pipe_runner.expressions import Fault
from pipe_runner.expressions.compile import compile_condition
from pipe_runner.expressions.condition_simple import simple_condition
from pipe_runner.expressions.shell_simple import simple_shell
from pipe_runner.expressions.values import value_to_text
from pipe_runner.plan import Value
from pipe_runner.types import AUTO, Path_, Phase
from pipe_schemas.encoding import canonical_json
from pipe_schemas.nodes import AgentNode, ArgvNode, PipelineNode, RunNode

if TYPE_CHECKING:
    from pipe_runner.compiler.parts import Part

_FAN_OUT: Final = frozenset({"for_each", "matrix", "min_success"})
_SIMPLE_SHELLS: Final = ("sh", "bash")
_RESERVED: Final = ("PIPE_", "TRACEPARENT")
_TOO_MUCH: Final = "the shell texts of this file have more commands beside values than can be looked through"


class NodeCompiler:
    """Compiles the nodes of one file of a pipeline; `outer` does so for the file that includes it."""

    def __init__(
        self, part: Part, agents: Agents, root: str, outer: NodeCompiler | None = None, *, planned: bool = True
    ) -> None:
        """`planned`: whether anybody wants a plan of the nodes."""
        self.planned = planned
        self._part = part
        self._stand_ins = part.stand_ins
        self._data = part.data
        self._whole = part.written
        self._agents = agents
        self._report = report = part.report
        self._values = Values(report)
        self.around: Surroundings = Surroundings(part, outer.around if outer else None)
        self._environment = self.around.environment
        self._inherits = bool(self._environment)
        self._root = root
        self._resolved: dict[str, str] = {}
        """Paths of the file, links resolved: many nodes may name the same one."""
        size = len(report.document.text)
        self._matrices: Room = Room(max(STEPS, size // 10)) if outer is None else outer._matrices
        self._work: Room = Room(max(WORK, size // 5)) if outer is None else outer._work

    def draft(self, id: str, index: int, phase: Phase, spec: Any) -> Draft:
        """One node; its templates' references are not looked at yet."""
        draft = Draft(id, index, phase, spec)
        draft.part = self._part
        given = spec.model_fields_set
        if spec.when is not True:
            self._condition(draft)
        if not _FAN_OUT.isdisjoint(given):
            compile_fan_out(draft, self._values, self._report, self._matrices)
        if spec.env:
            check_names(spec.env, (*draft.path, "env"), self._report)
            draft.env = self._values.compile(spec.env, (*draft.path, "env"), "env", draft.uses, text=True)
        if spec.secrets:
            self._granted(draft)
        if spec.effect == "once" and spec.retry is not None and type(spec) is not PipelineNode:
            message = "`effect: once` and `retry` contradict each other: a second attempt would act twice"
            hint = "leave `retry` out; after a failure a person decides, with `pipe settle`"
            self._report.add("E212", message, (*draft.path, "retry"), at="key", hint=hint)
        if draft.path in self._stand_ins:
            self._unclear(draft, self._as_written(draft))
        elif type(spec) is RunNode:
            self._run(draft, spec)
        elif type(spec) is ArgvNode:
            self._argv(draft, spec)
        elif type(spec) is AgentNode:
            self._agent(draft, spec)
        else:
            draft.title = short(f"pipeline {spec.pipeline}", TITLE)
            draft.written = self._data[phase.value][id]
        if spec.cache is not None and spec.cache is not False:
            from pipe_runner.compiler.caching import compile_cache

            content = self._content(draft)
            if draft.asks:
                content["services"] = self._agents.models.described(draft.options.data)
            compile_cache(draft, content, self._values, self._report, self._inside)
        if spec.artifacts:
            from pipe_runner.compiler.caching import compile_artifacts

            compile_artifacts(draft, self._report, self._inside)
        if self.planned and type(spec) is not PipelineNode:  # its own is known with the file that it runs
            content = self._content(draft)
            draft.digest = self._digest(draft, content, draft.uses)
            if draft.fan_out is not None and draft.inside is None:
                rest = self._digest(draft, without_list(content), uses_without_list(draft))
                draft.fan_out = draft.fan_out._replace(rest=rest)
        return draft

    # ------------------------------------------------------------ parts that every node has

    def _condition(self, draft: Draft) -> None:
        path = (*draft.path, "when")
        text = draft.spec.when if isinstance(draft.spec.when, str) else "false"
        compiled = simple_condition(text)
        faults: list[Fault] = []
        if compiled is None:
            compiled, faults = compile_condition(text)
            self._values.tell(faults, path)
        draft.when = compiled
        draft.uses.append(Use(compiled, path, "when", sound(faults)))

    def _granted(self, draft: Draft) -> None:
        known = self.around.secrets
        seen: set[str] = set()
        for number, name in enumerate(draft.spec.secrets):
            path = (*draft.path, "secrets", number)
            if name in seen:
                self._report.add("E303", f"`{name}` stands here twice", path)
            elif name not in known and not self.around.secrets_unread:
                near = self._report.suggest(name, known)
                hint = (
                    f"did you mean `{near}`?"
                    if near
                    else f"declare it at the top: `secrets: {{{name}: {{from: env}}}}`"
                )
                self._report.add("E603", f"there is no secret `{name}`", path, hint=hint)
            elif name.startswith(_RESERVED):
                self._report.add("E211", f"`{name}` is set by the runner", path, hint="give the secret another name")
            elif name in draft.spec.env:
                message = f"`{name}` is a variable of this node's `env` already"
                hint = "a granted secret is a variable of the command under its own name: leave one of the two out"
                self._report.add("E212", message, path, hint=hint)
            seen.add(name)

    def _content(self, draft: Draft) -> dict[str, Any]:
        """What the file says of a node, its defaults included, without what changes nothing."""
        raw = self._data[draft.phase.value][draft.id]
        spec = draft.spec
        content = dict(raw)
        if "provider" not in content and draft.asks:
            content["provider"] = list(self._agents.models.default)
        content.pop("description", None)
        content.pop("budget", None)  # more money makes no paid answer worthless
        if len(spec.needs) > 1 and type(spec.needs) is list:
            content["needs"] = sorted(spec.needs)
        if spec.retry is not None and type(spec.retry) is int:
            content["retry"] = {"max_attempts": spec.retry}
        if self.around.default_parts:
            process = type(spec) is RunNode or type(spec) is ArgvNode
            for key, value in self.around.default_parts.items():
                if key == "retry" and spec.effect == "once":
                    continue
                if process or key not in ("shell", "cwd"):
                    content.setdefault(key, value)
        return content

    def _digest(self, draft: Draft, content: Mapping[str, Any], uses: Sequence[Use]) -> str:
        spec = draft.spec
        parts = (
            [canonical_json(content)]
            if draft.chosen is None
            else [canonical_json(content), canonical_json(draft.chosen)]
        )
        if draft.agent is not None and draft.agent.name != "shell":
            parts.append(draft.agent.agent.version)
        if self.around.env_text:
            parts.append(self.around.env_text)
        if spec.secrets:
            sources = self.around.secrets
            parts.append(canonical_json([sources.get(name) for name in sorted(spec.secrets)]))
        if self._part.number and (read := self.around.values_read(uses)):
            parts.append(read)
        return sha256("\0".join(parts).encode()).hexdigest()[:16]

    def _as_written(self, draft: Draft) -> Mapping[str, Any]:
        phase, id = self._report.written(draft.path)
        raw: Mapping[str, Any] = self._whole[str(phase)][id]
        return raw

    def _unclear(self, draft: Draft, raw: Mapping[str, Any]) -> None:
        """Of a node of which nobody knows what it does: what its templates read, so that those faults are told, too."""
        if isinstance(raw.get("run"), str) and raw.get("shell", "sh") in _SIMPLE_SHELLS:
            self._script(draft, raw["run"], "sh", {})
        if isinstance(raw.get("argv"), list) and all(isinstance(word, str) for word in raw["argv"]):
            self._values.words(raw["argv"], (*draft.path, "argv"), draft.uses)
        if isinstance(raw.get("with"), dict):
            self._values.compile(raw["with"], (*draft.path, "with"), "with", draft.uses)
        for key in ("cwd", "stdin"):
            if isinstance(raw.get(key), str):
                self._values.leaf(raw[key], (*draft.path, key), key, draft.uses)

    # ------------------------------------------------------------ commands

    def _run(self, draft: Draft, spec: RunNode) -> None:
        text = spec.run
        draft.title = headline(text)
        options: dict[str, Any] = {"script": text}
        shell = spec.shell
        if self.around.defaults is not None and "shell" not in spec.model_fields_set:
            shell = self.around.defaults.shell
        elif isinstance(shell, list):
            check_shell(shell, (*draft.path, "shell"), self._report)
        if shell != "sh":
            options["shell"] = shell
        static = True
        if "{{" in text or "{%" in text:
            static = self._script(draft, text, shell, options)
        if not draft.env.static or self._inherits or spec.stdin is not None:
            commands = commands_of(shell, text, shelled=is_shell(shell))
            self._environment.check_input(spec.stdin, (*draft.path, "stdin"), commands)
            if self._environment.check(spec.env, (*draft.path, "env"), commands, options):
                static = False
        self._process(draft, spec, options, static)

    def _script(self, draft: Draft, text: str, shell: str | list[str], options: dict[str, Any]) -> bool:
        path = (*draft.path, "run")
        simple = simple_shell(text) if shell in _SIMPLE_SHELLS else None
        faults: list[Fault] = []
        if simple is not None:
            compiled = simple
        elif is_shell(shell):
            from pipe_runner.expressions import weighed_shell

            if self._work.full:  # it has been told
                return True
            compiled, faults, work = weighed_shell(text)
            if not self._work.holds(work):
                self._report.add("E403", _TOO_MUCH, path, hint="keep scripts in files of their own, with arguments")
        else:
            from pipe_runner.expressions import compile_python_text

            compiled, faults = compile_python_text(text)
        self._values.tell(faults, path)
        options["script"] = compiled.program
        if not compiled.variables:
            return True
        variables = options["variables"] = {}
        for name, value, mode in compiled.variables:
            variables[name] = {"$text": value.to_json()} if self.planned else None
            if mode != "text":
                options.setdefault("integers" if mode == "integer" else "raw", []).append(name)
            draft.uses.append(Use(value, path, "run"))
        return False

    def _argv(self, draft: Draft, spec: ArgvNode) -> None:
        words = [value_to_text(item) for item in spec.argv]
        draft.title = short(" ".join(words), TITLE)
        items, static = self._values.words(words, (*draft.path, "argv"), draft.uses)
        if not words[0]:
            self._report.add("E204", "the program's name is empty", (*draft.path, "argv", 0))
        options: dict[str, Any] = {"argv": items}
        static = not self._environment.check(spec.env, (*draft.path, "env"), [words], options, "argv") and static
        self._environment.check_input(spec.stdin, (*draft.path, "stdin"), [words])
        self._process(draft, spec, options, static)

    def _process(self, draft: Draft, spec: RunNode | ArgvNode, options: dict[str, Any], static: bool) -> None:
        draft.agent = self._agents.get("shell", draft.path)
        if spec.output != "text":
            options["output"] = spec.output
        cwd, path = spec.cwd, (*draft.path, "cwd")
        draft.own_workspace = spec.workspace == "own"
        report = self._report
        if draft.own_workspace and cwd is not None:
            message = "`cwd` and `workspace: own` both say where the node works"
            report.add("E212", message, path, at="key", hint="leave one out; `cd` leads on from there")
        elif cwd is None and not draft.own_workspace and self.around.defaults is not None:
            cwd, path, report = self.around.default_cwd()
        if cwd is not None:
            options["cwd"], plain = self._values.leaf(cwd, path, "cwd", draft.uses)
            static = static and plain
            if plain:
                self._inside(cwd, path, report)
        if spec.stdin is not None:
            options["stdin"], plain = self._values.leaf(spec.stdin, (*draft.path, "stdin"), "stdin", draft.uses)
            static = static and plain
        draft.options = Value(options, static=static)

    def _inside(self, path: str, place: Path_, report: Report | None = None) -> None:
        """A path that the file names stays in the project's root, links resolved."""
        report = report or self._report
        if "\0" in path:
            report.add("E601", "a path can't hold a NUL character", place)
            return
        found = self._resolved.get(path)
        if found is None:
            found = self._resolved[path] = os.path.realpath(os.path.join(self._root, path))
        if found != self._root and not found.startswith(self._root.rstrip(os.sep) + os.sep):
            hint = "paths count from the project's root, and stay in it, links resolved"
            report.add("E601", f"`{short(path)}` leaves the project's root", place, hint=hint)

    # ------------------------------------------------------------ agents

    def _agent(self, draft: Draft, spec: AgentNode) -> None:
        path = (*draft.path, "agent")
        draft.title = short(f"agent {self._report.presets.get(draft.path, spec.agent)}", TITLE)
        if spec.agent == "shell":
            message = "the agent `shell` is written `run:` (shell text) or `argv:` (a program with its arguments)"
            self._report.add("E506", message, path, hint="so that no value of a template can become shell text")
            return
        name, given, place = spec.agent, spec.with_, (*draft.path, "with")
        if name == AUTO:
            from pipe_runner.compiler.choosing import Choosing, WithinOptions

            name, given, place = Choosing(draft, self._agents, self._report).resolved(spec)
        info = self._agents.get(name, path)
        if info is None:
            self._values.compile(given, place, "with", draft.uses)
            return
        draft.agent = info if not place[3:] else WithinOptions(info)
        if info.describe.changes_things and spec.effect != "once":
            unguarded(info.name, (*path[:-1], "effect") if "effect" in spec.model_fields_set else path, self._report)
        if info.describe.asks_people:
            timeless(info.name, spec, draft.path, self._report)
        options = {key: value for key, value in given.items() if key[:2] != "x-"}
        if info.name == "python":
            self._call(options, (*place, "call"))
        checked = options
        draft.asks = info.asks(options) or (name == AUTO and bool(options.get("provider")))
        if info.describe.asks_models:
            from pipe_runner.compiler.asking import ModelNode

            node = ModelNode(draft.path, self._agents, self._report, self._inside, bool(draft.chosen))
            options, checked = node.options(info, spec.provider, options)
        elif spec.provider is not None and "provider" not in options and name != AUTO:  # of it that is told already
            from pipe_runner.compiler.asking import not_asking

            not_asking(info.name, (*draft.path, "provider"), self._report)
        draft.options = self._values.compile(options, place, "with", draft.uses)
        if not draft.options.static:
            draft.options = Value(_with_urls(draft.options.data, info), static=False)
        written = self._as_written(draft)
        told = written.get("with") or self._report.misspelt("with", written, keys_of(AgentNode))
        if spec.with_ or not told:
            check_options(info, checked, place, self._report)

    def _call(self, options: dict[str, Any], place: Path_) -> None:
        """`tools/clean.py:function` names a file of the project; which function runs is no value's to say (S3)."""
        call = options.get("call")
        if not isinstance(call, str):
            return
        if "{{" in call or "{%" in call:
            options["call"] = chosen_function(call, place, self._report)
            return
        file = call.rpartition(":")[0]
        if file.endswith(".py") or "/" in file:
            self._inside(file, place)


def _with_urls(options: Any, info: AgentInfo) -> Any:
    """Marks the options that hold a URL, so that no value in one can change its host."""
    return {
        key: {"$url": item["$"]}
        if type(item) is dict and "$" in item and info.option((key,)).get("x-place") == "url"
        else item
        for key, item in options.items()
    }


def check_names(env: Mapping[str, Any], path: Path_, report: Report) -> None:
    """The names of an environment are not those that the runner sets."""
    for name in env:
        if name.startswith(_RESERVED):
            hint = "the runner sets PIPE_… and TRACEPARENT itself; take another name"
            report.add("E211", f"`{short(name)}` is a reserved name", (*path, name), at="key", hint=hint)
