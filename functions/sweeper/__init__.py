"""The sweeper: each minute, it recovers the jobs that the stream did not deliver."""
