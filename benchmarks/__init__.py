"""Programs that measure; `make bench` runs them and writes RESULTS.md."""
