"""DynamoDB adapters: they read and write, and decide nothing."""
