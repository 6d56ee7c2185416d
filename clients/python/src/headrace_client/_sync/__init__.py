# Generated from _async by scripts/unasync.py: change that, and run `make docs`.
"""The twin of `_async`."""
