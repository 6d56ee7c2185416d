"""Webhooks: tells others' programs of what becomes of jobs, by jobs that deliver it."""
