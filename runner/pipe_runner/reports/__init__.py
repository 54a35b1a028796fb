"""Tells what was found and what happened, in the forms that people and other programs read."""
