"""Sizes as operators write them and people read them."""

MEGABYTE = 1024 * 1024


def in_megabytes(size_bytes: int) -> str:
    """Return for example `5 MB`."""
    return f"{size_bytes / MEGABYTE:g} MB"
