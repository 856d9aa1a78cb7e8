"""Two scripted engines that do not always see the same, and a service with either."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI

from libs.common.errors import PermanentError
from libs.common.resources import Resources
from services.recognition.app import create_app
from services.recognition.engine.face_engine import PhotoAnalysis
from services.recognition.settings import RecognitionSettings
from tests.support.engine_pools import lent_pools
from tests.support.scripted_engine import ScriptedEngine
from tests.support.world import World

EMBEDDED, OPENCV = "embedded", "opencv"


@dataclass(frozen=True)
class OneSided(ScriptedEngine):
    """In `people 1 opencv:2` only that engine sees the second; `opencv:bad` it cannot read."""

    name: str = EMBEDDED

    def perform(self, text: str) -> PhotoAnalysis:
        command, *words = text.partition("\n")[0].split()
        if f"{self.name}:bad" in words:
            raise PermanentError("not for this engine")
        seen = [word.removeprefix(f"{self.name}:") for word in words]
        return super().perform(" ".join([command, *(word for word in seen if ":" not in word)]))


@asynccontextmanager
async def running_engine(
    engine: str,
    settings: RecognitionSettings,
    resources: Resources,
    *,
    keeps_messages: bool = True,
) -> AsyncIterator[FastAPI]:
    """A recognition service with the engine."""
    own = settings.model_copy(update={"face_recognizer_provider": engine})
    async with lent_pools(partial(OneSided, name=engine), own) as pools:
        app = create_app(own, resources, pools=pools, keeps_messages=keeps_messages)
        async with app.router.lifespan_context(app):
            yield app


async def is_settled(world: World, engine: str) -> bool:
    """Whether everything is done, and by this engine."""
    return not await world.scalar(
        """
        SELECT (SELECT count(*) FROM outbox)
             + (SELECT count(*) FROM photos
                WHERE processing_status IN ('queued', 'analyzed') OR engine <> :engine)
             + (SELECT count(*) FROM selfies s JOIN memberships m USING (user_id)
                WHERE NOT EXISTS (SELECT 1 FROM selfie_indexes i WHERE i.selfie_id = s.id
                                  AND i.event_id = m.event_id
                                  AND i.status IN ('done', 'failed') AND i.engine = :engine))
        """,
        engine=engine,
    )
