"""Whose code does the work: one stand-alone file for each, which `benchmarks/worker.py` loads by its path."""
