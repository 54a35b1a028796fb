"""What a file may say, and what then fails, or does nothing, in every run that comes to it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pipe_runner.compiler.budgets import time_of
from pipe_runner.compiler.fanout import SPECIAL
from pipe_runner.compiler.report import Report, short
from pipe_runner.compiler.room import WORK, Room
from pipe_runner.compiler.statuses import tell_cached
from pipe_runner.compiler.unseen import tell_unseen
from pipe_runner.compiler.values import Use
from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions.compiled import Compiled
from pipe_runner.expressions.evaluation import evaluate
from pipe_runner.expressions.shell_simple import suspicious
from pipe_runner.expressions.values import value_to_text
from pipe_runner.text import unfit_key
from pipe_runner.types import Path_, Phase
from pipe_schemas.durations import format_duration, parse_duration
from pipe_schemas.nodes import RetrySpec, RunNode

if TYPE_CHECKING:
    from pipe_runner.compiler.drafts import Draft
    from pipe_runner.compiler.parts import Part

_PATH: Final = re.compile(r"\$\{?(?:PATH|HOME|PWD|USER|TMPDIR)\b\}?|(?:^|(?<=:))~(?=/|$)")
"""Variables that a shell would put in, at the places where paths have them."""
_PATHS: Final = re.compile(r"[\w./:~$%+@{}-]+")
_OURS: Final = re.compile(r"\$[{(]((?:inputs|nodes|matrix|item|secrets|run|env)(?:\.\w+)+)[})]")
_SHEBANG: Final = re.compile(r"#!\s*\S*?(?:/env\s+(?:-S\s+)?)?([\w.+-]+)(?:\s.*)?$")
_KEYS: Final = 10_000
"""Items of one list whose keys are compared."""
_NEVER: Final = {"failed": "failure", "blocked": "failure", "skipped": "always", "cancelled": "always"}
"""States of a need in which a node without `run_on` doesn't run, and the `run_on` with which it does."""


def look_over(
    parts: Collection[Part],
    drafts: list[Draft],
    others: Collection[Use],
    home: str | None,
    policy: Mapping[str, Any],
) -> None:
    """Tell of all such places. `others`: templates of the pipeline's own file that stand in no node; `home`: the
    project's root, if files of functions must be there when the run begins; `policy`: that of `pipe.yml`."""
    nodes: dict[str, Draft] = {}
    if any(draft.when is not None or draft.spec.run_on == "failure" for draft in drafts):
        nodes = {draft.id: draft for draft in drafts}
    for part in parts:
        _environment(part.spec.env, ("env",), part.report)
    tell_cached(drafts, others, next(iter(parts)).report)
    room = Room(max(WORK, sum(len(part.report.document.text) for part in parts) // 5) // 3)
    sound: Any = None  # of which nothing was to say: the next one may be the same value of the file
    for draft in drafts:
        spec, report = draft.spec, draft.part.report
        if spec is sound:
            continue
        told = len(report.found)
        if draft.when is not None and spec.run_on == "success" and draft.phase is Phase.NODES:
            _condition(draft, nodes, report)
        if spec.run_on == "failure":
            _nothing_to_fail(draft, nodes, report)
        if spec.retry is not None and spec.retry != 1:
            _no_second(draft, report)
        if spec.for_each is not None:
            _same_keys(draft, report)
        if spec.matrix is not None:
            _numbers(draft, report)
            _same_combinations(draft, report)
        if spec.env:
            _environment(spec.env, (*draft.path, "env"), report)
        for number, artifact in enumerate(spec.artifacts or ()):
            if re.search(r"[*?]|\[[^\]]+\]", artifact.path) and "{{" not in artifact.path:
                place = (*draft.path, "artifacts", number, "path")
                hint = "name a folder, which is kept whole; or let the command copy the files into one"
                report.add("W603", f"`{short(artifact.path)}` is a file's own name: no patterns here", place, hint=hint)
        if type(spec) is RunNode:
            _script(draft, report, room)
            if draft.when is None and len(report.found) == told:
                sound = spec
        if draft.agent is not None and draft.agent.name == "http":
            _address(draft, policy, report)
        if home is not None and draft.agent is not None and draft.agent.name == "python":
            _function(draft, home, report)


def _condition(draft: Draft, nodes: Mapping[str, Draft], report: Report) -> None:
    """`when: nodes.a.status == "failed"` of a node that doesn't run where `a` failed."""
    assert draft.when is not None
    if draft.when.kind != "jinja":
        return
    for tree in _together(draft.when.body):
        if tree[0] != "cmp" or len(tree[2]) != 1:
            continue
        for one, other in ((tree[1], tree[2][0][1]), (tree[2][0][1], tree[1])):
            if tree[2][0][0] not in ("eq", "==") or one[0] != "ref" or other[0] != "const" or len(one[1]) != 3:
                continue
            root, id, field = one[1]
            need = nodes.get(str(id))
            run_on = _NEVER.get(other[1]) if isinstance(other[1], str) else None
            if (
                root != "nodes"
                or field != "status"
                or run_on is None
                or need is None
                or need is draft
                or need.phase is not Phase.NODES
            ):
                continue
            if run_on == "failure" and need.spec.continue_on_error:
                continue
            message = f"`{short(str(id))}` never is `{other[1]}` here: a node runs where its needs have succeeded"
            hint = f"say so: `run_on: {run_on}`" + (" (in place of the condition)" if run_on == "failure" else "")
            report.add("W505", message, (*draft.path, "when"), hint=hint)
            return


def _nothing_to_fail(draft: Draft, nodes: Mapping[str, Draft], report: Report) -> None:
    """`run_on: failure` of a node that waits for none of its own map."""
    read = [one.path for use in draft.uses for one in use.compiled.references if one.path[0] == "nodes"]
    targets = [nodes.get(str(path[1])) if len(path) > 1 else None for path in read]
    if draft.spec.needs or any(target is None or target.phase is draft.phase for target in targets):
        return
    message = f"`{short(draft.id)}` never runs: `run_on: failure` is about the nodes that it needs, and it needs none"
    if draft.phase is Phase.NODES:
        other = next((one for one in nodes.values() if one.phase is Phase.NODES and one is not draft), None)
        after = f"say after which node: `needs: [{short(other.id)}]`; or " if other is not None else ""
        hint = f"{after}put it under `on_failure:`, which runs after any failure"
    elif draft.phase is Phase.ON_FAILURE:
        hint = "leave `run_on` out: `on_failure` runs after a failure only"
    else:
        hint = "put it under `on_failure:`, which runs after a failure only"
    report.add("W505", message, (*draft.path, "run_on"), at="key", hint=hint)


def _together(tree: Any) -> Iterator[list[Any]]:
    """Comparisons that must all be true."""
    if isinstance(tree, list) and tree and tree[0] == "and":
        for part in tree[1:]:
            yield from _together(part)
    elif isinstance(tree, list) and tree:
        yield tree


def _same_keys(draft: Draft, report: Report) -> None:
    """A list that stands in the file, and gives one key twice."""
    fan_out = draft.fan_out
    if fan_out is None or fan_out.matrix or not fan_out.items.static or draft.spec.for_each.key is None:
        return
    items = fan_out.items.data
    uses = [use for use in draft.uses if use.place == "key"]
    if not isinstance(items, list) or len(items) < 2 or len(uses) > 1 or not all(use.sound for use in uses):
        return
    if not any(one.path[0] in ("item", "index") for use in uses for one in use.compiled.references):
        message = "all items have the same key, and an item is known by its key"
        hint = "put into it what differs: `{{ item }}`, a part of it, or `{{ index }}`"
        report.add("W506", message, (*draft.path, "for_each", "key"), hint=hint)
        return
    key: Compiled = uses[0].compiled
    if len(items) > _KEYS or any(reference.path[0] != "item" for reference in key.references):
        return
    seen: set[str] = set()
    for number, item in enumerate(items):
        try:
            text = value_to_text(evaluate(key, {"item": item}))
        except ExpressionFault:
            return
        why = unfit_key(text) if text else "can't be a key: it is empty"
        if why is not None:
            message = f"the key of this item, `{short(text)}`, {why}"
            report.add("W506", message, (*draft.path, "for_each", "items", number))
            return
        if text in seen:
            message = f"the key `{short(text)}` stands here twice, and an item is known by its key"
            report.add("W506", message, (*draft.path, "for_each", "items", number), hint="leave one of the items out")
            return
        seen.add(text)


def _same_combinations(draft: Draft, report: Report) -> None:
    """A matrix that gives one combination twice: by a value that stands twice, an entry of `include`, or by texts that
    only look alike."""
    fan_out = draft.fan_out
    combinations: Any = fan_out.items.data if fan_out is not None and fan_out.matrix else ()
    keys = [_key(one) for one in combinations]
    _unfit_combination(draft, keys, report)
    twice = next((key for key, times in Counter(keys).items() if times > 1), None)
    if twice is None:
        return
    path, spec = (*draft.path, "matrix"), draft.spec.matrix
    message = f"the combination `{short(twice)}` stands here twice, and a combination is known by its values"
    for name, values in spec.items():
        seen: set[str] = set()
        for number, value in enumerate(values if name != "exclude" else ()):
            text = _key(value) if name in SPECIAL else value_to_text(value)
            if text in seen:
                report.add("W506", message, (*path, name, number), hint="leave one of the two out")
                return
            seen.add(text)
    report.add("W506", message, path, at="key", hint="give their values texts that differ")


def _unfit_combination(draft: Draft, keys: list[str], report: Report) -> None:
    """A matrix of which no item can be known by its values."""
    unfit = next((key for key in keys if unfit_key(key) is not None), None)
    if unfit is None:
        return
    path = (*draft.path, "matrix")
    message = f"the values of a combination, `{short(unfit)}`, {unfit_key(unfit)}"
    hint = "give it a name, and choose the value by it in the command"
    for name, values in draft.spec.matrix.items():
        for number, value in enumerate(values if name != "exclude" else ()):
            if unfit_key(_key(value) if name == "include" else value_to_text(value)) is not None:
                report.add("W506", message, (*path, name, number), hint=hint)
                return
    report.add("W506", message, path, at="key", hint=hint)


def _key(combination: Mapping[str, Any]) -> str:
    """What a combination is known by."""
    return ",".join(value_to_text(part) for part in combination.values())


def _numbers(draft: Draft, report: Report) -> None:
    """`[3.10, 3.9]`, of which YAML makes 3.1 and 3.9."""
    for axis, values in draft.spec.matrix.items():
        for number, value in enumerate(values if isinstance(values, list) else ()):
            if type(value) is not float:
                continue
            place = (*draft.path, "matrix", axis, number)
            written = report.document.written(report.written(place)) or ""
            if re.fullmatch(r"\d+\.\d*0", written) and written != str(value):
                hint = f'a version is text: "{written}"'
                report.add("W103", f"YAML reads {written} as the number {value}", place, hint=hint)


def _environment(env: Mapping[str, Any], path: Path_, report: Report) -> None:
    """`PATH: "$PATH:/x"`: no shell reads the values of `env:`."""
    for name, text in env.items():
        if not isinstance(text, str) or ("$" not in text and "~" not in text) or "{{" in text:
            continue
        found = _PATH.search(text)
        if found is not None and (name.endswith("PATH") or _PATHS.fullmatch(text)):
            line = f'export {name}="{short(text.replace("~", "$HOME"))}"'
            hint = f"set it where a shell reads it, at the top of `run:`: `{line}`"
            report.add("W408", f"no shell reads values of `env`: `{found[0]}` stays as it is", (*path, name), hint=hint)


def _script(draft: Draft, report: Report, room: Room) -> None:
    """Shell text that the shell stumbles over."""
    text, path = draft.spec.run, (*draft.path, "run")
    shell = draft.options.data.get("shell", "sh") if isinstance(draft.options.data, dict) else ""
    if shell not in ("sh", "bash"):
        return
    if text[:2] == "#!":
        _shebang(text, shell, path, report)
        return
    found = _OURS.search(text) if "$" in text else None
    if found is not None and "'" not in text[: found.start()].rpartition("\n")[2] and "<<" not in text[: found.start()]:
        message, hint = f"`{found[0]}` is nothing that a shell knows", f"write `{{{{ {found[1]} }}}}`"
        report.add("W407", message, path, offset=found.start(), length=len(found[0]), hint=hint)
    elif suspicious(text, shell):
        from pipe_runner.expressions.shell_reading import trouble

        one, work = (None, 0) if room.full else trouble(text, shell)
        room.holds(work)
        if one is not None:
            report.add("W407", one.message, path, offset=one.offset, length=1, hint=one.hint)
    if "$" in text:
        around = draft.part.compiler.around
        tell_unseen(text, path, report, {*draft.spec.secrets, *draft.spec.env, *around.env}, around.secrets)


def _shebang(text: str, shell: str, path: Path_, report: Report) -> None:
    found = _SHEBANG.match(text.partition("\n")[0])
    wanted = found[1] if found else ""
    if wanted in (shell, "sh", "dash"):
        return
    hint = "say so: `shell: bash`" if wanted == "bash" else "say which program reads the text: `shell: [program]`"
    hint = "say so: `shell: python`" if re.fullmatch(r"python[\d.]*", wanted) else hint
    report.add("W407", f"a first line `#!…` chooses nothing: {shell} reads this text", path, hint=hint)


def _no_second(draft: Draft, report: Report) -> None:
    """A wait before the second attempt that is as long as all attempts together may take."""
    retry, spec, defaults = draft.spec.retry, draft.spec, draft.part.compiler.around.defaults
    max_time = spec.max_time or (defaults.max_time if defaults is not None and draft.inside is None else None)
    limit = time_of(max_time, spec.budget)
    policy = RetrySpec(max_attempts=retry) if isinstance(retry, int) else retry
    if limit is None or policy.max_attempts < 2:
        return
    waits = [parse_duration(policy.delay, zero=True)]
    if policy.max_delay is not None:
        waits.append(parse_duration(policy.max_delay))
    if min(waits) * (0.5 if policy.jitter else 1) >= limit:
        has = format_duration(limit)
        message = f"no second attempt is possible: the wait before it takes all of the {has} that the node has"
        report.add("W510", message, (*draft.path, "retry"), at="key", hint="a shorter `delay`, or a longer `max_time`")


def _function(draft: Draft, home: str, report: Report) -> None:
    """A file of a function that isn't there, and that no node can have made by then."""
    data = draft.options.data
    call = data.get("call") if isinstance(data, dict) else None
    if not isinstance(call, str) or draft.phase is not Phase.NODES or draft.needs or draft.when is not None:
        return
    file = call.rpartition(":")[0]
    path = os.path.normpath(os.path.join(home, file))
    if not (file.endswith(".py") or "/" in file) or "\0" in file or os.path.exists(path) or not path.startswith(home):
        return  # one that leads out has been told
    hint = "a path counts from the project's root; if a node makes the file, name it: `needs: [make]`"
    report.add("W604", f"there is no file {short(file)}", (*draft.path, "with", "call"), hint=hint)


def _address(draft: Draft, policy: Mapping[str, Any], report: Report) -> None:
    """A URL that stands in the file, and that no request can go to, or may."""
    data = draft.options.data
    url = data.get("url") if isinstance(data, dict) else None
    if not isinstance(url, str) or not url:
        return
    place = (*draft.path, "with", "url")
    if re.match(r"\s*https?://", url, re.I) is None:
        known = re.fullmatch(r"[\w-]+(?:\.[\w-]+)+(?:[:/].*)?", url)
        hint = f"write `https://{short(url)}`" if known else None
        report.add("E505", "the URL must begin with http:// or https://", place, hint=hint)
        return
    port = re.match(r"https?://(?:[^/?#@]*@)?(?:\[[^\]]*\]|[^/?#:@\[]*):(\d+)(?:[/?#]|$)", url, re.I)
    if port is not None and not 0 < int(port[1][:9]) < 65536:
        report.add("E505", f"the URL's port {short(port[1])} is not between 1 and 65535", place)
        return
    why = draft.agent.refusal({"url": url}, policy) if draft.agent is not None and "{{" not in url else None
    if why is not None:
        hint = "`policy: {http: {allow: […]}}` in pipe.yml can allow private hosts and networks"
        report.add("W605", why, place, hint=hint)
