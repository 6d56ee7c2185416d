"""Sends HTTP requests for job types: exactly as given, once, and only to hosts that may be reached."""
