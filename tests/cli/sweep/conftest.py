"""A place with an event in it, on either store, as backups are made of."""

from tests.backup.conftest import database, here, kind, store, world

__all__ = ["database", "here", "kind", "store", "world"]
