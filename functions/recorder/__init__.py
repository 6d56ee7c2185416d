"""RecorderFunction: what follows from a change of a job."""
