"""Statistics of what has ended, counted exactly, and of what is unfinished."""
