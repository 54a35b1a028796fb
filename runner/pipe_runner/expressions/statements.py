"""Renders templates with blocks (`{% for %}`, `{% if %}`, …) to text; interpret.py evaluates what stands in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape as html_escape
from typing import Any, Final

from pipe_runner.expressions.budget import TEXT_LIMIT, Budget
from pipe_runner.expressions.interpret import Interpreter, Markup


class Renderer(Interpreter):
    """One rendering of one template."""

    __slots__ = ("_escape", "_out", "_written")

    def __init__(self, scope: Mapping[str, Any], budget: Budget | None = None) -> None:
        super().__init__(scope, budget)
        self._out: list[str] = []
        self._written = 0
        self._escape = False

    def render(self, body: Sequence[Any]) -> str:
        """The text of a template."""
        self._run(body)
        return "".join(self._out)

    def _run(self, body: Iterable[Sequence[Any]]) -> None:
        for statement in body:
            self.budget.step()
            _RUN[statement[0]](self, statement)

    def _write(self, text: str) -> None:
        self._written += len(text)
        if self._written > TEXT_LIMIT:
            self.fault(f"the text is longer than {TEXT_LIMIT >> 20} MiB")
        self._out.append(text)

    def _data(self, statement: Sequence[Any]) -> None:
        self._write(statement[1])

    def _print(self, statement: Sequence[Any]) -> None:
        value = self.eval(statement[1])
        text = self.text(value)
        if self._escape and type(value) is not Markup:
            self.budget.grow(len(text), len(text))
            text = html_escape(text)
        self._write(text)

    def _cond(self, statement: Sequence[Any]) -> None:
        for test, body in statement[1]:
            if self.eval(test):
                return self._run(body)
        return self._run(statement[2])

    def _for(self, statement: Sequence[Any]) -> None:
        _, target, items_tree, test, body, otherwise = statement
        items = self.iterate(self.eval(items_tree))
        if test is not None:
            items = [item for item in items if self._passes(target, item, test)]
        self.frames.append({})
        for index, item in enumerate(items):
            self.budget.step(2)
            loop = {
                "index": index + 1,
                "index0": index,
                "revindex": len(items) - index,
                "revindex0": len(items) - index - 1,
                "first": index == 0,
                "last": index == len(items) - 1,
                "length": len(items),
                "depth": 1,
                "depth0": 0,
            }
            if index:
                loop["previtem"] = items[index - 1]
            if index + 1 < len(items):
                loop["nextitem"] = items[index + 1]
            self.names.append({"loop": loop})
            self._assign(target, item)
            self._run(body)
            self.names.pop()
        self.frames.pop()
        if not items:
            self._scoped(otherwise)

    def _passes(self, target: Any, item: Any, test: Sequence[Any]) -> bool:
        self.names.append({})
        self._assign(target, item)
        passed = bool(self.eval(test))
        self.names.pop()
        return passed

    def _assign(self, target: Any, value: Any) -> None:
        if isinstance(target, str):
            self.names[-1][target] = value
            return
        values = self.iterate(value)
        if len(values) != len(target):
            self.fault(f"{len(target)} names for {len(values)} values")
        for name, each in zip(target, values, strict=True):
            self._assign(name, each)

    def _set(self, statement: Sequence[Any]) -> None:
        self._assign(statement[1], self.eval(statement[2]))

    def _setblock(self, statement: Sequence[Any]) -> None:
        self._assign(statement[1], self._filtered(statement[2], statement[3]))

    def _filters(self, statement: Sequence[Any]) -> None:
        self._write(self.text(self._filtered(statement[1], statement[2])))

    def _filtered(self, filters: Sequence[Any], body: Sequence[Any]) -> Any:
        outer, self._out, before = self._out, [], self._written
        self._scoped(body)
        value: Any = "".join(self._out)
        self._out, self._written = outer, before
        for word, args, kwargs in filters:
            value = self.apply(
                "filter", word, value, [self.eval(a) for a in args], {k: self.eval(v) for k, v in kwargs}
            )
        return value

    def _with(self, statement: Sequence[Any]) -> None:
        values = [(target, self.eval(tree)) for target, tree in statement[1]]
        self.names.append({})
        for target, value in values:
            self._assign(target, value)
        self._run(statement[2])
        self.names.pop()

    def _scoped(self, body: Sequence[Any]) -> None:
        self.names.append({})
        self._run(body)
        self.names.pop()

    def _autoescape(self, statement: Sequence[Any]) -> None:
        before, self._escape = self._escape, bool(self.eval(statement[1]))
        self._run(statement[2])
        self._escape = before


_RUN: Final[dict[str, Callable[[Renderer, Sequence[Any]], None]]] = {
    "data": Renderer._data,
    "print": Renderer._print,
    "cond": Renderer._cond,
    "for": Renderer._for,
    "set": Renderer._set,
    "setblock": Renderer._setblock,
    "with": Renderer._with,
    "filters": Renderer._filters,
    "escape": Renderer._autoescape,
}
