"""How large artifacts are: a sentence for one that Lambda does not take; `make build` prints all of a build.

`python -m headrace.build.sizes FOLDER` prints the artifacts of a folder, zipped too.
"""

import io
import sys
import zipfile
from collections import Counter
from pathlib import Path

from headrace.emulator.cloudformation import function_folders

MEGABYTE = 1_000_000
LAMBDA_LIMIT = 262_144_000
"""Bytes, unzipped (Lambda quotas: 250 MB)."""
SHOWN = 5


def size_of(artifact: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in artifact.rglob("*") if path.is_file())


def too_large(function: str, artifact: Path, limit: int = LAMBDA_LIMIT) -> tuple[str, ...]:
    """A sentence for an artifact that has more bytes than Lambda takes, with what takes the most place."""
    size = size_of(artifact)
    if size <= limit:
        return ()
    parts = Counter({path.name: size_of(path) if path.is_dir() else path.stat().st_size for path in artifact.iterdir()})
    largest = ", ".join(f"{name} ({part / MEGABYTE:.1f} MB)" for name, part in parts.most_common(SHOWN))
    told = f"the artifact of {function} has {size / MEGABYTE:.1f} MB unzipped"
    return (f"{told}, and Lambda takes {limit / MEGABYTE:.1f} MB; the largest parts: {largest}",)


def zipped(artifact: Path) -> int:
    """Bytes of the artifact as it is uploaded."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(artifact.rglob("*")):
            archive.write(path, path.relative_to(artifact))
    return buffer.tell()


def main(folder: Path) -> None:
    """Print a line for each artifact."""
    print(f"{'artifact':<16} {'unzipped':>9} {'zipped':>9} {'files':>6}  byte-compiled")
    for name in function_folders():
        files = [path for path in (folder / name).rglob("*") if path.is_file()]
        compiled = sorted({path.name.split(".")[-2] for path in files if path.suffix == ".pyc"})
        unpacked, packed = size_of(folder / name) / MEGABYTE, zipped(folder / name) / MEGABYTE
        print(f"{name:<16} {unpacked:>6.1f} MB {packed:>6.1f} MB {len(files):>6}  {', '.join(compiled) or 'NO'}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
