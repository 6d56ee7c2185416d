"""Runs jobs in the process of the command line."""
