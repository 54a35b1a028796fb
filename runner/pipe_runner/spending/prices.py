"""What calls of one provider cost, by model: as pipe.yml says, else as its type says, else by the price list.

A price that nobody knows is None, never zero. Prices are US dollars per million tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from pipe_runner.calls.around import AsTheTypeSays
from pipe_runner.calls.seams import MakePrices
from pipe_runner.models import ProviderSettings, Usage
from pipe_runner.spending.kept import KeptRows
from pipe_runner.spending.listed import listed
from pipe_runner.spending.rows import Row
from pipe_runner.spent import MOST

FREE: Final = frozenset({"ollama"})
"""Types of providers whose models cost nothing by the call."""
ANY_MODEL: Final = "*"
"""In `prices` of pipe.yml: models that aren't named there."""

_MOST: Final = Decimal(MOST) - 1

Rows = Callable[[str, Mapping[str, Any], str], "tuple[Row, ...]"]
"""By type, options and model: the that of now first, and those that a call may meet before it ends."""


class ListedPrices:
    """Of one provider. `written` is its `prices` in pipe.yml."""

    def __init__(
        self, type_name: str, settings: ProviderSettings, written: Mapping[str, Any], rows: Rows = listed
    ) -> None:
        self.type, self._options, self._listed = type_name, settings.options, rows
        self._said = AsTheTypeSays(type_name, settings, written)
        self._written = {model: _row(said) for model, said in written.items()}
        self._rows: dict[str, tuple[Row, ...]] = {}

    @property
    def address(self) -> str | None:
        """Where the provider is asked, as far as pipe.yml and the environment say."""
        said = self._options.get("base_url")
        return None if said is None else str(said)

    def cost(self, model: str, usage: Usage) -> float | None:
        """US dollars of a call; None: the price is not known."""
        rows = self._of(model)
        return _bounded(rows[0].cost(usage)) if rows else self._said.cost(model, usage)

    def most(self, model: str, tokens_in: int, tokens_out: int) -> float | None:
        """US dollars that such a call costs at most; None: the price is not known."""
        rows = self._of(model)
        if len(rows) == 1:
            return _bounded(rows[0].most(tokens_in, tokens_out))
        if rows:
            return _bounded(max(row.most(tokens_in, tokens_out) for row in rows))
        return self._said.most(model, tokens_in, tokens_out)

    def window(self, model: str) -> int | None:
        """Tokens that the model can read in one call at most; None: that is not known."""
        rows = self._of(model)
        return rows[0].window if rows else None

    def _of(self, model: str) -> tuple[Row, ...]:
        """The rows by which a model is priced; none where the type knows better, or nobody does."""
        found = self._rows.get(model)
        if found is None:
            found = self._find(model)
            if len(found) <= 1:  # others change by the hour
                self._rows[model] = found
        return found

    def _find(self, model: str) -> tuple[Row, ...]:
        written = self._written.get(model) or self._written.get(ANY_MODEL)
        if written is not None:
            return (written,)
        if self._said.cost(model, Usage(1, 1)) is not None:
            return ()
        if self.type in FREE:
            return (_row({"input": 0, "output": 0}),)
        return self._listed(self.type, self._options, model)


def _bounded(dollars: Decimal) -> float:
    """As it is counted: of numbers of tokens that nobody means, such as no call costs."""
    return float(min(dollars, _MOST))


def _row(said: Mapping[str, Any]) -> Row:
    """A row of pipe.yml: `input`, `output`, and `cached`, `cache_written` where they differ from `input`."""
    prices = {name: ((0, Decimal(str(value))),) for name, value in said.items() if value is not None}
    return Row(prices["input"], prices["output"], prices.get("cached"), prices.get("cache_written"))


def prices_by(folder: str | None) -> MakePrices:
    """What makes the prices of a provider; `folder` is where rows of the list are kept, if they are."""
    rows: Rows = listed if folder is None else KeptRows(folder)
    return lambda type_name, settings, written: ListedPrices(type_name, settings, written, rows)
