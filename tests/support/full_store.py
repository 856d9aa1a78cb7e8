"""An object store without room."""

from libs.common.storage.protocol import ObjectStore, StoreUnavailable


class FullStore:
    """A store whose disk is full."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    async def put(self, key: str, content: bytes, *, content_type: str) -> object:
        raise StoreUnavailable("The photo store is full.")

    def create(self, key: str, *, content_type: str) -> object:
        raise StoreUnavailable("The photo store is full.")
