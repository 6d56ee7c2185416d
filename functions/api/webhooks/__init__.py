"""/v1/webhooks, and the secret of `notify`."""
