"""Builds what is deployed: an artifact for each function of template.yaml, and the template of a project."""
