"""HTTP as every feature needs it: problems, identity, bodies, conditions, OpenAPI."""
