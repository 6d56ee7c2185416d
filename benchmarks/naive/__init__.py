"""Headrace's work, written as tutorials for these packages write it: the baseline of the benchmarks."""
