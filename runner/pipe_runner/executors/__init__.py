"""Where attempts are performed; each executor returns outcomes and calls nobody back."""
