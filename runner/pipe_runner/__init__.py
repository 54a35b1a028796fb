"""Runs pipelines: reads, compiles, schedules, remembers, tells."""

__version__ = "0.1.0"
