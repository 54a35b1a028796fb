"""What a node gives, as far as its agent and its options say it before the run."""

from __future__ import annotations

from typing import Any

from pipe_runner.compiler.agents import AgentInfo
from pipe_runner.compiler.drafts import Draft
from pipe_runner.compiler.kinds import ANY, NODE, TEXT, Schema


def asks_models(draft: Draft | None) -> bool:
    return isinstance(draft.agent, AgentInfo) and draft.asks if draft is not None else False


def may_noop(draft: Draft) -> bool:
    """Whether the node's model may answer that there is nothing to do; of a repeated node each item has its own."""
    if not asks_models(draft) or draft.spec.for_each is not None or draft.spec.matrix is not None:
        return False
    return isinstance(draft.options.data, dict) and draft.options.data.get("allow_noop") is True


def output_of(draft: Draft | None) -> Schema:
    """The schema of a node's output, asked of its agent once."""
    if draft is None or draft.agent is None:
        return ANY
    if draft.output_schema is None:
        draft.output_schema = _output_of(draft, draft.agent)
        if draft.spec.for_each is not None or draft.spec.matrix is not None:
            draft.output_schema = results_of(draft.output_schema)
    schema: Schema = draft.output_schema
    return schema


def results_of(output: Schema) -> Schema:
    """The schema of what a repeated node gives: a list with a result for each item."""
    own = {key: value for key, value in output.items() if key != "$defs"}
    result = {
        "type": "object",
        "properties": {
            "key": TEXT,
            "status": NODE["status"],
            "output": {"anyOf": [own, {"type": "null"}]},
            "error": NODE["error"],
        },
        "additionalProperties": False,
    }
    return {"type": "array", "items": result, **({"$defs": output["$defs"]} if "$defs" in output else {})}


def _output_of(draft: Draft, agent: AgentInfo) -> Schema:
    data = draft.options.data
    known = data if isinstance(data, dict) else {}
    if not draft.options.static:
        known = {key: _plain(value) for key, value in known.items() if not _has_template(value)}
    return agent.output(known)


def _has_template(value: object) -> bool:
    if isinstance(value, dict):
        if value.keys() == {"$map"}:
            return any(_has_template(item) for _, item in value["$map"])
        return bool({"$", "$text", "$url"} & value.keys()) or any(_has_template(item) for item in value.values())
    return isinstance(value, list) and any(_has_template(item) for item in value)


def _plain(value: Any) -> Any:
    """A value without templates, as the file has it: keys that begin with `$` are put aside where templates may be."""
    if isinstance(value, dict):
        items = value["$map"] if value.keys() == {"$map"} else value.items()
        return {key: _plain(item) for key, item in items}
    return [_plain(item) for item in value] if isinstance(value, list) else value
