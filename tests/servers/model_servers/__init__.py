"""Model services on loopback, for tests: one that does exactly what it is told, in each of the three protocols."""

from model_servers.dialects import BEDROCK, DIALECTS, OLLAMA, OPENAI, Dialect, Said
from model_servers.service import CUT, Asked, Service, chunked, response
from model_servers.thinkers import CEREBRAS, THINKERS

__all__ = [
    "BEDROCK",
    "CEREBRAS",
    "CUT",
    "DIALECTS",
    "OLLAMA",
    "OPENAI",
    "THINKERS",
    "Asked",
    "Dialect",
    "Said",
    "Service",
    "chunked",
    "response",
]
