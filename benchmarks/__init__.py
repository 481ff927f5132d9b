"""Benchmarks of the core steps: honest, comparable numbers on any device.

``python -m benchmarks`` in a checkout and ``jaxgan benchmark`` after an installation run the same code, which
is why the modules here import one another relatively.
"""
