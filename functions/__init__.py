"""One package for each Lambda function; the only code that knows FastAPI, Mangum and Powertools."""
