"""The job types that README and docs show: the same text, so that it is checked and run like all code."""
