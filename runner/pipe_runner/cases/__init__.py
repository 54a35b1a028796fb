"""Tests of pipelines: reads `*.test.yml`, runs its cases with something standing in for nodes, compares, tells."""

from typing import Final

SUFFIXES: Final = (".test.yml", ".test.yaml")
"""What the name of a file of tests ends in."""
