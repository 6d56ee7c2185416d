"""Between domain models and DynamoDB items."""
