"""/v1/users."""
