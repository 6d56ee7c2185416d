"""Amazon SQS: how messages are written, sent and read."""
