"""The moments that a product like this one is judged by: everybody comes at the same time."""

from benchmarks.rush.scenarios import measure

__all__ = ["measure"]
