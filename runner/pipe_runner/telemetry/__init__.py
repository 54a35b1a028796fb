"""Spans and metrics of a run, by OpenTelemetry; nothing of it is imported where no `OTEL_…` variable asks for it."""
