"""What `agent: log_analysis` is made of."""
