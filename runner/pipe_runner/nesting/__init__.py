"""Sub-pipelines while they run: a scheduler for each instance, and one set of slots for all of them."""
