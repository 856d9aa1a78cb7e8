"""Benchmarks: `python -m benchmarks.<name>`, or all by `python -m benchmarks`."""
