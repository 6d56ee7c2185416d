"""Tools for those who work on Headrace."""
