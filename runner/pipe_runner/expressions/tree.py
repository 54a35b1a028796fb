"""Turns jinja2's syntax tree into a tree of plain lists, and collects references and faults on the way.

A node of the tree is `[word, …]`. Expressions: const ref local get slice list dict bin cmp and or not neg pos concat
if filter test method call. Statements: data print for cond set setblock with filters escape. interpret.py has one
function for each word, so this list is the whole language; there is no attribute access in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

from jinja2 import nodes

from pipe_runner.diagnostics import did_you_mean
from pipe_runner.expressions.arity import argument_faults, filter_faults
from pipe_runner.expressions.checks import check_path, unknown_function, unknown_method, unknown_test
from pipe_runner.expressions.compiled import Fault, Path, Reference
from pipe_runner.expressions.plain import ROOTS, path_text
from pipe_runner.expressions.tokens import Refused, Token
from pipe_runner.expressions.vocabulary import FUNCTIONS, METHODS, TESTS

Tree: TypeAlias = "list[Any]"
MAX_TREE_DEPTH: Final = 100

_LOOP: Final = "index index0 revindex revindex0 first last length depth depth0 previtem nextitem"
_LOOP_FIELDS: Final = frozenset(_LOOP.split())
_TOLERANT_TESTS: Final = frozenset({"defined", "undefined"})


class Lowering:
    """One pass over one template. `faults` and `references` are what it found, in the order of the text."""

    def __init__(self, tokens: Sequence[Token], roots: frozenset[str] = ROOTS) -> None:
        self._tokens, self._roots = tokens, roots
        self.faults: list[Fault] = []
        self.references: list[Reference] = []
        self._locals: list[set[str]] = [set()]
        self._depth = 0
        self._captured = 0
        """Above zero inside `{% filter %}` and `{% set x %}…`, where rendered text is worked on again."""

    # ------------------------------------------------------------ statements

    def body(self, statements: list[nodes.Node]) -> list[Tree]:
        return [tree for statement in statements for tree in self._statement(statement)]

    def _statement(self, node: nodes.Node) -> Iterator[Tree]:
        with self._deeper(node):
            if isinstance(node, nodes.Output):
                for part in node.nodes:
                    if isinstance(part, nodes.TemplateData):
                        yield ["data", part.data]
                    else:
                        yield ["print", self._printed(part)]
            elif isinstance(node, nodes.If):
                branches = [[self.expression(node.test), self._block(node.body)]]
                branches += [[self.expression(other.test), self._block(other.body)] for other in node.elif_]
                yield ["cond", branches, self._block(node.else_)]
            elif isinstance(node, nodes.For):
                yield self._for(node)
            elif isinstance(node, nodes.Assign):
                value = self.expression(node.node)
                yield ["set", self._target(node.target), value]
            elif isinstance(node, nodes.AssignBlock):
                with self._capturing():
                    inner = self._block(node.body)
                    filters = self._filter_chain(node.filter)
                yield ["setblock", self._target(node.target), filters, inner]
            elif isinstance(node, nodes.With):
                values = [self.expression(value) for value in node.values]
                with self._scope():
                    targets = [self._target(target) for target in node.targets]
                    yield ["with", [[t, v] for t, v in zip(targets, values, strict=True)], self.body(node.body)]
            elif isinstance(node, nodes.FilterBlock):
                with self._capturing():
                    yield ["filters", self._filter_chain(node.filter), self._block(node.body)]
            elif isinstance(node, nodes.ScopedEvalContextModifier):
                yield ["escape", self.expression(node.options[0].value), self._block(node.body)]
            elif isinstance(node, (nodes.Scope, nodes.Block)):
                with self._scope():
                    yield ["with", [], self.body(node.body)]
            else:
                self._refuse(node, f"`{{% {type(node).__name__.lower()} %}}` is not available")

    def _block(self, statements: list[nodes.Node]) -> list[Tree]:
        """A body whose `set`s stay inside it only where Jinja says so; branches of an `if` share their scope."""
        return self.body(statements)

    def _for(self, node: nodes.For) -> Tree:
        if node.recursive:
            self._refuse(node, "a recursive `for` is not available")
        items = self.expression(node.iter)
        with self._scope():
            target = self._target(node.target)
            test = self.expression(node.test) if node.test is not None else None
            self._locals[-1].add("loop")
            inner = self._block(node.body)
        with self._scope():
            return ["for", target, items, test, inner, self._block(node.else_)]

    def _target(self, node: nodes.Node) -> Any:
        if isinstance(node, nodes.Name):
            if node.name in self._roots or node.name == "loop":
                self._fault("E401", f"`{node.name}` has a meaning already; take another name", node, len(node.name))
            self._locals[-1].add(node.name)
            return node.name
        if isinstance(node, nodes.Tuple):
            return [self._target(item) for item in node.items]
        self._refuse(node, "only a name can be set; values can't be changed")
        return ""

    def _filter_chain(self, node: nodes.Expr | None) -> list[Any]:
        """The filters of a `{% filter %}` block, first one first: `[name, args, kwargs]`."""
        chain: list[Any] = []
        while isinstance(node, nodes.Filter):
            args, kwargs = self._arguments(node)
            self.faults += filter_faults(node)
            chain.append([node.name, args, kwargs])
            node = node.node
        return chain[::-1]

    def _printed(self, node: nodes.Expr) -> Tree:
        """What stands alone in `{{ }}` inside a text: the one place where a secret may stand in a template."""
        path = self._path(node)
        if path is not None and path[0] == "secrets" and not self._captured:
            self._refer(path, node)
            return ["ref", list(path)]
        return self.expression(node)

    # ------------------------------------------------------------ expressions

    def expression(self, node: nodes.Node, *, tolerant: bool = False) -> Tree:
        """The tree of one expression; `tolerant`: a value that isn't there is no fault at this place."""
        self._depth += 1
        if self._depth > MAX_TREE_DEPTH:
            raise self._too_deep(node)
        tree = self._expression(node, tolerant)
        self._depth -= 1
        return tree

    def _expression(self, node: nodes.Node, tolerant: bool) -> Tree:
        path = self._path(node)
        if path is not None:
            if path[0] == "secrets":
                name = path_text(path)
                self._fault(
                    "E405",
                    f"{name} can only stand alone in {{{{ }}}}: a secret's value never enters an expression",
                    node,
                    len(name),
                    f"write {{{{ {name} }}}} where it is needed, without filters or operators",
                )
            self._refer(path, node, guarded=tolerant)
            return ["ref", list(path)]
        lower = _EXPRESSIONS.get(type(node))
        if lower is None:
            self._refuse(node, f"{type(node).__name__.lower()} is not available in expressions")
            return ["const", None]
        return lower(self, node, tolerant)

    def _path(self, node: nodes.Node) -> Path | None:
        """The whole path where a node is a plain reference into the scope."""
        steps: list[str | int] = []
        while True:
            if isinstance(node, nodes.Getattr):
                steps.append(node.attr)
                node = node.node
            elif isinstance(node, nodes.Getitem):
                step = _constant_step(node.arg)
                if step is None:
                    return None
                steps.append(step)
                node = node.node
            elif isinstance(node, nodes.Name):
                if self._is_local(node.name) or node.name not in self._roots:
                    return None
                return (node.name, *reversed(steps))
            else:
                return None

    def _refer(self, path: Path, node: nodes.Node, guarded: bool = False) -> None:
        offset = _start(node)
        self.references.append(Reference(path, offset, guarded))
        fault = check_path(path, offset, self._roots)
        if fault is not None:
            self.faults.append(fault)

    def _name(self, node: nodes.Name, tolerant: bool) -> Tree:
        if self._is_local(node.name):
            if node.name == "loop":
                self._fault("E410", "`loop` is read by its fields", node, 4, "loop.index, loop.first, loop.last, …")
            return ["local", node.name]
        fault = check_path((node.name,), node.lineno, self._roots)
        if node.name == "loop":
            fault = Fault("E410", "`loop` has a meaning only inside {% for %}", node.lineno, 4)
        if node.name in FUNCTIONS:
            fault = Fault(
                "E411", f"`{node.name}` is a function: call it, `{node.name}(…)`", node.lineno, len(node.name)
            )
        if fault is not None:
            self.faults.append(fault)
            self.references.append(Reference((node.name,), node.lineno))  # who knows the file may have a better hint
        return ["const", None]

    def _get(self, node: nodes.Getattr | nodes.Getitem, tolerant: bool) -> Tree:
        of_loop = isinstance(node.node, nodes.Name) and node.node.name == "loop" and self._is_local("loop")
        inner = ["local", "loop"] if of_loop else self.expression(node.node, tolerant=tolerant)
        if of_loop:
            field = node.attr if isinstance(node, nodes.Getattr) else _constant_step(node.arg)
            if field not in _LOOP_FIELDS:
                near = did_you_mean(str(field), _LOOP_FIELDS)
                hint = f"did you mean loop.{near}?" if near else f"there is {', '.join(sorted(_LOOP_FIELDS))}"
                self._fault("E410", f"`loop` has no `{field}`", node, 4, hint)
        if isinstance(node, nodes.Getattr):
            return ["get", inner, ["const", node.attr]]
        if isinstance(node.arg, nodes.Slice):
            parts = [
                self.expression(p) if p is not None else None for p in (node.arg.start, node.arg.stop, node.arg.step)
            ]
            return ["slice", inner, *parts]
        return ["get", inner, self.expression(node.arg)]

    def _const(self, node: nodes.Const, tolerant: bool) -> Tree:
        return ["const", node.value]

    def _list(self, node: nodes.List | nodes.Tuple, tolerant: bool) -> Tree:
        return ["list", [self.expression(item) for item in node.items]]

    def _dict(self, node: nodes.Dict, tolerant: bool) -> Tree:
        return ["dict", [[self.expression(pair.key), self.expression(pair.value)] for pair in node.items]]

    def _binary(self, node: nodes.BinExpr, tolerant: bool) -> Tree:
        left = self.expression(node.left)
        if node.operator == "%" and isinstance(node.right, nodes.Tuple):
            return ["format", left, [self.expression(item) for item in node.right.items]]
        return ["bin", node.operator, left, self.expression(node.right)]

    def _logic(self, node: nodes.And | nodes.Or, tolerant: bool) -> Tree:
        return [node.operator, self.expression(node.left), self.expression(node.right)]

    def _unary(self, node: nodes.UnaryExpr, tolerant: bool) -> Tree:
        word = {"not": "not", "-": "neg", "+": "pos"}[node.operator]
        return [word, self.expression(node.node)]

    def _concat(self, node: nodes.Concat, tolerant: bool) -> Tree:
        return ["concat", [self.expression(part) for part in node.nodes]]

    def _compare(self, node: nodes.Compare, tolerant: bool) -> Tree:
        return ["cmp", self.expression(node.expr), [[op.op, self.expression(op.expr)] for op in node.ops]]

    def _conditional(self, node: nodes.CondExpr, tolerant: bool) -> Tree:
        other = self.expression(node.expr2, tolerant=tolerant) if node.expr2 is not None else None
        return ["if", self.expression(node.test), self.expression(node.expr1, tolerant=tolerant), other]

    def _filter(self, node: nodes.Filter, tolerant: bool) -> Tree:
        guards = node.name in ("default", "d")
        if guards and not node.args:  # by its name it is the same
            node.args = [pair.value for pair in node.kwargs if pair.key == "instead"]
            node.kwargs = [pair for pair in node.kwargs if pair.key != "instead"]
        inner = self.expression(node.node, tolerant=guards) if node.node is not None else ["const", ""]
        args, kwargs = self._arguments(node, tolerant=guards and tolerant)
        self.faults += filter_faults(node)
        return ["filter", node.name, inner, args, kwargs]

    def _test(self, node: nodes.Test, tolerant: bool) -> Tree:
        if node.name not in TESTS:
            self.faults.append(unknown_test(node.name, self._name_of_test(node)))
        else:
            self.faults += argument_faults("test", node.name, node, self._name_of_test(node))
        inner = self.expression(node.node, tolerant=node.name in _TOLERANT_TESTS)
        args, kwargs = self._arguments(node)
        return ["test", node.name, inner, args, kwargs]

    def _name_of_test(self, node: nodes.Test) -> int:
        """Where a test's name stands; jinja2 notes its `is`."""
        behind = (t for t in self._tokens if t.offset > node.lineno and t.value != "not")
        return next((token.offset for token in behind), node.lineno)

    def _call(self, node: nodes.Call, tolerant: bool) -> Tree:
        args, kwargs = self._arguments(node)
        callee = node.node
        if isinstance(callee, nodes.Getattr):
            if isinstance(callee.node, nodes.Name) and callee.node.name == "loop" and self._is_local("loop"):
                if callee.attr not in ("cycle", "changed"):
                    self._fault("E410", f"`loop` has no `{callee.attr}()`", node, 4)
                return ["loop", callee.attr, args]
            if callee.attr not in METHODS:
                self.faults.append(unknown_method(callee.attr, callee.lineno))
            else:
                self.faults += argument_faults("method", callee.attr, node, callee.lineno, length=len(callee.attr) + 1)
            return ["method", callee.attr, self.expression(callee.node), args, kwargs]
        if isinstance(callee, nodes.Name) and not self._is_local(callee.name):
            if callee.name not in FUNCTIONS:
                self.faults.append(unknown_function(callee.name, callee.lineno))
            elif callee.name == "range" and (kwargs or not 1 <= len(args) <= 3):
                hint = "range(5) counts from 0 to 4, range(1, 5) from 1, range(1, 9, 2) in steps of two"
                self.faults.append(Fault("E414", "range() takes one to three integers", callee.lineno, 5, hint))
            return ["call", callee.name, args, kwargs]
        self._refuse(node, "only the functions and methods of the language can be called, never a value")
        return ["const", None]

    def _arguments(self, node: Any, *, tolerant: bool = False) -> tuple[list[Tree], list[Any]]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self._refuse(node, "`*` and `**` are not available in arguments")
        args = [self.expression(arg, tolerant=tolerant) for arg in node.args]
        return args, [[pair.key, self.expression(pair.value)] for pair in node.kwargs]

    # ------------------------------------------------------------ places and scopes

    def _is_local(self, name: str) -> bool:
        return any(name in scope for scope in self._locals)

    @contextmanager
    def _scope(self) -> Iterator[None]:
        self._locals.append(set())
        try:
            yield
        finally:
            self._locals.pop()

    @contextmanager
    def _capturing(self) -> Iterator[None]:
        self._captured += 1
        try:
            yield
        finally:
            self._captured -= 1

    @contextmanager
    def _deeper(self, node: nodes.Node) -> Iterator[None]:
        self._depth += 1
        if self._depth > MAX_TREE_DEPTH:
            raise self._too_deep(node)
        try:
            yield
        finally:
            self._depth -= 1

    def _too_deep(self, node: nodes.Node) -> Refused:
        return Refused(Fault("E403", f"nested more than {MAX_TREE_DEPTH} deep", _start(node)))

    def _fault(self, code: str, message: str, node: nodes.Node, length: int = 1, hint: str | None = None) -> None:
        self.faults.append(Fault(code, message, _start(node), length, hint))

    def _refuse(self, node: nodes.Node, message: str) -> None:
        self._fault("E404", message, node)


def _start(node: nodes.Node) -> int:
    """Offset of the first letter of a chain of attributes and indexes; jinja2 notes that of its last step."""
    while isinstance(node, (nodes.Getattr, nodes.Getitem)):
        node = node.node
    return node.lineno


def _constant_step(node: nodes.Expr) -> str | int | None:
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const) and type(node.node.value) is int:
        return -node.node.value
    if isinstance(node, nodes.Const) and type(node.value) in (str, int):
        step: str | int = node.value
        return step
    return None


_Lower: TypeAlias = Callable[[Lowering, Any, bool], Tree]
_EXPRESSIONS: Final[dict[type[nodes.Node], _Lower]] = {
    nodes.Name: Lowering._name,
    nodes.Getattr: Lowering._get,
    nodes.Getitem: Lowering._get,
    nodes.Const: Lowering._const,
    nodes.List: Lowering._list,
    nodes.Tuple: Lowering._list,
    nodes.Dict: Lowering._dict,
    nodes.And: Lowering._logic,
    nodes.Or: Lowering._logic,
    nodes.Not: Lowering._unary,
    nodes.Neg: Lowering._unary,
    nodes.Pos: Lowering._unary,
    nodes.Concat: Lowering._concat,
    nodes.Compare: Lowering._compare,
    nodes.CondExpr: Lowering._conditional,
    nodes.Filter: Lowering._filter,
    nodes.Test: Lowering._test,
    nodes.Call: Lowering._call,
    **dict.fromkeys(
        (nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Pow), Lowering._binary
    ),
}
