"""The registry finds agents by name, loads each when it is used, and explains what can't be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipe_runner.cli.machine import agents
from pipe_runner.errors import PipeError
from pipe_runner.registry import BrokenPlugin, Clash, Origin, ProviderTypes, Registry, UnknownPlugin
from pipe_runner.testing import FakeAgent

GROUP = "pipe_runner.agents"
AGENT = """
class Greeter:
    name = "greeter"
    version = "1"
    made = 0

    def __init__(self):
        type(self).made += 1

    def describe(self):
        from pipe_runner.ports import AgentDescription
        return AgentDescription("greets", capabilities=("greet",))

    def options_model(self): ...
    def output_schema(self, options): return {}
    async def perform(self, attempt, context): ...
"""

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with entry points on the path: `install("dist", module, text, name="module:attribute")`."""
    before = set(sys.modules)

    def put(distribution: str, module: str, text: str, /, group: str = GROUP, **points: str) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        (info / "entry_points.txt").write_text(f"[{group}]\n" + "\n".join(lines) + "\n")
        (site / f"{module}.py").write_text(text)
        monkeypatch.syspath_prepend(str(site))

    yield put
    for name in set(sys.modules) - before:
        if name.startswith("plug"):
            del sys.modules[name]


def test_our_agents_are_found_and_loaded() -> None:
    registry = Registry.installed()
    assert {"python", "http", "shell"} <= set(registry.names())
    assert registry.get("python").name == "python"
    assert registry.get("python") is registry.get("python")
    assert registry.target("http") == "pipe_agents.http:HttpAgent"
    origin = registry.origin("http")
    assert origin is not None
    assert origin.distribution == "pipe-runner"
    assert "python" in registry
    assert "pythn" not in registry


def test_what_is_installed_meanwhile_is_found(install: Install) -> None:
    install("dist-a", "plug_a", AGENT, greeter="plug_a:Greeter")
    assert "greeter" in Registry.installed()
    site = Path(sys.path[0])
    (site / "dist_b-2.dist-info").mkdir()
    (site / "dist_b-2.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: dist-b\nVersion: 2\n")
    (site / "dist_b-2.dist-info/entry_points.txt").write_text(f"[{GROUP}]\nother = plug_a:Greeter\n")
    assert Registry.installed().origin("other") == Origin("dist-b", "2")


def test_other_peoples_agents_are_found_by_entry_point(install: Install) -> None:
    install("dist-a", "plug_a", AGENT, greeter="plug_a:Greeter")
    registry = Registry.installed()
    assert "plug_a" not in sys.modules
    assert registry.origin("greeter") == Origin("dist-a", "1.2")
    assert str(registry.origin("greeter")) == "dist-a 1.2"
    agent: Any = registry.get("greeter")
    assert (agent.name, type(agent).made) == ("greeter", 1)
    assert registry.get("greeter") is agent
    assert registry.by_capability("greet") == ("greeter",)
    assert registry.by_capability("dance") == ()


def test_a_fresh_registry_makes_agents_of_its_own(install: Install) -> None:
    install("dist-a", "plug_a", AGENT, greeter="plug_a:Greeter")
    registry = Registry.installed()
    assert registry.fresh().get("greeter") is not registry.get("greeter")


def test_names_are_known_without_loading_anything(install: Install) -> None:
    install("dist-a", "plug_bomb", "raise SystemExit('loaded')", bomb="plug_bomb:x")
    assert "bomb" in Registry.installed().names()


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("import surely_missing_xyz", "plug_x:A", "No module named 'surely_missing_xyz'"),
        ("raise ValueError('at import')", "plug_x:A", "ValueError: at import"),
        ("raise SystemExit(3)", "plug_x:A", "SystemExit: 3"),
        ("def broken(:", "plug_x:A", "SyntaxError"),
        ("", "plug_x:A", "has no attribute 'A'"),
        ("", "plug_x", "is not `module:attribute`"),
        ("A = 3", "plug_x:A", "is not a class or a function"),
        ("class A:\n  def __init__(self): raise KeyError('k')", "plug_x:A", "can't be made: KeyError: 'k'"),
        ("class A:\n  def __init__(self, x): pass", "plug_x:A", "can't be made: TypeError"),
        ("class A:\n  name = 'a'", "plug_x:A", "has no describe, options_model, output_schema, perform, version"),
        ("raise type('E', (Exception,), {'__str__': lambda s: 1/0})", "plug_x:A", "can't be loaded"),
    ],
)
def test_s11_a_plugin_that_cannot_be_used_is_named_with_the_reason(
    install: Install, text: str, target: str, says: str
) -> None:
    install("dist-x", "plug_x", text, broken=target)
    registry = Registry.installed()
    with pytest.raises(BrokenPlugin) as caught:
        registry.get("broken")
    assert "dist-x" in caught.value.message
    assert says in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.exit_code == 2
    assert "broken" not in registry.get_all()
    assert set(registry.faults()) >= {"broken"}


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownPlugin) as caught:
        Registry.installed().get("pyhton")
    assert isinstance(caught.value, PipeError)
    assert caught.value.suggestion == "python"
    assert caught.value.hint == "did you mean 'python'?"
    with pytest.raises(UnknownPlugin) as caught:
        Registry.from_targets({"a": "x:y"}).target("zzz")
    assert caught.value.hint == "there are: a"


def test_ours_is_never_replaced_and_the_clash_is_reported(install: Install) -> None:
    install("aaa-impostor", "plug_a", AGENT, python="plug_a:Greeter")
    registry = Registry.installed()
    assert registry.get("python").name == "python"
    assert registry.clashes() == (Clash("python", ("aaa-impostor", "pipe-runner"), "pipe-runner"),)


def test_between_others_nobody_decides(install: Install) -> None:
    install("dist-a", "plug_a", AGENT, greeter="plug_a:Greeter")
    install("dist-b", "plug_b", AGENT, greeter="plug_b:Greeter")
    registry = Registry.installed()
    assert registry.clashes() == (Clash("greeter", ("dist-a", "dist-b"), None),)
    with pytest.raises(BrokenPlugin, match="dist-a, dist-b") as caught:
        registry.get("greeter")
    assert caught.value.hint == "uninstall all but one of them"


def test_doctor_says_how_each_clash_is_mended(install: Install) -> None:
    install("aaa-impostor", "plug_i", AGENT, python="plug_i:Greeter")
    told = agents()
    assert (told.status, told.found) == (
        "warn",
        "'python' comes from aaa-impostor and pipe-runner; pipe-runner's is used",
    )
    assert (told.why, told.do) == ("whoever expects another one's gets this one", "uninstall the others")
    install("dist-a", "plug_a", AGENT, greeter="plug_a:Greeter")
    install("dist-b", "plug_b", AGENT, greeter="plug_b:Greeter")
    told = agents()
    assert told.found.count("dist-a") == 1
    assert told.why.startswith("nodes that name them can't run (usable: approval, ")
    assert told.do == "uninstall all but one of them; uninstall the others"


def test_between_provider_types_of_others_nobody_decides_and_ours_are_never_replaced(install: Install) -> None:
    for name in ("a", "b"):
        text = "class Kind: summary = 'x'"
        points = {"other": f"plug_{name}:Kind", "openai": f"plug_{name}:Kind"}
        install(f"dist-{name}", f"plug_{name}", text, group="pipe_runner.providers", **points)
    types = ProviderTypes()
    assert "other" in types
    with pytest.raises(BrokenPlugin, match="provider type 'other' is brought by several distributions: dist-a, dist-b"):
        types["other"]
    assert types["openai"].summary != "x"


def test_registered_agents_come_first() -> None:
    registry = Registry.installed()
    registry.register("python", lambda: FakeAgent("mine", lambda options: None))
    assert registry.get("python").name == "mine"
    assert registry.target("python") is None
    assert registry.origin("python") is None
    with pytest.raises(ValueError, match="in use"):
        registry.register("python", lambda: FakeAgent("late", lambda options: None))


def test_targets_of_a_plan_are_loaded_without_reading_metadata() -> None:
    script = (
        "import sys\n"
        "from pipe_runner.registry import Registry\n"
        "agent = Registry.from_targets({'python': 'pipe_agents.python:PythonAgent'}).get('python')\n"
        "heavy = {'importlib.metadata', 'pydantic', 'httpx2', 'httpcore2', 'ctypes', 'email'}\n"
        "print(agent.name, sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-S", "-c", _PATHS + script], capture_output=True, text=True, timeout=30)
    assert (ended.stdout, ended.stderr) == ("python []\n", "")


_PATHS = (
    "import sys\nsys.path[:0] = "
    + repr([str(Path(__file__).resolve().parents[3] / name) for name in ("schemas", "runner", "agents", "providers")])
    + "\n"
)


def test_a_plan_keeps_what_the_registry_says() -> None:
    registry = Registry.installed()
    targets = {name: target for name in ("python", "http") if (target := registry.target(name)) is not None}
    again = Registry.from_targets(targets)
    assert again.names() == ("http", "python")
    assert again.origin("http") is None
    assert again.get("http").version == registry.get("http").version


def test_a_capability_is_asked_for_by_its_name_its_first_words_or_its_last() -> None:
    from pipe_runner.ports import AgentDescription, Capability

    class Net(FakeAgent):
        def describe(self) -> AgentDescription:
            return AgentDescription("measures", (Capability("network.dns", "Resolves.", ("resolve",)), "network.tcp"))

    registry = Registry()
    registry.register("net", lambda: Net("net", dict))
    registry.register("other", lambda: FakeAgent("other", dict))
    for asked in ("network.dns", "dns", "network", "tcp"):
        assert registry.by_capability(asked) == ("net",), asked
    for asked in ("net", "d", "work.dns", "", "network.", "network.dns.x"):
        assert registry.by_capability(asked) == (), asked
    assert registry.by_capability("dns", "tcp") == ("net",)
    assert registry.by_capability("dns", "cpu") == ()
    assert registry.capabilities() == {"network.dns": ("net",), "network.tcp": ("net",)}


def test_a_name_that_several_bring_is_told(install: Install) -> None:
    install("plug-one", "plugone", AGENT, greeter="plugone:Greeter")
    install("plug-two", "plugtwo", AGENT, greeter="plugtwo:Greeter")
    registry = Registry.installed()
    assert registry.clash_of("greeter") == Clash("greeter", ("plug-one", "plug-two"), None)
    assert registry.clash_of("shell") is None


@pytest.mark.parametrize(
    ("describe", "reason"),
    [
        ("raise RuntimeError('no words')", "can't describe itself: RuntimeError: no words"),
        ("raise SystemExit(0)", "can't describe itself: SystemExit"),
        ("return 'greets'", "can't describe itself: describe() gives str, and no AgentDescription"),
        ("return None", "can't describe itself: describe() gives NoneType, and no AgentDescription"),
    ],
)
def test_an_agent_that_cannot_describe_itself_can_not_be_used_and_costs_no_other(
    install: Install, describe: str, reason: str
) -> None:
    body = AGENT.replace(
        "from pipe_runner.ports import AgentDescription\n"
        '        return AgentDescription("greets", capabilities=("greet",))',
        describe,
    )
    install("odd-dist", "plug_odd", body, odd="plug_odd:Greeter")
    registry = Registry.installed()
    with pytest.raises(BrokenPlugin) as caught:
        registry.get("odd")
    assert reason in str(caught.value)
    assert "odd-dist" in str(caught.value)
    assert "odd" in registry.faults()
    assert "shell" in registry.get_all()
    assert "odd" not in registry.by_capability("system.cpu")
    from pipe_runner.routing import route

    assert route("why is the disk full", registry).ranked[0].agent == "system_monitoring"


@pytest.mark.parametrize("body", ["raise RuntimeError('no model')", "raise SystemExit(0)"])
def test_options_that_cannot_be_told_are_the_fault_of_the_plugin(install: Install, body: str) -> None:
    text = AGENT.replace("def options_model(self): ...", f"def options_model(self): {body}")
    install("odd-dist", "plug_odd", text, odd="plug_odd:Greeter")
    registry = Registry.installed()
    with pytest.raises(BrokenPlugin) as caught:
        registry.options_schema("odd")
    assert "agent 'odd' can't say what it takes: " in str(caught.value)
    from pipe_runner.compiler import compile_text

    pipeline = "version: 1\nnodes: {a: {agent: odd, with: {x: 1}}}\n"
    found = compile_text(pipeline, path="/nowhere/p.yml", root=Path("/nowhere"), registry=registry)
    assert [one.code for one in found.diagnostics] == ["E505"]
    assert "can't say what it takes" in found.diagnostics[0].message


def test_an_option_that_is_missing_is_told_also_where_a_plugin_takes_any_other_key(install: Install) -> None:
    body = "import pydantic; return pydantic.create_model('Options', url=(str, ...))"
    text = AGENT.replace("def options_model(self): ...", f"def options_model(self): {body}")
    install("odd-dist", "plug_odd", text, odd="plug_odd:Greeter")
    from pipe_runner.compiler import compile_text

    pipeline = "version: 1\nnodes: {a: {agent: odd, with: {ulr: x}}}\n"
    found = compile_text(pipeline, path="/nowhere/p.yml", root=Path("/nowhere"), registry=Registry.installed())
    assert [one.code for one in found.diagnostics] == ["E504"]


def test_an_output_that_cannot_be_told_is_the_fault_of_the_plugin(install: Install) -> None:
    text = AGENT.replace("def output_schema(self, options): return {}", "def output_schema(self, options): exit(0)")
    install("odd-dist", "plug_odd", text, odd="plug_odd:Greeter")
    with pytest.raises(BrokenPlugin) as caught:
        Registry.installed().output_schema("odd")
    assert "agent 'odd' can't say what it gives: " in str(caught.value)


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ("def options_model(self): ...", "def options_model(self): return 5", "gives an int, and no pydantic model"),
        ("return {}", "return True", "gives a bool, and no JSON Schema as a dictionary"),
    ],
)
def test_what_an_agent_tells_of_itself_is_held_to_its_type(install: Install, right: str, wrong: str, why: str) -> None:
    install("odd-dist", "plug_odd", AGENT.replace(right, wrong), odd="plug_odd:Greeter")
    registry = Registry.installed()
    tells = registry.options_schema if "model" in right else registry.output_schema
    with pytest.raises(BrokenPlugin, match=why):
        tells("odd")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("None", "`summary` is None, and no text"),
        ('"greets", capabilities="greet"', "`capabilities` is a str, and no tuple of texts"),
        ('"greets", capabilities=(1,)', "`capabilities` is a tuple, and no tuple of texts"),
        ('"greets", secret_options="token"', "`secret_options` is a str, and no tuple of texts"),
    ],
)
def test_a_description_is_held_to_its_types(install: Install, words: str, why: str) -> None:
    text = AGENT.replace('"greets", capabilities=("greet",)', words)
    install("odd-dist", "plug_odd", text, odd="plug_odd:Greeter")
    with pytest.raises(BrokenPlugin, match=why):
        Registry.installed().get("odd")


def test_what_a_plugin_prints_is_no_part_of_a_result(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    text = "print('imported')\n" + AGENT.replace("return {}", "print('asked'); return {}")
    install("loud-dist", "plug_loud", text, loud="plug_loud:Greeter")
    Registry.installed().output_schema("loud")
    assert capsys.readouterr() == ("", "imported\nasked\n")


def test_a_module_that_raises_what_is_no_exception_costs_no_other(install: Install) -> None:
    install("odd-dist", "plug_odd", "class Odd(BaseException): ...\nraise Odd('so')\n", odd="plug_odd:Greeter")
    registry = Registry.installed()
    assert "Odd: so" in registry.faults()["odd"].message
    assert "shell" in registry.get_all()


def test_an_entry_point_may_name_extras(install: Install) -> None:
    install("extra-dist", "plug_extra", AGENT, greeter="plug_extra:Greeter [more]")
    assert Registry.installed().get("greeter").version == "1"


def test_a_provider_type_is_held_to_its_port(install: Install) -> None:
    install("odd-dist", "plug_odd", "class Odd: summary = 'odd'\n", odd="plug_odd:Odd", group="pipe_runner.providers")
    with pytest.raises(BrokenPlugin, match="is no type of providers: it has no options_model, settings, open"):
        ProviderTypes()["odd"]
