"""Exit codes that no exception has of its own; imports nothing, as it stands before the error boundary."""

BUG = 3
IO_ERROR = 74
INTERRUPTED = 130
