"""From the events that AWS delivers to the events of the domain."""
