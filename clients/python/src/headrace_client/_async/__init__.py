"""The source of truth: `scripts/unasync.py` writes `_sync` from it, and `make docs` runs it."""
