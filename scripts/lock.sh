#!/usr/bin/env bash
# Locks every set of dependencies, with hashes, for all platforms and Python 3.11 and newer. What is locked keeps its
# release, so that a new requirement changes only the locks that have it; UPGRADE=1 takes the newest of all.
# The lock files contain no address of a package registry.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() {
  "${UV:-.venv/bin/uv}" pip compile --quiet ${UPGRADE:+--upgrade} --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --custom-compile-command "make lock" "$@"
}
compile --extra dev --output-file requirements/dev.txt --no-emit-package headrace --no-emit-package headrace-client --emit-build-options pyproject.toml requirements/uv.in
# Deploy the same versions that are tested.
compile --constraint requirements/dev.txt --output-file requirements/function.txt pyproject.toml
compile --constraint requirements/dev.txt --extra api --output-file requirements/function-api.txt pyproject.toml
compile --constraint requirements/dev.txt --output-file requirements/lambda-image.txt requirements/lambda-image.in
for name in uv ministack cfn-lint sam checkov schemathesis audit microburst node durable-sdk; do
  compile --output-file "requirements/$name.txt" "requirements/$name.in"
done
# What is tested with the client, which is installed beside it.
compile --constraint requirements/dev.txt --all-extras --group clients/python/pyproject.toml:test --output-file clients/python/requirements.lock clients/python/pyproject.toml
for name in django_app fastapi_app; do
  compile --constraint requirements/dev.txt --no-emit-package headrace-client --group "examples/$name/pyproject.toml:test" --output-file "examples/$name/requirements.lock" "examples/$name/pyproject.toml"
done
