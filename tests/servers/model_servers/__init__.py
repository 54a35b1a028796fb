"""Model services on loopback, for tests: one that does exactly what it is told, in each of the three protocols."""

from model_servers.dialects import BEDROCK, DIALECTS, OLLAMA, OPENAI, Dialect, Said
from model_servers.service import CUT, Asked, Service, chunked, response

__all__ = [
    "BEDROCK",
    "CUT",
    "DIALECTS",
    "OLLAMA",
    "OPENAI",
    "Asked",
    "Dialect",
    "Said",
    "Service",
    "chunked",
    "response",
]
