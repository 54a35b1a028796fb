"""Checks the options of presets: `pipe check` of a pipe.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipe_runner.compiler.agents import Agents
from pipe_runner.compiler.asking import not_asking
from pipe_runner.compiler.options import check_options
from pipe_runner.compiler.presets import NO_PRESETS, OF_SHELL, SHELL
from pipe_runner.compiler.report import Report, listed, short
from pipe_runner.compiler.sentences import named
from pipe_runner.types import Path_

if TYPE_CHECKING:
    from pipe_runner.project import Project
    from pipe_runner.registry import Registry


def check_presets(project: Project, report: Report, registry: Registry) -> None:
    """Check the options of every preset against its agent, used or not; what is missing a node may give."""
    agents = Agents(registry, report, project)
    for preset in (project.presets or NO_PRESETS).by_name.values():
        path: Path_ = ("agents", preset.name, "with")
        own = {key: one.value for key, one in preset.options.items() if one.path[1] == preset.name}
        if preset.agent == SHELL:
            for key in own:
                if key not in OF_SHELL:
                    hint = f"there is {listed(OF_SHELL)}"
                    report.add(
                        "E503", f"agent `shell` has no option {named((key,))}", (*path, key), at="key", hint=hint
                    )
            _check_command({key: value for key, value in own.items() if key in OF_SHELL}, path, report)
            continue
        info = agents.get(preset.agent, ("agents", preset.name, "agent"))
        if info is None:
            continue
        if own:
            check_options(info, own, path, report, partly=True)
        asked = preset.keys.get("provider")
        if asked is not None and asked.path[1] == preset.name:
            if info.describe.asks_models:
                agents.models.providers(asked.value, asked.path, report)
            else:
                not_asking(info.name, asked.path, report)


def _check_command(own: dict[str, Any], path: Path_, report: Report) -> None:
    """Hold the options of a preset of `shell` against the model of a node with a command."""
    from pydantic import ValidationError

    from pipe_runner.compiler.pruning import at
    from pipe_runner.compiler.shape import real_path, said_of
    from pipe_schemas.nodes import ArgvNode, RunNode

    model = ArgvNode if "argv" in own else RunNode
    if "run" in own and "argv" in own:
        report.add("E206", "a command is `run` or `argv`, and this preset has both", (*path, "argv"), at="key")
        return
    data = own if "argv" in own or "run" in own else {"run": ":", **own}
    try:
        model.model_validate(data)
    except ValidationError as error:
        grouped: dict[Path_, list[Any]] = {}
        for detail in error.errors(include_url=False):
            grouped.setdefault(real_path(detail, data)[0], []).append(detail)
        for inner, details in grouped.items():
            if details[0]["type"] == "extra_forbidden":
                message = f"`{short(str(inner[-1]))}` stands beside `run`, and this preset has `argv`"
                report.add("E503", message, (*path, *inner), at="key")
                continue
            code, message, hint = said_of(inner, details, at(data, inner), report)
            report.add(code, message, (*path, *inner), hint=hint)
