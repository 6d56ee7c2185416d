"""Tests two versions of Headrace running on one table. Run by hand: `python -m scripts.side_by_side --other REV`."""
