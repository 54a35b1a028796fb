"""Evaluations: how often a pipeline's answers are good, over cases and samples. Behind `pipe eval`."""
