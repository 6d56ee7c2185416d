"""A local emulator of the AWS services that Headrace uses: the laptop's stand-in for AWS. Never deployed."""
