"""Evaluations: how often a pipeline's answers are good, over cases and samples. Behind `pipe eval`."""

from typing import Final

SUFFIXES: Final = (".eval.yml", ".eval.yaml")
"""What the name of an evaluation ends in."""
