"""The repositories that implement the protocols of `domain`."""
