"""Jobs: what they are, how they move, and the services that move them."""
