"""A service with either of two scripted engines that do not always see the same."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from libs.common.resources import Resources
from services.recognition.app import create_app
from services.recognition.settings import RecognitionSettings
from tests.support.engine_pools import lent_pools
from tests.support.odd_engines import PROVIDERS, OneSided
from tests.support.own_role import with_own_role
from tests.support.world import World


@asynccontextmanager
async def running_engine(
    engine: str,
    settings: RecognitionSettings,
    resources: Resources,
    *,
    keeps_messages: bool = True,
) -> AsyncIterator[FastAPI]:
    """A recognition service with the engine."""
    provider = PROVIDERS[engine]
    own = settings.model_copy(update={"face_recognizer_provider": provider})
    async with (
        lent_pools(partial(OneSided, provider=provider), own) as pools,
        with_own_role(resources, own, "recognition") as its,
    ):
        app = create_app(own, its, pools=pools, keeps_messages=keeps_messages)
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
