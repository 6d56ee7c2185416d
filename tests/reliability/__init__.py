"""What Headrace withstands. `make reliability` runs all of it; pytest runs what takes seconds."""
