"""Files that jobs read and write."""
