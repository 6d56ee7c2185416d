"""What jobs remember, and the signals that they are sent."""
