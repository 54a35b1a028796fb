"""How `network_diagnostics` measures: blocking work in threads of its own, each with an end to its patience."""
