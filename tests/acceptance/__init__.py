"""Acceptance run of the built artifacts and template.yaml on a third-party emulator: `make acceptance`."""
