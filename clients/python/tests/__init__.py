"""Tests of the client. `make clients` runs them all, against an installed client and a local stack."""
