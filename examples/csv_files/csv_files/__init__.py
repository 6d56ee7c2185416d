"""Job types on files: `JOB_TYPES=csv_files headrace dev`."""

from csv_files.profile import profile_file
from headrace import Handler

JOB_TYPES: tuple[Handler, ...] = (profile_file,)
