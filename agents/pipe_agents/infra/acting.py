"""The actions: what a thing is, one request, and what it is then. None is ever asked for twice."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from pipe_agents.infra import docker, kubeconfig, systemd
from pipe_agents.infra.api import Answer, Api
from pipe_agents.infra.aws_account import Account, called
from pipe_agents.infra.common import Absent, Look, Unreached, in_thread, mapping, moment, objects, shown, stamp, whole
from pipe_agents.infra.kubernetes import opened
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

State = dict[str, Any]

_EMPTY: Final = dict.fromkeys(("pid", "restarts", "since", "exit_code", "replicas", "available", "generation"))
_VERBS: Final = {"restart": "restarted", "start": "started", "stop": "stopped"}
_NOT_KNOWN: Final = "nobody knows whether it was done; look before it is asked for again"
_NO_STATE: Final = "not known"
_BETWEEN: Final = (502, 503, 504)
"""Statuses of what stands before a service: whether the service got the request, they don't say."""


class Acted(NamedTuple):
    """What was done. `after` is null of a dry run."""

    target: str
    before: State
    after: State | None
    summary: str


async def _then(asked: Awaitable[State]) -> tuple[State, str]:
    """What a thing is after a request that was taken, and the same in words; that nobody can say it is no fault."""
    try:
        state = await asked
    except Unreached as fault:
        why = fault.why
    except NodeFault as fault:
        if fault.kind is ErrorKind.NOT_FOUND:
            return {**_EMPTY, "state": "gone"}, "is gone"
        why = fault.message
    else:
        return state, f"is {state['state']}"
    return {**_EMPTY, "state": _NO_STATE}, f"is in a state that is {_NO_STATE} ({why})"


# ---------------------------------------------------------------- services


async def on_service(look: Look) -> Acted:
    name = systemd.full_name(look.options["service"])
    verb = look.options["action"].partition("_")[0]
    await systemd.manager(look)
    unit = await _unit(look, name)
    if unit.get("LoadState") in (None, "not-found"):
        raise NodeFault(ErrorKind.NOT_FOUND, f"nothing was done: there is no {name} here")
    if unit.get("LoadState") == "masked" and verb != "stop":
        raise NodeFault(ErrorKind.REFUSED, f"nothing was done: {name} is masked; systemctl unmask {name} first")
    before = _of_unit(look, unit)
    if look.options["dry_run"]:
        return Acted(name, before, None, f"dry run: {name} is {before['state']}, and would be {_VERBS[verb]}")
    try:
        end = await look.command("systemctl", verb, "--no-ask-password", "--no-pager", "--", name, env=systemd.ENV)
    except TimeoutError:
        message = f"systemctl {verb} {name} did not come to its end within {look.timeout:g} s; {_NOT_KNOWN}"
        raise NodeFault(ErrorKind.TIMEOUT, message) from None
    after, now = await _then(_state_of(look, name))
    if end.exit_code != 0:
        said = shown(end.stderr_tail.decode("utf-8", "replace"), 300)
        message = f"systemctl {verb} {name} exited with {end.exit_code}, and it {now} now: {said}"
        if after["state"] == _NO_STATE:
            raise NodeFault(ErrorKind.TIMEOUT, f"{message}; {_NOT_KNOWN}")
        raise NodeFault(ErrorKind.EXIT, message, exit_code=end.exit_code)
    summary = f"{name} was {before['state']}, was {_VERBS[verb]}, and {now}"
    return Acted(name, before, after, summary)


async def _state_of(look: Look, name: str) -> State:
    return _of_unit(look, await _unit(look, name))


async def _unit(look: Look, name: str) -> systemd.Unit:
    for unit in await systemd.units(look, [name], patterns=()):
        if name in (unit["Id"], *systemd.names(unit, "Names")):
            return unit
    raise Unreached(f"systemctl says nothing of {name}", "a systemd that answers")


def _of_unit(look: Look, unit: systemd.Unit) -> State:
    from pipe_agents.infra.services import measured

    one = measured(look, unit, ())
    words = f"{one['active']} ({one['sub']})"
    return {**_EMPTY, "state": words, **{key: one[key] for key in ("pid", "restarts", "since", "exit_code")}}


# ---------------------------------------------------------------- containers


async def on_container(look: Look) -> Acted:
    name, verb = look.options["container"], look.options["action"].partition("_")[0]
    url = docker.place(look)
    if url is None:
        raise Absent("no socket of Docker or Podman is here", "a running Docker or Podman, or its address")
    api, where = docker.opened(look, url)
    async with api:
        engine = await docker.engine(api, where)
        target = f"{name} in {engine.kind} ({where})"
        before = await _container(engine, name)
        if look.options["dry_run"]:
            return Acted(target, before, None, f"dry run: {name} is {before['state']}, and would be {_VERBS[verb]}")
        try:
            answer = await engine.post(f"/containers/{name}/{verb}", {"t": str(look.options["grace"])})
        except Unreached as fault:
            raise NodeFault(ErrorKind.TIMEOUT, f"{verb} of {name} was asked for: {fault.why}; {_NOT_KNOWN}") from None
        if answer.status not in (204, 304):
            raise _failed(answer, f"{engine.kind} refuses to {verb} {name}")
        after, now = await _then(_container(engine, name))
    done = f"was {_VERBS[verb]}" if answer.status == 204 else f"there was nothing to {verb}"
    return Acted(target, before, after, f"{name} was {before['state']}, {done}, and {now}")


async def _container(engine: docker.Engine, name: str) -> State:
    answer = await engine.api.get(f"/v{engine.spoken}/containers/{name}/json")
    if answer.status == 404:
        raise NodeFault(ErrorKind.NOT_FOUND, f"there is no container {name} in {engine.kind}")
    detail = mapping(answer.value)
    state = mapping(detail.get("State"))
    if answer.status != 200 or not state:
        raise docker.unusable(answer, engine.where, f"GET /containers/{name}/json")
    running = state.get("Running") is True
    code = state.get("ExitCode")
    return {
        **_EMPTY,
        "state": shown(state.get("Status"), 30),
        "pid": whole(state.get("Pid")) or None,
        "restarts": whole(detail.get("RestartCount")),
        "since": stamp(moment(state.get("StartedAt" if running else "FinishedAt"))),
        "exit_code": code if isinstance(code, int) and not running else None,
    }


# ---------------------------------------------------------------- deployments


async def on_deployment(look: Look) -> Acted:
    path = kubeconfig.place(look)
    if path is None:
        raise Absent("there is no kubeconfig here", "KUBECONFIG, ~/.kube/config, or `kubeconfig`")
    cluster = await kubeconfig.cluster(look, path)
    options = look.options
    space, name = options["namespace"] or cluster.namespace or "default", options["deployment"]
    at = f"/apis/apps/v1/namespaces/{space}/deployments/{name}"
    dry = {"dryRun": "All"} if options["dry_run"] else {}
    async with opened(look, cluster) as api:
        target = f"{space}/{name} in {api.where}"
        before = await _deployment(api, at, f"{space}/{name}")
        if options["action"] == "scale_deployment":
            body: dict[str, Any] = {"spec": {"replicas": options["replicas"]}}
            place, kind, words = f"{at}/scale", "application/merge-patch+json", f"scaled to {options['replicas']}"
        else:
            stamped = {"kubectl.kubernetes.io/restartedAt": stamp(look.now)}
            body = {"spec": {"template": {"metadata": {"annotations": stamped}}}}
            place, kind, words = at, "application/strategic-merge-patch+json", "told to restart its pods"
        try:
            answer = await api.send("PATCH", place, {"fieldManager": "pipe-runner", **dry}, body=body, kind=kind)
        except Unreached as fault:
            if dry:
                raise
            raise NodeFault(ErrorKind.TIMEOUT, f"it was asked for: {fault.why}; {_NOT_KNOWN}") from None
        if answer.status not in (200, 201):
            raise (_refused if dry else _failed)(answer, f"{api.where} refuses to change {space}/{name}")
        if dry:
            return Acted(target, before, None, f"dry run: {target} has {before['state']}, and would be {words}")
        after, now = await _then(_deployment(api, at, f"{space}/{name}"))
    if after["replicas"] is not None:
        now = f"has {after['state']}"
    summary = f"{target} had {before['state']}, was {words}, and {now}; the rollout is not waited for"
    return Acted(target, before, after, summary)


async def _deployment(api: Api, path: str, name: str) -> State:
    answer = await api.get(path)
    if answer.status == 404:
        raise NodeFault(ErrorKind.NOT_FOUND, f"there is no deployment {name} in {api.where}")
    found = mapping(answer.value)
    if answer.status != 200 or not found:
        raise _refused(answer, f"{api.where} refuses to show {name}")
    wanted = whole(mapping(found.get("spec")).get("replicas", 1)) or 0
    there = whole(mapping(found.get("status")).get("availableReplicas")) or 0
    generation = whole(mapping(found.get("metadata")).get("generation"))
    words = f"{there} of {wanted} replicas available"
    return {**_EMPTY, "state": words, "replicas": wanted, "available": there, "generation": generation}


def _failed(answer: Answer, what: str) -> NodeFault:
    """Of the request that changes something."""
    if answer.status in _BETWEEN:
        said = f": {answer.said}" if answer.said else ""
        return NodeFault(ErrorKind.TIMEOUT, f"{what} (status {answer.status}){said}; {_NOT_KNOWN}")
    return _refused(answer, what)


def _refused(answer: Answer, what: str) -> NodeFault:
    kind = ErrorKind.REFUSED if answer.status in (401, 403, 409, 422) else ErrorKind.HTTP
    kind = ErrorKind.RATE_LIMITED if answer.status == 429 else kind
    return NodeFault(kind, f"{what} (status {answer.status}){f': {answer.said}' if answer.said else ''}")


# ---------------------------------------------------------------- instances


async def on_instance(look: Look) -> Acted:
    account = Account(look)
    try:
        region = (await in_thread(account.regions))[0]
        await in_thread(account.keys)
        asked = await in_thread(partial(_reboot, look, account, region))
        if look.options["dry_run"]:
            return asked
        client, id = account.client("ec2", region), look.options["instance"]
        after, now = await _then(in_thread(partial(_instance, client, region, id)))
    finally:
        account.close()
    summary = f"{asked.target} was running, was told to reboot, and {now}; that it comes back is not waited for"
    return Acted(asked.target, asked.before, after, summary)


def _reboot(look: Look, account: Account, region: str) -> Acted:
    """The request; what it gives is that of a dry run."""
    from botocore.exceptions import ClientError

    from pipe_agents.infra.aws_faults import faults, unreached

    client, id = account.client("ec2", region), look.options["instance"]
    target, dry = f"{id} in {region}", look.options["dry_run"]
    before = _instance(client, region, id)
    if before["state"] != "running":
        raise NodeFault(
            ErrorKind.REFUSED, f"nothing was done: {target} is {before['state']}, and only a running one reboots"
        )
    try:
        client.reboot_instances(InstanceIds=[id], DryRun=dry)
    except ClientError as error:
        code = str(mapping(error.response.get("Error")).get("Code"))
        status = whole(mapping(error.response.get("ResponseMetadata")).get("HTTPStatusCode")) or 0
        if status >= 500 and not dry:
            message = f"the reboot of {target} was asked for: {shown(code, 100)} (status {status}); {_NOT_KNOWN}"
            raise NodeFault(ErrorKind.TIMEOUT, message) from None
        if not (dry and code == "DryRunOperation"):
            fault = unreached(error, "ec2", "ec2:RebootInstances", region)
            raise NodeFault(ErrorKind.REFUSED, f"nothing was done: {fault.why}; it takes {fault.needs}") from None
    except faults() as error:
        if dry:
            raise unreached(error, "ec2", "ec2:RebootInstances", region) from None
        message = f"the reboot of {target} was asked for: {type(error).__name__}; {_NOT_KNOWN}"
        raise NodeFault(ErrorKind.TIMEOUT, message) from None
    return Acted(target, before, None, f"dry run: {target} is running, and would be rebooted")


def _instance(client: Any, region: str, id: str) -> State:
    try:
        told: Mapping[str, Any] = called(
            client, "ec2", "describe_instance_status", "ec2:DescribeInstanceStatus", region,
            InstanceIds=[id], IncludeAllInstances=True,
        )  # fmt: skip
    except Unreached as fault:
        if "InvalidInstanceID" in fault.why:
            raise NodeFault(ErrorKind.NOT_FOUND, f"there is no instance {id} in {region}") from None
        raise
    rows = objects(told.get("InstanceStatuses"))
    if not rows:
        raise NodeFault(ErrorKind.NOT_FOUND, f"there is no instance {id} in {region}")
    return {**_EMPTY, "state": shown(mapping(rows[0].get("InstanceState")).get("Name"), 30)}
