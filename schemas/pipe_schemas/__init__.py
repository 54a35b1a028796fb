"""What may be written in a file or a log: pydantic models, the only source of the JSON Schemas beside them."""
