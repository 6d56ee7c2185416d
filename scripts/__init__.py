"""Tools for developing Headrace."""
