"""Job types on files."""

from headrace import Handler

from csv_files.profile import profile_file

JOB_TYPES: tuple[Handler, ...] = (profile_file,)
