"""Schedules: jobs that are submitted again and again, by cron expression or at an interval."""
