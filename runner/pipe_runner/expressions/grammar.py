"""The one place that imports jinja2: its parser reads our tokens and gives its syntax tree.

Nothing of jinja2 ever evaluates a template. tree.py turns the syntax tree into plain lists, interpret.py walks them.
Our tokens carry a character offset where jinja2's carry a line number, so every node of the tree knows its column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, cast

from jinja2 import StrictUndefined, TemplateSyntaxError, nodes
from jinja2.lexer import Token as JinjaToken
from jinja2.lexer import TokenStream
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipe_runner.expressions.compiled import Fault
from pipe_runner.expressions.segments import Segment
from pipe_runner.expressions.tokens import MAX_DEPTH, Refused, Token

_OPENING_BLOCKS = frozenset({"for", "if", "with", "filter", "block", "autoescape"})
REFUSED_BLOCKS = frozenset({"include", "import", "from", "extends", "macro", "call"})


class _Tokens(ImmutableSandboxedEnvironment):
    """An environment whose `source` is a list of tokens already."""

    def _tokenize(self, source: Any, name: Any, filename: Any = None, state: Any = None) -> TokenStream:
        return TokenStream(iter([JinjaToken(*token) for token in source]), name, filename)


_ENVIRONMENT = _Tokens(undefined=StrictUndefined)


def parse_expression(tokens: Sequence[Token], end: int, *, commas: bool) -> nodes.Expr:
    """The syntax tree of one expression, which ends at `end`; `commas` allows `a, b` for a list. Raises Refused."""
    if not tokens:
        raise Refused(Fault("E401", "an expression is missing here", end, 1, "for example {{ inputs.host }}"))
    parser = Parser(_ENVIRONMENT, cast(str, [*tokens, Token(end, "variable_end", "}}")]))
    try:
        tree = parser.parse_tuple() if commas else parser.parse_expression()
        if parser.stream.current.type != "variable_end":
            raise Refused(_unexpected(parser.stream.current.lineno, str(parser.stream.current.value)))
    except TemplateSyntaxError as error:
        if error.lineno == end:
            raise Refused(Fault("E401", "the expression ends here, where more of it is expected", end)) from None
        raise Refused(_fault(error, tokens)) from None
    except RecursionError:
        raise Refused(Fault("E403", "the expression is nested too deeply", tokens[0].offset)) from None
    return tree


def parse_template(segments: Sequence[Segment]) -> list[nodes.Node]:
    """The syntax tree of a text with expressions and blocks. Raises Refused."""
    tokens: list[Token] = []
    depth = 0
    for segment in segments:
        if segment.kind == "data":
            tokens.append(Token(segment.start, "data", segment.text))
            continue
        name = "variable" if segment.kind == "expression" else "block"
        if not segment.tokens:
            raise Refused(Fault("E401", f"nothing stands in `{segment.text}`", segment.start, len(segment.text)))
        first = segment.tokens[0]
        if name == "block" and first.value in REFUSED_BLOCKS:
            raise Refused(
                Fault(
                    "E404",
                    f"`{{% {first.value} %}}` is not available: values are built from the pipeline file alone",
                    segment.start,
                    len(segment.text),
                )
            )
        if name == "block":
            depth += (first.value in _OPENING_BLOCKS) - (str(first.value)[3:] in _OPENING_BLOCKS)
            if depth > MAX_DEPTH:
                raise Refused(Fault("E403", f"blocks nested more than {MAX_DEPTH} deep", segment.start))
        tokens.append(Token(segment.start, f"{name}_begin", "{"))
        tokens.extend(segment.tokens)
        tokens.append(Token(segment.end - 2, f"{name}_end", "}"))
    try:
        return Parser(_ENVIRONMENT, cast(str, tokens)).parse().body
    except TemplateSyntaxError as error:
        raise Refused(_fault(error, tokens)) from None
    except RecursionError:
        raise Refused(Fault("E403", "the template is nested too deeply", 0)) from None


def _fault(error: TemplateSyntaxError, tokens: Iterable[Token]) -> Fault:
    message = (error.message or "syntax error").rstrip(".")
    offset = error.lineno
    hint = None
    value = next((t.value for t in tokens if t.offset == offset), "")
    if "got '='" in message or (value == "=" and "unexpected" in message):
        hint = "to compare, write `==`"
    elif (block := _OPEN.search(message)) is not None or message.startswith("Encountered unknown tag"):
        message, hint = _of_blocks(message, block and block[1])
    elif "expected token ':'" in message and any(t.type == "lbrace" for t in tokens):
        hint = "two braces are enough: `{{ … }}`; a third one begins an object"
    for theirs, ours in _WORDING:
        message = message.replace(theirs, ours)
    message = message[:1].lower() + message[1:]
    return Fault("E401", message, offset, max(1, len(str(value))), hint)


def _of_blocks(message: str, block: str | None) -> tuple[str, str | None]:
    """What is wrong with a block, and a hint; `block` is the innermost one that is open there."""
    close = f"close it with `{{% end{block} %}}`" if block else None
    if block == "set":
        close = "give it a value, `{% set x = … %}`, or close it with `{% endset %}`"
    tag = _UNKNOWN.match(message)
    if tag is None:
        return f"`{{% {block} … %}}` is not closed", close
    if tag[1][:3] == "end" or tag[1] in ("else", "elif"):
        hint = f"`{{% {block} … %}}` is open here: {close}" if block else None
        return f"`{{% {tag[1]} %}}` belongs to no block that is open here", hint
    return f"there is no block `{tag[1]}`", "blocks are for, if, set, with, filter, raw"


_OPEN = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_UNKNOWN = re.compile(r"Encountered unknown tag '(\w+)'")
_WORDING = (
    ("expected name or number", "a name or a number is missing here, after the dot"),
    ("tag name expected", "the name of the block is missing here"),
    ("'end of print statement'", "`}}`"),
    ("end of print statement", "`}}`"),
    ("'begin of print statement'", "`{{`"),
    ("'end of statement block'", "`%}`"),
    ("end of statement block", "`%}`"),
    ("end of template", "the end of the text"),
    ("expected token ", "expected "),
)


def _unexpected(offset: int, value: str) -> Fault:
    hint = {"=": "to compare, write `==`", "else": "write `a if condition else b`"}.get(value)
    return Fault("E401", f"`{value}` is not expected here", offset, max(1, len(value)), hint)
