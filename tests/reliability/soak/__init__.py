"""An hour of mixed work with a fault a minute: `make soak`."""
