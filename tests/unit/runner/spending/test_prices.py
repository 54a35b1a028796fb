"""What calls cost: pipe.yml before the type before the list, unknown where nobody knows, a bound above every way."""

from __future__ import annotations

import json
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipe_runner.models import ProviderSettings, Usage
from pipe_runner.spending.kept import KeptRows, _stamp
from pipe_runner.spending.listed import listed
from pipe_runner.spending.prices import ListedPrices
from pipe_runner.spending.rows import Row, Tiers
from pipe_runner.spent import nanos, nanos_up


def prices(type_name: str, written: dict[str, Any] | None = None, **settings: Any) -> ListedPrices:
    options = settings.pop("options", {})
    return ListedPrices(type_name, ProviderSettings("it", options, **settings), written or {})


MILLION = Usage(1_000_000, 1_000_000)


def test_prices_of_pipe_yml_stand_over_all_others() -> None:
    said = prices("openai", {"gpt-4o": {"input": 1, "output": 2}, "*": {"input": 5, "output": 5, "cached": 1}})
    assert said.cost("gpt-4o", MILLION) == 3.0
    assert said.cost("anything", Usage(1_000_000, 0, cached=1_000_000)) == 1.0
    assert said.cost("gpt-4o", Usage(1_000_000, 0, cached=1_000_000)) == 1.0


def test_a_type_that_knows_its_prices_is_believed_before_the_list() -> None:
    assert prices("openai", cost_of=lambda model, usage: 0.5).cost("gpt-4o", MILLION) == 0.5


def test_models_that_run_at_home_are_free_and_free_is_zero() -> None:
    free = prices("ollama")
    assert free.cost("llama3", MILLION) == 0.0
    assert free.most("llama3", 10**6, 10**6) == 0.0


@pytest.mark.parametrize(
    ("type_name", "model"),
    [
        ("openai", "no-such-model"),
        ("openai", "my-gpt-4o"),
        ("bedrock", "arn:aws:bedrock:us-east-1:1:application-inference-profile/abc123"),
        ("somebodys", "gpt-4o"),
    ],
)
def test_a_price_that_nobody_knows_is_none_and_not_zero(type_name: str, model: str) -> None:
    assert prices(type_name).cost(model, MILLION) is None
    assert prices(type_name).most(model, 1, 1) is None


def test_the_address_says_whose_models_an_openai_compatible_service_has() -> None:
    official = prices("openai").cost("gpt-4o", MILLION)
    assert official is not None
    assert prices("openai", options={"base_url": "https://api.openai.com/v1"}).cost("gpt-4o", MILLION) == official
    assert prices("openai", options={"base_url": "https://x.openai.azure.com/"}).cost("gpt-4o", MILLION) is not None
    assert prices("openai", options={"base_url": "http://127.0.0.1:8000/v1"}).cost("gpt-4o", MILLION) is None


@pytest.mark.parametrize(
    ("type_name", "spellings"),
    [
        (
            "bedrock",
            [
                "anthropic.claude-sonnet-4-5-20250929-v1:0",
                "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0",
            ],
        ),
        ("bedrock", ["amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1:0", "sa.amazon.nova-lite-v1:0"]),
        ("openai", ["gpt-4o-mini", "gpt-4o-mini-2024-07-18"]),
        ("openai", ["gpt-4.1", "gpt-4.1-2025-04-14"]),
    ],
)
def test_a_model_has_one_price_however_it_is_spelled(type_name: str, spellings: list[str]) -> None:
    costs = {prices(type_name).cost(spelling, MILLION) for spelling in spellings}
    assert len(costs) == 1
    assert None not in costs


@pytest.mark.parametrize("provider", ["aws", "openai", "anthropic", "google", "deepseek", "mistral"])
def test_our_arithmetic_is_that_of_the_list(provider: str) -> None:
    from datetime import UTC, datetime

    from genai_prices import types
    from genai_prices.data_snapshot import get_snapshot

    from pipe_runner.spending import listed as room

    found = next(one for one in get_snapshot().providers if one.id == provider)
    now, compared = datetime.now(UTC), 0
    for model in found.models:
        row = room._row(model.get_prices(now))
        if row is None:
            continue
        for size in (1000, 150_000, 300_000):
            usage = Usage(size, 700, cached=size // 3, cache_written=size // 5, reasoning=0)
            asked: dict[str, Any] = {"input_tokens": size, "output_tokens": 700}
            asked["cache_read_tokens"] = usage.cached
            asked["cache_write_tokens"] = usage.cache_written
            told = model.calc_price(types.Usage(**asked), found, genai_request_timestamp=now).total_price
            assert float(row.cost(usage)) == pytest.approx(float(told)), model.id
            compared += 1
    assert compared > 10


AMOUNT = st.decimals(min_value=0, max_value=200, places=4).map(Decimal)
TIERS = st.lists(st.tuples(st.integers(1, 300_000), AMOUNT), max_size=3).flatmap(
    lambda more: AMOUNT.map(lambda base: ((0, base), *sorted(more)))
)
ROWS = st.builds(Row, TIERS, TIERS, st.none() | TIERS, st.none() | TIERS, st.none() | TIERS, AMOUNT, audio=st.none())


@given(ROWS, st.integers(0, 400_000), st.integers(0, 100_000), st.data())
def test_v1_no_way_to_count_a_call_costs_more_than_its_bound(row: Row, read: int, wrote: int, data: Any) -> None:
    used = data.draw(st.integers(0, read))
    cached = data.draw(st.integers(0, used))
    written = data.draw(st.integers(0, used - cached))
    said = data.draw(st.integers(0, wrote))
    usage = Usage(used, said, cached, written, data.draw(st.integers(0, said)))
    cost, most = row.cost(usage), row.most(read, wrote)
    assert cost <= most
    assert nanos(float(cost)) <= nanos_up(float(most))


ONE = AMOUNT.map(lambda price: ((0, price),))
FLAT = st.builds(Row, *[ONE] * 5, AMOUNT, audio=st.none() | ONE)
COUNT = st.integers(0, 400_000)


@given(FLAT, st.builds(Usage, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT))
def test_v1_counts_that_contradict_cost_no_less_than_the_larger_of_them(row: Row, usage: Usage) -> None:
    cost, (read, wrote, cached, written, reasoning, heard) = row.cost(usage), usage
    more_in, more_out = max(0, cached + written - read), max(0, reasoning - wrote)
    assert cost >= row.cost(Usage(max(read, heard), wrote, audio=heard)) or reasoning or cached or written
    if not more_out:
        assert cost >= row.cost(Usage(read + more_in, wrote, cached, written, reasoning))
        assert not more_in or cost >= row.cost(Usage(read + more_in, wrote, reasoning=reasoning))
    if not more_in:
        assert cost >= row.cost(Usage(read, wrote + more_out, cached, written, reasoning))
        assert not more_out or cost >= row.cost(Usage(read, wrote + more_out, cached, written))
    assert cost >= row.cost(Usage(read, wrote)) or not (more_in and more_out)
    assert cost >= row.request


def test_more_cached_than_read_costs_what_both_cost_at_the_price_of_what_is_not_cached() -> None:
    row = Row(((0, Decimal(10)),), ((0, Decimal(20)),), cached=((0, Decimal(1)),), reasoning=((0, Decimal(30)),))
    assert row.cost(Usage(10, 0, cached=10)) == Decimal("0.00001")
    assert row.cost(Usage(10, 0, cached=100)) == Decimal("0.0011")
    assert row.cost(Usage(0, 10, reasoning=10)) == Decimal("0.0003")
    assert row.cost(Usage(0, 10, reasoning=100)) == Decimal("0.0032")


def test_v1_a_type_that_makes_nonsense_of_a_usage_knows_no_price() -> None:
    def cost_of(model: str, usage: Usage) -> float:
        return float(usage.input - usage.cached if model == "m" else -1)

    said = prices("openai", cost_of=cost_of)
    assert said.cost("m", Usage(10, 0, cached=100)) == 10.0
    assert said.cost("other", Usage(10, 0)) is None


def test_a_long_context_costs_what_its_tier_says_for_all_of_its_tokens() -> None:
    tiers: Tiers = ((0, Decimal(3)), (200_000, Decimal(6)))
    row = Row(tiers, ((0, Decimal(15)),))
    assert row.cost(Usage(200_000, 0)) == Decimal("0.6")
    assert row.cost(Usage(200_001, 0)) == Decimal("1.200006")
    assert row.most(200_000, 0) == Decimal("0.6")
    assert row.most(200_001, 0) == Decimal("1.200006")


def test_a_price_that_is_about_to_rise_is_the_bound_already() -> None:
    cheap, dear = Row(((0, Decimal(1)),), ((0, Decimal(1)),)), Row(((0, Decimal(2)),), ((0, Decimal(2)),))
    both = ListedPrices("openai", ProviderSettings("it", {}), {}, lambda *_: (cheap, dear))
    assert both.cost("m", MILLION) == 2.0
    assert both.most("m", 10**6, 10**6) == 4.0


def test_the_list_has_rows_of_today_first() -> None:
    rows = listed("openai", {}, "gpt-4o")
    assert len(rows) == 1
    assert rows[0].request == 0


def test_rows_that_were_needed_before_need_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {model: KeptRows(str(tmp_path))("openai", {}, model) for model in ("gpt-4o", "no-such-model")}
    assert first["gpt-4o"] == listed("openai", {}, "gpt-4o")
    monkeypatch.setattr("pipe_runner.spending.kept.listed", lambda *_: pytest.fail("the list was asked"))
    assert {model: KeptRows(str(tmp_path))("openai", {}, model) for model in first} == first
    monkeypatch.setattr("pipe_runner.spending.kept._stamp", lambda: "another version")
    with pytest.raises(pytest.fail.Exception):
        KeptRows(str(tmp_path))("openai", {}, "gpt-4o")


@pytest.mark.parametrize("content", ["", "[]", '{"of": 1}', "{", '{"of": "STAMP", "rows": {"KEY": [[1]]}}', "\0" * 99])
def test_a_kept_file_that_is_damaged_counts_for_nothing(tmp_path: Path, content: str) -> None:
    key = json.dumps(["openai", "", "gpt-4o"])
    text = content.replace("STAMP", _stamp()).replace('"KEY"', json.dumps(key))
    (tmp_path / "prices.json").write_text(text)
    assert KeptRows(str(tmp_path))("openai", {}, "gpt-4o") == listed("openai", {}, "gpt-4o")


@pytest.mark.parametrize("damage", [("2.5", "-2.5"), ("2.5", "NaN"), ("2.5", "Infinity"), ("128000", '"many"')])
def test_what_can_be_no_price_counts_for_nothing_in_a_kept_file(tmp_path: Path, damage: tuple[str, str]) -> None:
    KeptRows(str(tmp_path))("openai", {}, "gpt-4o")
    path = tmp_path / "prices.json"
    assert damage[0] in path.read_text()
    path.write_text(path.read_text().replace(*damage))
    assert KeptRows(str(tmp_path))("openai", {}, "gpt-4o") == listed("openai", {}, "gpt-4o")


def test_prices_that_change_by_the_hour_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cheap, dear = Row(((0, Decimal(1)),), ((0, Decimal(1)),)), Row(((0, Decimal(2)),), ((0, Decimal(2)),))
    monkeypatch.setattr("pipe_runner.spending.kept.listed", lambda *_: (cheap, dear))
    assert KeptRows(str(tmp_path))("openai", {}, "m") == (cheap, dear)
    assert not (tmp_path / "prices.json").exists()


def test_prices_that_cannot_be_kept_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "prices.json").mkdir()
    assert KeptRows(str(tmp_path))("openai", {}, "gpt-4o") == listed("openai", {}, "gpt-4o")
    assert [file.name for file in tmp_path.iterdir()] == ["prices.json"]


@given(st.one_of(st.floats(0, 1e12), st.integers(0, 10**18).map(lambda count: count / 10**9)))
def test_money_in_nanos_is_the_least_number_of_them_that_is_no_less_than_what_is_written(dollars: float) -> None:
    assert nanos_up(dollars) == ceil(Decimal(str(dollars)) * 10**9)


def test_what_is_heard_costs_what_that_costs_and_never_less_than_what_is_read() -> None:
    row = Row(((0, Decimal(10)),), ((0, Decimal(20)),), cached=((0, Decimal(1)),), audio=((0, Decimal(30)),))
    assert row.cost(Usage(100, 0, audio=40)) == Decimal("0.0018")
    assert row._replace(audio=((0, Decimal(5)),)).cost(Usage(100, 0, audio=40)) == Decimal("0.001")
    assert row._replace(audio=None).cost(Usage(100, 0, audio=40)) == Decimal("0.001")
    assert row.cost(Usage(10, 0, audio=40)) == Decimal("0.0013"), "it was counted apart"
