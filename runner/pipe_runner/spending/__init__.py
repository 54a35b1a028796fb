"""Budgets: what a call may cost, what is set aside for it, and when it may go out."""
