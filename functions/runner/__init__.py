"""Runners: run the jobs that are too long, or too heavy, for the worker's batches, each from a queue of its own."""
