"""What `agent: system_monitoring` measures, a room for each part; each reads below roots that are given to it."""
