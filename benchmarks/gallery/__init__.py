"""The gallery's lists, of a hot event beside many others."""

from benchmarks.gallery.lists import measure

__all__ = ["measure"]
