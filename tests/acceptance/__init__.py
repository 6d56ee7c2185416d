"""The built artifacts and template.yaml on an emulator that nobody here wrote. `make acceptance` runs it."""
