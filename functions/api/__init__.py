"""The HTTP API: FastAPI on Mangum, behind an API Gateway HTTP API."""
