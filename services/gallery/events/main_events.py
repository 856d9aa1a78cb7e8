"""Which event a participant means who names none."""

from collections.abc import Collection, Mapping

from libs.common.database.database import Database
from libs.common.database.kept_reads import KeptReads, Known
from libs.common.rights.access import main_event_ids

KEPT_SECONDS = 30.0


class MainEvents(KeptReads[int, int]):
    """The first event that each participant joined and that is not over, by account."""

    def __init__(self, database: Database) -> None:
        super().__init__(self._find, name="main events", kept_seconds=KEPT_SECONDS)
        self._database = database

    async def _find(self, user_ids: Collection[int]) -> Mapping[int, int]:
        async with self._database.read() as connection:
            return await main_event_ids(connection, user_ids)

    def _missed(self, key: int) -> None:
        # What is being read may be from before they joined their first event.
        self.forget(key)

    def _keep(self, key: int, known: Known[int]) -> None:
        # Who has joined none may join one in the next moment.
        if known.value is not None:
            super()._keep(key, known)
