"""/v1/lanes."""
