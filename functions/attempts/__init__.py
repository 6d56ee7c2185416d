"""How attempts run in a function: those of the worker's batches and those of the runners."""
