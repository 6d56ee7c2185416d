"""Compares job types with the lock file of a deployment."""
