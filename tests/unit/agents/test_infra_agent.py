"""`infrastructure` and `infrastructure_action` as agents: defaults, gates, secrets, and services that are acted on."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from infra_servers import Ops, one, told
from infra_servers.http import Reply, serving
from infra_servers.units import NOT_BOOTED, Systemctl, failed, not_found, unit
from pydantic import BaseModel, ValidationError

from pipe_agents import infrastructure, infrastructure_action
from pipe_agents.infra import common
from pipe_agents.infrastructure import InfrastructureAgent
from pipe_agents.infrastructure_action import InfrastructureActionAgent
from pipe_runner.errors import NodeFault
from pipe_runner.ports import Capability
from pipe_runner.registry import Registry
from pipe_runner.testing import run_text
from pipe_runner.types import ErrorKind, NodeStatus
from pipe_schemas import infrastructure_action as action_models
from pipe_schemas.findings import ExplainOptions
from pipe_schemas.infrastructure import WANTING, InfrastructureOptions, InfrastructureThresholds

PAGE = (Path(__file__).resolve().parents[3] / "docs/infrastructure.md").read_text(encoding="utf-8")


@pytest.fixture
def ops(tmp_path: Path) -> Ops:
    return Ops(tmp_path, {"PATH": f"{tmp_path}/bin"})


@pytest.fixture
def systemctl(tmp_path: Path) -> Systemctl:
    return Systemctl(tmp_path / "bin")


def test_the_agent_s_defaults_are_those_of_its_model() -> None:
    explaining = set(ExplainOptions.model_fields)
    made = InfrastructureOptions().model_dump()
    assert dict(common.DEFAULTS) == {k: v for k, v in made.items() if k not in explaining and k != "thresholds"}
    assert dict(common.THRESHOLDS) == InfrastructureThresholds().model_dump()
    assert dict(infrastructure._WANTING) == WANTING
    assert dict(infrastructure_action.TARGETS) == action_models.TARGETS


def test_each_check_is_a_capability_with_words() -> None:
    found = InfrastructureAgent().describe().capabilities
    assert [name.rpartition(".")[2] for name in found] == list(infrastructure.CHECKS)
    for capability in (*found, *InfrastructureActionAgent().describe().capabilities):
        assert isinstance(capability, Capability)
        assert 5 <= len(capability.words) <= 20
        assert capability.summary.endswith(".")


def test_the_page_has_every_option_threshold_action_and_finding() -> None:
    def table(head: str) -> set[str]:
        rows = PAGE.partition(f"| {head} |")[2].partition("\n\n")[0]
        return {
            name
            for row in re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \|", rows, re.MULTILINE)
            for name in re.findall(r"`([a-z_]+)`", row)
        }

    assert table("option") == set(InfrastructureOptions.model_fields)
    assert table("threshold") == set(InfrastructureThresholds.model_fields)
    assert table("action") == set(action_models.TARGETS)
    folder = Path(infrastructure.__file__).parent / "infra"
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    given = set(re.findall(r'\bfinding\(\s*"([a-z_.]+)"', text))
    assert len(given) > 30
    missing = {name for name in given if f"`{name}`" not in PAGE}
    assert not missing
    for name in action_models.InfrastructureActionOptions.model_fields:
        assert f"`{name}" in PAGE


@pytest.mark.parametrize(
    ("model", "wrong", "why"),
    [
        (InfrastructureOptions, {"checks": ["aws"], "hosts": ["x"]}, "`hosts` belongs to the check `certificates`"),
        (action_models.InfrastructureActionOptions, {"action": "stop_service"}, "stop_service needs `service`"),
        (
            action_models.InfrastructureActionOptions,
            {"action": "stop_service", "service": "a", "replicas": 3},
            "stop_service has no use for `replicas`",
        ),
    ],
)
def test_options_that_contradict_are_refused(model: type[BaseModel], wrong: Mapping[str, Any], why: str) -> None:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(wrong)
    assert why in str(raised.value)


def test_a_gate_fails_the_node_and_keeps_the_output(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(failed("web.service"))
    outcome = asyncio.run(ops.perform(InfrastructureAgent, checks=["services"], fail_on="high"))
    assert outcome.status is NodeStatus.FAILED
    assert outcome.error is not None
    assert outcome.error.kind is ErrorKind.REFUSED
    output: Any = outcome.output
    assert told(output) == {"service.failed:web.service": "high"}
    outcome = asyncio.run(ops.perform(InfrastructureAgent, checks=["services"], fail_on="critical"))
    assert outcome.status is NodeStatus.SUCCEEDED


def test_thresholds_can_be_set_one_by_one(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(unit("a.service", NRestarts="2"))
    assert told(ops.look(checks=["services"])) == {}
    output = ops.look(checks=["services"], thresholds={"restarts": 2})
    assert told(output) == {"service.restarts:a.service": "medium"}


def test_s4_a_secret_in_what_others_say_is_masked(ops: Ops, systemctl: Systemctl) -> None:
    ops.secrets = {"TOKEN": "canary-0123456789"}
    systemctl.says(failed("canary-0123456789.service", Description="has canary-0123456789"))
    output = ops.look(checks=["services"])
    assert "canary" not in repr(output)
    assert "canary" not in repr(ops.events)
    with pytest.raises(NodeFault) as raised:
        ops.look(files=["canary-0123456789"])
    assert "canary" not in raised.value.message
    with pytest.raises(NodeFault) as raised:
        systemctl.says(not_found("canary-0123456789.service"))
        ops.act(action="stop_service", service="canary-0123456789")
    assert "canary" not in raised.value.message


def test_x3_it_ends_soon_whatever_hangs(ops: Ops, systemctl: Systemctl, tmp_path: Path) -> None:
    systemctl.put("slow", "")
    ops.env |= {"AWS_EC2_METADATA_DISABLED": "true"}
    ops.secrets = {"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "s3cret/of-the-test"}
    with serving(lambda _: Reply(delay=60)) as slow:
        ops.env["AWS_ENDPOINT_URL"] = slow.url
        place = slow.url.removeprefix("http://")

        async def bounded() -> None:
            async with asyncio.timeout(1):
                await ops.perform(
                    InfrastructureAgent, docker_host=slow.url, region="eu-central-1", hosts=[place], timeout=100
                )

        began = time.monotonic()
        with pytest.raises(TimeoutError):
            asyncio.run(bounded())
        assert time.monotonic() - began < 30


def test_what_hangs_costs_its_own_part_only(ops: Ops, systemctl: Systemctl) -> None:
    """The attempt's time holds: an engine and a server that never answer are said, the services are there."""
    systemctl.says(failed("web.service"))
    ops.timeout = 3
    with serving(lambda _: Reply(delay=60)) as slow:
        output = ops.look(docker_host=slow.url, hosts=[slow.url.removeprefix("http://")], services=["web"], timeout=100)
    assert told(output)["service.failed:web.service"] == "critical"
    assert output["measurements"]["services"] is not None
    assert told(output)["containers:docker"] == "unavailable"
    assert any(one["check"].startswith("certificate") for one in output["findings"])


def test_a_check_that_nothing_ends_is_left_when_the_time_is_up(
    ops: Ops, systemctl: Systemctl, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hanging(look: Any) -> Any:
        await asyncio.sleep(60)

    systemctl.says(failed("web.service"))
    monkeypatch.setattr("pipe_agents.infra.containers.look_at_containers", hanging)
    ops.timeout = 1
    output = ops.look(checks=["services", "containers"], services=["web"])
    assert told(output)["service.failed:web.service"] == "critical"
    assert "the node's time was up" in one(output, "containers:docker")["why"]


# ---------------------------------------------------------------- services that are acted on


def test_a_service_is_restarted_once(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(failed("web.service"))
    systemctl.put("after", unit("web.service", MainPID="99"))
    output = ops.act(action="restart_service", service="web")
    assert (output["performed"], output["changed"]) == (True, True)
    assert (output["before"]["state"], output["before"]["exit_code"]) == ("failed (failed)", 3)
    assert (output["after"]["state"], output["after"]["pid"]) == ("active (running)", 99)
    assert output["summary"] == "web.service was failed (failed), was restarted, and is active (running)"
    acts = [line for line in systemctl.asked() if not line.startswith("show")]
    assert acts == ["restart --no-ask-password --no-pager -- web.service"]


def test_a_dry_run_and_a_start_of_what_runs_change_nothing(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.says(unit("web.service"))
    output = ops.act(action="stop_service", service="web", dry_run=True)
    assert (output["performed"], output["after"]) == (False, None)
    assert all(line.startswith("show") for line in systemctl.asked())
    output = ops.act(action="start_service", service="web")
    assert (output["performed"], output["changed"]) == (True, False)


@pytest.mark.parametrize(
    ("units", "refused", "kind", "words"),
    [
        (not_found("web.service"), "", ErrorKind.NOT_FOUND, "nothing was done: there is no web.service here"),
        (unit("web.service", LoadState="masked"), "", ErrorKind.REFUSED, "nothing was done: web.service is masked"),
        (unit("web.service"), "Access denied", ErrorKind.EXIT, "exited with 4, and it is active (running) now: Access"),
    ],
)
def test_a_service_that_can_t_be_acted_on(
    ops: Ops, systemctl: Systemctl, units: str, refused: str, kind: ErrorKind, words: str
) -> None:
    systemctl.says(units)
    if refused:
        systemctl.put("refused", refused)
    with pytest.raises(NodeFault) as raised:
        ops.act(action="restart_service", service="web")
    assert raised.value.kind is kind
    assert words in raised.value.message
    assert sum(not line.startswith("show") for line in systemctl.asked()) == bool(refused)


def test_where_nobody_can_be_asked_nothing_was_done(ops: Ops, systemctl: Systemctl) -> None:
    systemctl.put("stderr", NOT_BOOTED)
    with pytest.raises(NodeFault) as raised:
        ops.act(action="restart_service", service="web")
    assert raised.value.kind is ErrorKind.UNAVAILABLE
    assert raised.value.message.startswith("nothing was done: this system was not booted with systemd; it takes")


def test_a_run_that_acts_acts_once_and_what_reads_it_is_checked(tmp_path: Path, systemctl: Systemctl) -> None:
    systemctl.says(failed("web.service"))
    systemctl.put("after", unit("web.service", MainPID="99"))
    text = f"""
version: 1
env: {{PATH: "{systemctl.folder}:/bin:/usr/bin"}}
nodes:
  look:
    agent: infrastructure
    with: {{checks: [services], services: [web]}}
  mend:
    agent: infrastructure_action
    effect: once
    needs: look
    when: nodes.look.output.measurements.services.failed > 0
    with: {{action: restart_service, service: web}}
outputs:
  pid: "{{{{ nodes.mend.output.after.pid }}}}"
  worst: "{{{{ nodes.look.output.severity }}}}"
"""
    finished = run_text(text, Registry.installed(), root=tmp_path, inputs={})
    assert finished.status == "succeeded"
    assert finished.outputs == {"pid": 99, "worst": "critical"}
    assert one(finished.output("look"), "service.failed:web.service")["severity"] == "critical"


def test_an_action_that_failed_is_not_asked_for_again_by_any_retry(tmp_path: Path, systemctl: Systemctl) -> None:
    systemctl.says(unit("web.service"))
    systemctl.put("refused", "Failed to restart web.service: Access denied")
    text = f"""
version: 1
env: {{PATH: "{systemctl.folder}:/bin:/usr/bin"}}
defaults: {{retry: 5}}
nodes:
  mend: {{agent: infrastructure_action, effect: once, with: {{action: restart_service, service: web}}}}
"""
    finished = run_text(text, Registry.installed(), root=tmp_path, inputs={})
    assert finished.status == "failed"
    assert sum(not line.startswith("show") for line in systemctl.asked()) == 1
