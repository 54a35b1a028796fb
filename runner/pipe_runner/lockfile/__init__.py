"""`pipe.lock`: which models, prompts, schemas and tools a project was tested with, and what differs since."""
