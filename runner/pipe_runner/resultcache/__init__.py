"""Keeps the outputs of nodes with `cache:` by content, so that a run takes one again where nothing changed.

Nothing here is imported by a run without such a node.
"""
