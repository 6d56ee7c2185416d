"""Users: who owns jobs, found by email address."""
