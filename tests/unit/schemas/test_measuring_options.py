"""Options of agents that measure, of which a run could make nothing, are told before it."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from pipe_schemas.infrastructure import InfrastructureOptions
from pipe_schemas.logs import LogAnalysisOptions
from pipe_schemas.network import NetworkOptions
from pipe_schemas.system import SystemOptions

WRONG: list[tuple[type[BaseModel], dict[str, object], str]] = [
    (SystemOptions, {"paths": ["var/log"]}, "is not absolute"),
    (NetworkOptions, {"resolvers": ["dns.internal"]}, "is no resolver"),
    (NetworkOptions, {"resolvers": ["127.0.0.1:70000"]}, "is no resolver"),
    (InfrastructureOptions, {"hosts": ["example.com:99999"]}, "is no HOST or HOST:PORT"),
    (LogAnalysisOptions, {"text": "a", "since": "1h", "until": "2h"}, "isn't before"),
]


@pytest.mark.parametrize(("model", "options", "words"), WRONG)
def test_what_no_run_can_use_is_no_option(model: type[BaseModel], options: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        model.model_validate(options)


RIGHT: list[tuple[type[BaseModel], dict[str, object]]] = [
    (SystemOptions, {"paths": ["/var/log"]}),
    (NetworkOptions, {"resolvers": ["10.0.0.2", "127.0.0.1:5353", "::1", "[::1]:53"]}),
    (InfrastructureOptions, {"hosts": ["example.com", "example.com:8443", "::1", "[::1]:443"]}),
    (LogAnalysisOptions, {"text": "a", "since": "2h", "until": "1h"}),
    (LogAnalysisOptions, {"text": "a", "since": "2026-03-01T12:00:00Z", "until": "1h"}),
]


@pytest.mark.parametrize(("model", "options"), RIGHT)
def test_every_form_that_a_run_can_use_is_one(model: type[BaseModel], options: dict[str, object]) -> None:
    model.model_validate(options)
