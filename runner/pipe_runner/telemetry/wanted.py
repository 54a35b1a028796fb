"""Whether somebody asked for telemetry: by the usual variables of OpenTelemetry, looked at without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TRUE: Final = "true"
_ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"


def wanted(environ: Mapping[str, str]) -> bool:
    """Whether spans or metrics go anywhere."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == _TRUE:
        return False
    return bool(exporters(environ, "traces") or exporters(environ, "metrics"))


def unusable(error: Exception) -> str:
    """What is told where the SDK can't be set up."""
    said = str(error).partition("\n")[0][:300] or type(error).__name__
    return f"telemetry: nothing is sent, since a variable OTEL_… can't be used: {said}"


def exporters(environ: Mapping[str, str], signal: str) -> tuple[str, ...]:
    """Names of the exporters of a signal (`traces`, `metrics`): as `OTEL_TRACES_EXPORTER` has them, or `otlp` where
    only an endpoint is named."""
    named = environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip()
    if named:
        return tuple(name for one in named.split(",") if (name := one.strip()) and name != "none")
    if environ.get(_ENDPOINT) or environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT"):
        return ("otlp",)
    return ()
