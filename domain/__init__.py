"""The rules of Headrace, free of I/O: time, randomness, ids and storage come in as arguments."""
