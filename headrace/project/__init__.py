"""A project: a package of job types of one's own, with `headrace.toml`, its tests and its requirements."""
