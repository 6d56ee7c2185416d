"""The same work, written as tutorials for these packages write it: what Headrace is measured against."""
