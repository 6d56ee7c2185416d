"""/v1/failed-jobs."""
