#!/usr/bin/env bash
# Resolves every set of dependencies anew, with hashes, for all platforms and Python 3.11 and newer.
# No address of a package registry is written.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  "${UV:-.venv/bin/uv}" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --custom-compile-command "make lock" "$@"
}
compile --extra dev --output-file requirements/dev.txt --no-emit-package headrace --emit-build-options pyproject.toml requirements/uv.in
compile --output-file requirements/runtime.txt pyproject.toml
for name in uv ministack cfn-lint sam schemathesis audit; do
  compile --output-file "requirements/$name.txt" "requirements/$name.in"
done
