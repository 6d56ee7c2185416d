"""A project's requirements: what it asks for, and the locks that say which releases these are."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

REQUIREMENTS, LOCK = "requirements.txt", "requirements.lock"
"""What the job types need where they run."""
REQUIREMENTS_OF_API, LOCK_OF_API = "requirements-api.txt", "requirements-api.lock"
"""What their definitions need, in the functions that only validate payloads; for many projects nothing."""
_DIGEST = "# of "
COMMAND = "headrace lock"


def digest(files: tuple[Path, ...]) -> str:
    """The first line of a lock: which requirements it was made of."""
    content = hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
    return f"{_DIGEST}{' and '.join(file.name for file in files)}, {content}; `{COMMAND}` writes this file"


def sources(folder: Path) -> dict[str, tuple[Path, ...]]:
    """By the name of a lock, the files that it is made of. The job types run with what their definitions need."""
    wanted = {LOCK: (REQUIREMENTS, REQUIREMENTS_OF_API), LOCK_OF_API: (REQUIREMENTS_OF_API,)}
    found = {
        lock: tuple(folder / name for name in names if (folder / name).is_file()) for lock, names in wanted.items()
    }
    return {lock: files for lock, files in found.items() if files}


def outdated(folder: Path) -> Iterator[str]:
    """A sentence for each lock that is missing, or was made of other requirements than there are now."""
    for name, files in sources(folder).items():
        lock, asked = folder / name, " and ".join(file.name for file in files)
        if not lock.is_file():
            yield f"{asked} has no lock; run `{COMMAND}`, which writes {name}"
        elif lock.read_text().partition("\n")[0] != digest(files):
            yield f"{name} is not that of {asked} as it is now; run `{COMMAND}`"
