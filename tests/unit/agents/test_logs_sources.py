"""What can't be read is told where it was asked for, and costs nothing of the rest."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from logs_reading import findings, output_of, perform

from pipe_agents.logs import mining
from pipe_runner.errors import NodeFault
from pipe_runner.types import ErrorKind

LINE = "2026-03-01 12:00:00 INFO a\n"


def test_a_glob_without_matches_beside_one_with_some_is_counted_and_no_finding(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(LINE)
    output = output_of(tmp_path, paths=["*.log", "[ms][ey]s*"])
    assert output["findings"] == []
    assert output["measurements"]["empty_globs"] == ["[ms][ey]s*"]
    assert output["measurements"]["unread_total"] == 0


def test_globs_of_which_none_matches_are_told(tmp_path: Path) -> None:
    found = findings(tmp_path, paths=["*.log", "*.txt"])
    assert {(one["subject"], one["why"]) for one in found.values()} == {
        ("*.log", "no file matches this glob"),
        ("*.txt", "no file matches this glob"),
    }


@pytest.mark.parametrize("wrong", ["none.log", "folder", "a.log/x"])
def test_a_path_that_is_wrong_costs_nothing_of_the_others(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "a.log").write_text(LINE)
    (tmp_path / "folder").mkdir()
    output = output_of(tmp_path, paths=[wrong, "a.log"])
    assert output["measurements"]["lines"] == 1
    (told,) = output["findings"]
    assert (told["check"], told["subject"], told["status"]) == ("logs.source", wrong, "unavailable")
    assert output_of(tmp_path, paths=[wrong], text=LINE)["measurements"]["unread_total"] == 1


@pytest.mark.parametrize("paths", [["none.log"], ["none.log", "other.log"], ["none.log", "*.txt"]])
def test_where_nothing_is_left_a_missing_file_fails(tmp_path: Path, paths: list[str]) -> None:
    with pytest.raises(NodeFault) as fault:
        perform(tmp_path, {"paths": paths})
    assert fault.value.kind is ErrorKind.NOT_FOUND
    assert "none.log: there is no such file" in fault.value.message


NOISE: dict[str, Any] = {
    "random": lambda rng: rng.randbytes(1 << 16),
    "random, first text": lambda rng: LINE.encode() * 20 + rng.randbytes(1 << 16),
}


@pytest.mark.parametrize("name", NOISE)
def test_random_bytes_are_no_text(tmp_path: Path, name: str) -> None:
    for seed in range(5):
        (tmp_path / "bin.log").write_bytes(NOISE[name](random.Random(seed)))
        (found,) = findings(tmp_path, paths="bin.log").values()
        assert found["why"] == "it is no text"


@pytest.mark.parametrize(
    "text", ["Zugriff für Jürgen verweigert: ungültige Größe", "отказано в доступе", "失敗しました"]
)
@pytest.mark.parametrize("coding", ["utf-8", "utf-16", "latin-1", "cp1251", "shift-jis", "euc-jp"])
def test_text_in_any_coding_is_text(tmp_path: Path, text: str, coding: str) -> None:
    try:
        data = f"2026-03-01 12:00:00 ERROR {text}\n\x1b[31mred\x1b[0m\x07\n".encode(coding) * 50
    except UnicodeEncodeError:
        return
    (tmp_path / "a.log").write_bytes(data)
    assert findings(tmp_path, paths="a.log", checks=["kernel"]) == {}


def different(rng: random.Random, level: str, count: int) -> str:
    def words() -> str:
        return " ".join("".join(rng.choices("ghijklmnop", k=7)) for _ in range(rng.randrange(3, 12)))

    return "".join(f"2026-03-01 12:00:00 {level} {words()}\n" for _ in range(count))


def test_errors_are_shown_whatever_else_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mining, "CROWDED", 300)
    rng = random.Random(1)
    text = different(rng, "INFO", 1000) + "2026-03-01 12:00:00 ERROR first of all\n" + different(rng, "INFO", 100)
    (tmp_path / "a.log").write_text(text + "2026-03-01 12:30:00 ERROR the other thing failed badly\n" * 30)
    output = output_of(tmp_path, paths="a.log", max_templates=200)
    (found,) = [one for one in output["findings"] if one["check"] == "logs.errors"]
    assert "most often: the other thing failed badly (30 times)" in found["summary"]
    assert found["evidence"]["example"].endswith("the other thing failed badly")
    assert found["evidence"]["other_errors"] == 0
    assert output["measurements"]["templates_total"] <= 200


def test_of_errors_that_are_all_different_one_is_shown_and_none_is_called_the_most_frequent(tmp_path: Path) -> None:
    text = different(random.Random(1), "ERROR", 500)
    (tmp_path / "a.log").write_text(text)
    output = output_of(tmp_path, paths="a.log", max_templates=10)
    (found,) = [one for one in output["findings"] if one["check"] == "logs.errors"]
    assert found["evidence"]["other_errors"] == output["measurements"]["other_lines"] > 400
    assert "most often" not in found["summary"]
    assert "; one of them: " in found["summary"]
    tiny = output_of(tmp_path, paths="a.log", max_templates=1)
    (found,) = [one for one in tiny["findings"] if one["check"] == "logs.errors"]
    assert found["evidence"]["line"] >= 1


def test_lines_that_are_costly_to_compare_are_compared_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 40 words each, with a fourth of them other than in its template: each is held against all of a leaf."""
    monkeypatch.setattr(mining, "MOST_COMPARED", 100_000)
    rng = random.Random(1)
    words = ["".join(rng.choices("ghijklmnop", k=6)) for _ in range(400)]
    rows = [["a", "b", "c", *rng.sample(words, 37)] for _ in range(60)]
    miner = mining.Miner(60)
    asked = 0
    for number in range(600):
        row = list(rows[number % 60])
        for place in rng.sample(range(3, 40), 25):
            row[place] = rng.choice(words)
        asked += miner.template(" ".join(row).encode(), 3) is not miner.other
    assert 0 < asked < 200
    assert miner._compared[0] < 110_000
    assert miner.template(b"it failed", 1) is not miner.other_bad


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="there is no /proc")
def test_a_file_that_says_no_size_is_read_to_its_end(tmp_path: Path) -> None:
    output = output_of(tmp_path, paths=["/proc/self/mountinfo"])
    (file,) = output["measurements"]["files"]
    assert file["bytes"] > 0
    assert file["lines"] == len(Path("/proc/self/mountinfo").read_text().splitlines())
    output = output_of(tmp_path, paths=["/proc/self/mountinfo"], max_bytes=64)
    assert output["findings"][0]["check"] == "logs.source", "within the bounds that were asked for"
    assert output["measurements"]["files"][0]["bytes"] == 64


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no /proc")
def test_a_file_that_can_be_opened_and_not_read_is_told(tmp_path: Path) -> None:
    found = findings(tmp_path, paths=["/proc/self/mem"])
    assert found["logs.source:/proc/self/mem"]["why"].startswith("it can't be read: ")


def test_an_empty_file_has_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    output = output_of(tmp_path, paths="a.log")
    assert output["findings"] == []
    assert output["measurements"]["files"][0]["bytes"] == 0
