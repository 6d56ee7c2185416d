"""The examples by the SDK of Lambda durable functions; its environment has nothing of Headrace's."""
