"""When a call of a model goes out: limits, waits that a service asks for, and a breaker; one gate for each provider."""
