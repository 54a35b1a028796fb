"""Walks the tree of an expression (tree.py) over JSON values, within a budget.

Every word of the tree has one function here. None of them reads an attribute of a value, calls one, or makes anything
but JSON, so an expression can't reach Python, a file or the environment whatever it says: there is no word for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from pipe_runner.errors import ExpressionFault
from pipe_runner.expressions.budget import VALUE_LIMIT, Budget
from pipe_runner.expressions.plain import missing, missing_step, step_into
from pipe_runner.expressions.values import describe, value_to_integer, value_to_text


class Missing:
    """A value that isn't there, until something tolerates it (`default`, `is defined`) or uses it, which is a fault."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why


class Markup(str):
    """Text that `{% autoescape true %}` must not escape again; becomes plain text as soon as it is worked on."""

    __slots__ = ()


class Interpreter:
    """One evaluation of one tree."""

    __slots__ = ("budget", "frames", "names", "scope")

    def __init__(self, scope: Mapping[str, Any], budget: Budget | None = None) -> None:
        self.scope = scope
        self.budget = budget or Budget()
        self.names: list[dict[str, Any]] = [{}]
        self.frames: list[dict[str, Any]] = []

    # ------------------------------------------------------------ results

    def value(self, tree: Sequence[Any]) -> Any:
        """The JSON value of an expression."""
        result = self.eval(tree)
        if isinstance(result, (list, dict)):
            self.budget.measure(result)
        elif isinstance(result, str):
            if len(result) > VALUE_LIMIT:
                raise ExpressionFault(f"the expression gives more than {VALUE_LIMIT >> 20} MiB of text")
            return plain_text(result)
        elif isinstance(result, float):
            self.budget.measure(result)
        return result

    # ------------------------------------------------------------ expressions

    def eval(self, tree: Sequence[Any]) -> Any:
        """Strict: a value that isn't there is a fault."""
        self.budget.step()
        value = _EVAL[tree[0]](self, tree)
        if type(value) is Missing:
            raise ExpressionFault(value.why)
        return value

    def soft(self, tree: Sequence[Any]) -> Any:
        """Tolerant: gives Missing for a value that isn't there."""
        self.budget.step()
        return _EVAL[tree[0]](self, tree)

    def text(self, value: Any) -> str:
        """Text of a value, paid for."""
        if isinstance(value, str):
            return value
        if isinstance(value, (list, dict)):
            self.budget.take(self.budget.measure(value))
        return value_to_text(value)

    def _ref(self, tree: Sequence[Any]) -> Any:
        value: Any = self.scope
        try:
            value = value[tree[1][0]]
            for step in tree[1][1:]:
                value = step_into(value, step)
        except (LookupError, TypeError):
            return Missing(missing(self.scope, tuple(tree[1])))
        return value

    def _local(self, tree: Sequence[Any]) -> Any:
        for names in reversed(self.names):
            if tree[1] in names:
                return names[tree[1]]
        return Missing(f"`{tree[1]}` has no value here")

    def _get(self, tree: Sequence[Any]) -> Any:
        value = self.soft(tree[1])
        if type(value) is Missing:
            return value
        step = self.eval(tree[2])
        try:
            return step_into(value, step)
        except (LookupError, TypeError):
            if not isinstance(step, (str, int)) or isinstance(step, bool):
                self.fault(f"a key or an index is text or an integer, not {describe(step)}")
            path = tuple(tree[1][1]) if tree[1][0] == "ref" else ("the value",)
            return Missing(missing_step(value, step, path, (*path, step)))

    def _slice(self, tree: Sequence[Any]) -> Any:
        value = self.eval(tree[1])
        bounds = [None if part is None else self.eval(part) for part in tree[2:5]]
        if not isinstance(value, (str, list)):
            self.fault(f"only text and lists have parts [a:b], not {describe(value)}")
        for bound in bounds:
            if bound is not None and (not isinstance(bound, int) or isinstance(bound, bool)):
                self.fault(f"the bounds of [a:b] are integers, not {describe(bound)}")
        self.budget.take(len(value))
        return value[slice(*bounds)]

    def _list(self, tree: Sequence[Any]) -> Any:
        self.budget.take(8 * len(tree[1]) + 56)
        return [self.eval(item) for item in tree[1]]

    def _dict(self, tree: Sequence[Any]) -> Any:
        self.budget.take(100 * len(tree[1]) + 64)
        result: dict[str, Any] = {}
        for key_tree, value_tree in tree[1]:
            key = self.eval(key_tree)
            result[self.key(key)] = self.eval(value_tree)
        return result

    def key(self, key: Any) -> str:
        """A key of an object, which is text in JSON; numbers become it."""
        if isinstance(key, (list, dict)) or key is None:
            self.fault(f"a key of an object is text, not {describe(key)}")
        return "".join(value_to_text(key))

    def _and(self, tree: Sequence[Any]) -> Any:
        left = self.eval(tree[1])
        return self.eval(tree[2]) if left else left

    def _or(self, tree: Sequence[Any]) -> Any:
        left = self.eval(tree[1])
        return left if left else self.eval(tree[2])

    def _not(self, tree: Sequence[Any]) -> Any:
        return not self.eval(tree[1])

    def _sign(self, tree: Sequence[Any]) -> Any:
        value = self.eval(tree[1])
        if not isinstance(value, (int, float)):
            self.fault(f"a sign stands before a number, not before {describe(value)}")
        return -value if tree[0] == "neg" else +value

    def _concat(self, tree: Sequence[Any]) -> Any:
        parts = [self.text(self.eval(part)) for part in tree[1]]
        total = sum(map(len, parts))
        self.budget.grow(total, total)
        return "".join(parts)

    def _if(self, tree: Sequence[Any]) -> Any:
        if self.eval(tree[1]):
            return self.soft(tree[2])
        if tree[3] is None:
            return Missing("the condition of `a if b` is false, and there is no `else`")
        return self.soft(tree[3])

    def _compare(self, tree: Sequence[Any]) -> Any:
        left = self.eval(tree[1])
        for word, right_tree in tree[2]:
            right = self.eval(right_tree)
            if not compare(self, word, left, right):
                return False
            left = right
        return True

    def _binary(self, tree: Sequence[Any]) -> Any:
        from pipe_runner.expressions.arithmetic import binary

        return binary(self, tree[1], self.eval(tree[2]), self.eval(tree[3]))

    def _format(self, tree: Sequence[Any]) -> Any:
        from pipe_runner.expressions.arithmetic import binary
        from pipe_runner.expressions.formatting import percent

        left = self.eval(tree[1])
        values = [self.eval(item) for item in tree[2]]
        return percent(self, left, values) if isinstance(left, str) else binary(self, "%", left, values)

    def _filter(self, tree: Sequence[Any]) -> Any:
        word = tree[1]
        guards = word in ("default", "d")
        value = self.soft(tree[2]) if guards else self.eval(tree[2])
        # What `default` gives instead is only used, and only then a fault, where the value isn't there.
        args = [self.soft(a) if guards and not place else self.eval(a) for place, a in enumerate(tree[3])]
        return self.apply("filter", word, value, args, {k: self.eval(v) for k, v in tree[4]})

    def _test(self, tree: Sequence[Any]) -> Any:
        word = tree[1]
        if word in ("defined", "undefined"):
            return (type(self.soft(tree[2])) is Missing) == (word == "undefined")
        value = self.eval(tree[2])
        return self.apply("test", word, value, [self.eval(a) for a in tree[3]], {k: self.eval(v) for k, v in tree[4]})

    def _method(self, tree: Sequence[Any]) -> Any:
        from pipe_runner.expressions.methods import call_method

        value = self.eval(tree[2])
        args = [self.eval(a) for a in tree[3]]
        kwargs = {k: self.eval(v) for k, v in tree[4]}
        return self.guard(f".{tree[1]}()", lambda: call_method(self, tree[1], value, args, kwargs))

    def _call(self, tree: Sequence[Any]) -> Any:
        args = [self.eval(a) for a in tree[2]]
        kwargs = {k: self.eval(v) for k, v in tree[3]}
        if tree[1] == "dict":
            self.budget.take(100 * len(kwargs) + 64)
            if args and not isinstance(args[0], dict):
                self.fault("dict() takes an object or names: dict(a=1)")
            return {**(args[0] if args else {}), **kwargs}
        if kwargs or not 1 <= len(args) <= 3 or not all(type(a) is int for a in args):
            self.fault("range() takes one to three integers")
        if len(args) == 3 and args[2] == 0:
            self.fault("the third argument of range() can't be 0")
        numbers = range(*args)
        if numbers[100_000:]:
            self.fault("range() gives at most 100,000 numbers")
        self.budget.take(len(numbers) * 32)
        return list(numbers)

    def _loop(self, tree: Sequence[Any]) -> Any:
        loop = self.eval(["local", "loop"])
        args = [self.eval(a) for a in tree[2]]
        if tree[1] == "cycle":
            return (
                args[loop["index0"] % len(args)] if args else self.fault("loop.cycle() takes the values to choose from")
            )
        frame = self.frames[-1]
        changed = "changed" not in frame or frame["changed"] != args
        frame["changed"] = args
        return changed

    def _integer(self, tree: Sequence[Any]) -> Any:
        return value_to_integer(self.eval(tree[1]))

    def apply(self, what: str, word: str, value: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A filter or a test by its name, on values."""
        from pipe_runner.expressions.filters import filter_named, test_named

        self.budget.step(2)
        found = filter_named(word) if what == "filter" else test_named(word)
        if found is None:
            self.fault(f"there is no {what} `{word}`")
        return self.guard(f"`{word}`", lambda: found(self, value, *args, **kwargs))

    def guard(self, what: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except (TypeError, AttributeError) as error:
            self.fault(f"{what} can't be used like this: {wording(error)}")
        except (ValueError, LookupError, ArithmeticError) as error:
            self.fault(f"{what}: {wording(error)}")

    def iterate(self, value: Any) -> list[Any]:
        """The members of a list, the keys of an object, the characters of a text."""
        if isinstance(value, list):
            return value
        if isinstance(value, (dict, str)):
            self.budget.take(8 * len(value))
            self.budget.step(len(value) >> 4)
            return list(value)
        return self.fault(f"{describe(value)} has no members to go through")

    def fault(self, message: str) -> NoReturn:
        raise ExpressionFault(message)


def compare(interpreter: Interpreter, word: str, left: Any, right: Any) -> bool:
    """`==`, `<`, `in` and their kin; only numbers with numbers, text with text, lists with lists have an order."""
    budget = interpreter.budget
    if word in ("in", "notin"):
        if isinstance(right, str):
            if not isinstance(left, str):
                interpreter.fault(f"only text is `in` text, not {describe(left)}")
            budget.step(len(right) >> 9)
        elif isinstance(right, (list, dict)):
            budget.step((len(right) >> 4) if isinstance(right, list) else 1)
            if isinstance(left, (list, dict)):
                if isinstance(right, dict):
                    return word == "notin"
                budget.measure(right)
        else:
            interpreter.fault(f"nothing is `in` {describe(right)}")
        return bool((left in right) == (word == "in"))
    if isinstance(left, (list, dict)) and isinstance(right, (list, dict)):
        budget.measure(left)
        budget.measure(right)
    elif isinstance(left, str) and isinstance(right, str):
        budget.step(min(len(left), len(right)) >> 12)
    if word in ("eq", "ne"):
        return bool((left == right) == (word == "eq"))
    try:
        return bool(_ORDER[word](left, right))
    except TypeError:
        hint = ""
        if {type(left), type(right)} & {str} and {type(left), type(right)} & {int, float}:
            hint = "; `| int` makes a number of text, `output: json` reads a number from a command"
        interpreter.fault(f"{describe(left)} and {describe(right)} have no order{hint}")


def plain_text(text: str) -> str:
    """Exactly a `str`."""
    return text if type(text) is str else str.__str__(text) if type(str.__str__(text)) is str else text[:]


def wording(error: BaseException) -> str:
    """An error of a Python function in words that speak of JSON."""
    message = str(error)
    if isinstance(error, KeyError):
        return f"there is no {message}"
    for theirs, ours in (
        ("_filter_", ""), ("_test_", ""), ("NoneType", "null"), ("'str'", "text"), ("'int'", "a number"),
        ("'float'", "a number"), ("'dict'", "an object"), ("'list'", "a list"), ("'bool'", "a boolean"),
    ):  # fmt: skip
        message = message.replace(theirs, ours)
    return message


_ORDER: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}

_EVAL: Final[dict[str, Callable[[Interpreter, Sequence[Any]], Any]]] = {
    "const": lambda _, tree: tree[1],
    "ref": Interpreter._ref,
    "local": Interpreter._local,
    "get": Interpreter._get,
    "slice": Interpreter._slice,
    "list": Interpreter._list,
    "dict": Interpreter._dict,
    "bin": Interpreter._binary,
    "format": Interpreter._format,
    "cmp": Interpreter._compare,
    "and": Interpreter._and,
    "or": Interpreter._or,
    "not": Interpreter._not,
    "neg": Interpreter._sign,
    "pos": Interpreter._sign,
    "concat": Interpreter._concat,
    "if": Interpreter._if,
    "filter": Interpreter._filter,
    "test": Interpreter._test,
    "method": Interpreter._method,
    "call": Interpreter._call,
    "loop": Interpreter._loop,
    "integer": Interpreter._integer,
}
