"""What the author of a job type writes with; `headrace` exports it."""
