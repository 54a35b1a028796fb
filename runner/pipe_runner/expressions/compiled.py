"""What a template becomes when it is compiled: frozen values, kept as JSON by plans, evaluated without jinja2."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple, TypeAlias

from pipe_runner.types import Json

Path: TypeAlias = "tuple[str | int, ...]"
Kind: TypeAlias = Literal["literal", "reference", "text", "jinja"]
Mode: TypeAlias = Literal["text", "integer", "raw"]


class Reference(NamedTuple):
    """One place where a template reads the scope, e.g. `("nodes", "net", "output", "x")` or `("item",)`."""

    path: Path
    offset: int
    """Character offset, in the text that was compiled, of the reference's first letter."""
    guarded: bool = False
    """Under `| default(…)`, `is defined` and the like: a value that isn't there is tolerated."""


OPTION: Final = "W406"
"""The code of a value that would be an option if it began with `-`."""
BACKSLASHES: Final = "W405"
"""The code of a value whose backslashes are read again."""
IN_CODE: Final = ("E420", "E421")
"""The codes of values that would be code, or choose what runs."""


class Fault(NamedTuple):
    """What is wrong at a place of a template; the compiler makes a Diagnostic of it."""

    code: str
    message: str
    offset: int
    length: int = 1
    hint: str | None = None


class Compiled(NamedTuple):
    """A template, ready to evaluate.

    `body` depends on `kind`: the text itself (`literal`); a path (`reference`); a tuple in which texts and paths follow
    one another (`text`); a tree of plain lists (`jinja`, see tree.py).
    """

    kind: Kind
    source: str
    body: Any
    references: tuple[Reference, ...] = ()
    whole: bool = True
    """True: evaluates to a JSON value of any type. False: renders to text."""

    @property
    def static(self) -> bool:
        return self.kind == "literal"

    @property
    def tree(self) -> list[Any]:
        """The tree of an expression of whatever kind; not for texts."""
        if self.kind == "reference":
            return ["ref", list(self.body)]
        if self.kind == "literal":
            return ["const", self.body]
        tree: list[Any] = self.body
        return tree

    def to_json(self) -> Json:
        """Plain data, as compact as plans of 10,000 nodes want it; `from_json` gives an equal value back."""
        body: Any = self.body
        if self.kind == "reference":
            body = list(body)
        elif self.kind == "text":
            body = [part if isinstance(part, str) else list(part) for part in body]
        return {
            "k": self.kind,
            "s": self.source,
            "b": body,
            "r": [[list(r.path), r.offset, r.guarded] for r in self.references],
            "w": self.whole,
        }

    @classmethod
    def from_json(cls, data: Any) -> Compiled:
        """Rebuild; raises KeyError, TypeError or ValueError on data of another shape (a stale cache, no more)."""
        kind = data["k"]
        body = data["b"]
        if kind == "reference":
            body = tuple(body)
        elif kind == "text":
            body = tuple(part if isinstance(part, str) else tuple(part) for part in body)
        elif kind not in ("literal", "jinja"):
            raise ValueError(f"unknown kind of template: {kind!r}")
        references = tuple(Reference(tuple(path), offset, guarded) for path, offset, guarded in data["r"])
        return cls(kind, data["s"], body, references, data["w"])


class ShellText(NamedTuple):
    """A `run:` text in which every value has become a variable of the environment.

    `variables` are `(name, expression, mode)`: `text` values arrive as they are, `integer` ones must look like an
    integer (their expression gives its digits), `raw` ones (`| unsafe_raw`) are pasted into the program where
    `raw_mark(name)` stands. `script` and `environment` are the two as templates, ready to evaluate.
    """

    program: str
    variables: tuple[tuple[str, Compiled, Mode], ...] = ()

    @property
    def references(self) -> tuple[Reference, ...]:
        """All references, with offsets in the `run:` text."""
        return tuple(r for _, compiled, _ in self.variables for r in compiled.references)

    @property
    def script(self) -> Compiled:
        """The program as a template that renders to text: a literal, but for values that are pasted."""
        raw = {name: compiled for name, compiled, mode in self.variables if mode == "raw"}
        if not raw:
            return Compiled("literal", self.program, self.program)
        statements: list[Any] = []
        for index, piece in enumerate(self.program.split("\x00")):
            statements.append(["print", raw[piece].tree] if index % 2 else ["data", piece])
        references = tuple(r for compiled in raw.values() for r in compiled.references)
        return Compiled("jinja", self.program, statements, references, whole=False)

    @property
    def environment(self) -> tuple[tuple[str, Compiled], ...]:
        """The variables that the program reads: name, and a template whose text is the value."""
        return tuple((name, compiled) for name, compiled, mode in self.variables if mode != "raw")

    def to_json(self) -> Json:
        return {"p": self.program, "v": [[name, c.to_json(), mode] for name, c, mode in self.variables]}

    @classmethod
    def from_json(cls, data: Any) -> ShellText:
        """Rebuild; raises KeyError, TypeError or ValueError on data of another shape."""
        return cls(data["p"], tuple((name, Compiled.from_json(c), mode) for name, c, mode in data["v"]))


def raw_mark(name: str) -> str:
    """What stands in a program for a value that is pasted; no text of a file can hold it."""
    return f"\x00{name}\x00"
