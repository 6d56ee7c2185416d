"""Prints how large the artifacts of a build are; fails when one is larger than Lambda takes. `make build` runs it.

With `--own`, as in `make check`, it fails when one is larger than Headrace by itself should be; job types that a
deployment adds, with packages of their own, may make it larger.
"""

import io
import sys
import zipfile
from pathlib import Path

from headrace.emulator.cloudformation import default_of, function_folders
from scripts.build import EVERY_FUNCTIONS_LOCK, contents_of

MEGABYTE = 1_000_000
LAMBDA_LIMIT = 250
"""Megabytes, unzipped (Lambda quotas)."""
OWN_LIMITS = {EVERY_FUNCTIONS_LOCK: 30, "requirements/function-api.txt": 45}
"""Megabytes, unzipped, of an artifact with the packages of a lock, and Headrace's own job types."""


def own_limits() -> dict[str, int]:
    """Of every function of template.yaml, by its logical id, how large Headrace by itself should be."""
    locks = {name: contents_of(name, default_of("JobTypes")).lock for name in function_folders()}
    return {name: OWN_LIMITS.get(lock, LAMBDA_LIMIT) for name, lock in locks.items()}


def zipped(artifact: Path) -> int:
    """Bytes of the artifact as it is uploaded."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(artifact.rglob("*")):
            archive.write(path, path.relative_to(artifact))
    return buffer.tell()


def main(folder: Path, *, own: bool) -> int:
    """0 when every artifact is as small as it must be; `own` says that it holds Headrace's job types alone."""
    too_large = False
    print(f"{'artifact':<16} {'unzipped':>9} {'zipped':>9} {'limit':>7} {'files':>6}  byte-compiled")
    for name, own_limit in own_limits().items():
        limit = own_limit if own else LAMBDA_LIMIT
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / MEGABYTE
        compiled = sorted({path.name.split(".")[-2] for path in files if path.suffix == ".pyc"})
        packed = zipped(folder / name) / MEGABYTE
        versions = ", ".join(compiled) or "NO"
        print(f"{name:<16} {size:>6.1f} MB {packed:>6.1f} MB {limit:>4} MB {len(files):>6}  {versions}")
        too_large |= size > limit
    return int(too_large)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), own="--own" in sys.argv[2:]))
