"""/v1/jobs/{id}/children."""
