"""Agents that ship with the runner, one file each; met by the runner only through entry points."""
