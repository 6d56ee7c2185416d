"""The client, its failures as results, and the repositories."""
