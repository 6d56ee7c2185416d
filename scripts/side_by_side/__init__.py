"""Two versions of Headrace at once on one table. Run by hand: `python -m scripts.side_by_side --other REV`."""
