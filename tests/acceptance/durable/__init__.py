"""The examples of the SDK of Lambda durable functions, as handlers of Headrace and by it, with the same outcomes."""
