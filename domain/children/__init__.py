"""Children: jobs that a durable handler submits, counts and waits for (`context.call`, `context.map`)."""
