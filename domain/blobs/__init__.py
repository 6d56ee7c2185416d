"""Blobs: bytes that are too large for an item."""
