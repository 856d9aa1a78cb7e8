"""The browser app, in Chromium: how soon pages are there, and how long they keep a browser busy."""

from benchmarks.web.pages import measure

__all__ = ["measure"]
