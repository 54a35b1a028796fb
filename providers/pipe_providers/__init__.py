"""Clients of model services, one file each; met by the runner only through entry points."""
