"""What the routes of every feature share: problem documents, identity, bodies, conditional requests, OpenAPI."""
