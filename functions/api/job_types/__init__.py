"""/v1/job-types."""
