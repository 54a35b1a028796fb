"""What a run's calls of models used, on its page: in all, and node by node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipe_runner.console.words import plural, used
from pipe_runner.reports.marks import shown
from pipe_runner.run import Run

_MOST: Final = 100
"""Nodes that are named."""


def spending(run: Run) -> Iterator[str]:
    """A table, the dearest node first; nothing where no model was asked."""
    if run.ledger is None:
        return
    spent = sorted(run.ledger.by_node(run.nodes).items(), key=lambda item: (-item[1].all_cost, -item[1].all_tokens))
    total = run.ledger.total
    whole = f"; {plural(total.whole, 'call')} counted at the bound, since nobody said what was used"
    yield (
        f'<h2>Models</h2>\n<p class="note">{plural(total.calls + total.aside, "call")}, {used(total)}'
        f"{whole if total.whole else ''}</p>\n"
        '<div class="scroll"><table class="many"><thead><tr><th>node<th>calls<th>tokens<th>cost</thead><tbody>\n'
    )
    for name, one in spent[:_MOST]:
        tokens, _, cost = used(one).partition(" tokens, ")
        yield f"<tr><td><code>{shown(name)}</code><td>{one.calls + one.aside}<td>{tokens}<td>{cost}\n"
    yield "</tbody></table></div>\n"
    if len(spent) > _MOST:
        yield f'<p class="note">and {len(spent) - _MOST} more</p>\n'
