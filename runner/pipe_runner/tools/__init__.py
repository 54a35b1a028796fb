"""The tools that a model may call: functions, agents, and those of MCP servers."""
