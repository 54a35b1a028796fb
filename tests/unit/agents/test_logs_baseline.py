"""Against an earlier run only what both have read is compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from logs_reading import output_of, perform

BEGIN = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def write(path: Path, kinds: dict[str, int], hours: int = 10) -> None:
    rows = sorted(
        (hour * 3600 + number * 3500 // count, f"app[1]: {text} {number}")
        for hour in range(hours)
        for text, count in kinds.items()
        for number in range(count)
    )
    path.write_text("".join(f"{BEGIN + timedelta(seconds=at):%b %d %H:%M:%S} web1 {text}\n" for at, text in rows))


def against(root: Path, earlier: dict[str, Any], **options: Any) -> dict[str, Any]:
    output: Any = perform(root, {**options}, earlier=earlier).output
    return output


def test_another_log_is_no_change(tmp_path: Path) -> None:
    write(tmp_path / "dpkg.log", {"status unpacked": 40})
    write(tmp_path / "big.log", {"served page": 60, "ERROR lost peer": 30})
    earlier = output_of(tmp_path, paths="dpkg.log")
    output = against(tmp_path, earlier, paths="big.log")
    assert {one["check"] for one in output["findings"]} == {"logs.errors"}
    assert output["measurements"]["baseline"] is None
    both = against(tmp_path, earlier, paths="*.log")
    assert {one["check"] for one in both["findings"]} == {"logs.errors"}
    found = both["measurements"]["baseline"]
    assert (found["logs"], found["logs_only_now"], found["logs_only_earlier"]) == (1, 1, 0)
    back = against(tmp_path, both, paths="big.log")
    assert back["measurements"]["baseline"]["changed_templates"] == 0
    assert back["measurements"]["baseline"]["logs_only_earlier"] == 1


def test_what_both_have_read_is_compared_although_other_logs_are_there(tmp_path: Path) -> None:
    write(tmp_path / "a.log", {"served page": 30, "slow query": 5})
    write(tmp_path / "b.log", {"slow query": 50})
    earlier = output_of(tmp_path, paths=["a.log", "b.log"])
    write(tmp_path / "a.log", {"served page": 30, "slow query": 25, "lost peer": 3})
    write(tmp_path / "c.log", {"slow query": 500, "another thing": 7})
    output = against(tmp_path, earlier, paths=["a.log", "c.log"])
    (changed,) = output["measurements"]["baseline"]["changed"]
    assert (changed["template"], changed["entries"], changed["earlier_entries"]) == ("slow query <*>", 250, 50)
    assert output["measurements"]["baseline"]["new"] == ["lost peer <*>"]


def test_a_log_that_has_nothing_now_was_read_all_the_same(tmp_path: Path) -> None:
    write(tmp_path / "a.log", {"served page": 30})
    write(tmp_path / "b.log", {"heartbeat": 30})
    earlier = output_of(tmp_path, paths="*.log")
    (tmp_path / "b.log").write_text("")
    output = against(tmp_path, earlier, paths="*.log")
    (found,) = [one for one in output["findings"] if one["check"] == "logs.rate_changed"]
    assert found["summary"] == (
        "1 kind of lines comes more or less often than in the run of 2026-05-27T00:00:00Z: "
        "heartbeat <*> (not once, where 300 were to be expected)"
    )


def test_of_a_log_that_is_read_in_part_rates_are_those_of_that_part(tmp_path: Path) -> None:
    write(tmp_path / "a.log", {"served page": 400, "slow query": 100})
    write(tmp_path / "b.log", {"heartbeat": 30})
    earlier = output_of(tmp_path, paths="*.log")
    output = against(tmp_path, earlier, paths="*.log", max_bytes=60_000)
    assert output["measurements"]["partly_read"] == 1
    assert output["measurements"]["baseline"]["changed_templates"] == 0
    back = against(tmp_path, output, paths="*.log")
    assert back["measurements"]["baseline"]["changed_templates"] == 0


def test_rotated_files_are_one_log(tmp_path: Path) -> None:
    write(tmp_path / "a.log", {"served page": 30})
    earlier = output_of(tmp_path, paths="a.log*")
    (tmp_path / "a.log").rename(tmp_path / "a.log.1")
    (tmp_path / "a.log").write_text("")
    output = against(tmp_path, earlier, paths="a.log*")
    assert output["findings"] == []
    assert output["measurements"]["baseline"]["logs"] == 1


def test_a_result_that_does_not_say_what_it_read_is_not_compared(tmp_path: Path) -> None:
    write(tmp_path / "a.log", {"served page": 30})
    earlier = output_of(tmp_path, paths="a.log")
    del earlier["measurements"]["logs"]
    assert against(tmp_path, earlier, paths="a.log")["measurements"]["baseline"] is None
    (told,) = against(tmp_path, {}, paths="a.log", baseline=earlier)["findings"]
    assert (told["subject"], told["status"]) == ("baseline", "unavailable")
