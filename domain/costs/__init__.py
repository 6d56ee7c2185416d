"""What jobs cost in dollars, and how that is counted."""
