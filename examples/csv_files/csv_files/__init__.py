"""Job types on files."""

from csv_files.profile import profile_file
from headrace import Handler

JOB_TYPES: tuple[Handler, ...] = (profile_file,)
