"""/healthz."""
