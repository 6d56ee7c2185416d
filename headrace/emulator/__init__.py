"""The laptop stand-in for AWS, and the command line. Never deployed."""
