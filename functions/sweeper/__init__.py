"""The sweeper: each minute, it moves what nobody rang for."""
