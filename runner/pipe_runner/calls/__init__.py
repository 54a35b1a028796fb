"""The way out of a run: every call of a model or a tool, bounded, recorded and told in the log."""
