"""Where the values of secrets are read: Systems Manager's Parameter Store, Secrets Manager, or the environment."""
