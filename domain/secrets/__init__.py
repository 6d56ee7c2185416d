"""Secrets that payloads name: found where only those who run jobs may look, and written nowhere."""
