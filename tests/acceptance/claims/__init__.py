"""What the tests of Oban, River and procrastinate claim of theirs, tried on Headrace: `../claims_of_others.md`."""
