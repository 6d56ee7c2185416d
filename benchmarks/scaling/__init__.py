"""The parts of `benchmarks/scale_simulation.py`."""
