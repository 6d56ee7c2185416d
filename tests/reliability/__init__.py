"""Fault tests at two sizes: `make reliability` runs them in full; pytest runs the parts that take seconds."""
