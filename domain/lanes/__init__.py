"""Lanes: keys that limit how many jobs run at once, how many start in a time, and which go first."""
