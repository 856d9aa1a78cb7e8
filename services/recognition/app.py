"""The recognition service: settings, resources, workers, consumers."""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI

from libs.common.http.health import Check
from libs.common.http.service_app import build_app
from libs.common.resources import Resources
from services.recognition import routes
from services.recognition.analyze_photo import Analyzer
from services.recognition.consumers import Consumers, consuming
from services.recognition.engine.embedded import ENGINE_NAME, EmbeddedEngine
from services.recognition.engine.workers import EngineFactory, WorkerPool
from services.recognition.match_photo import Matcher
from services.recognition.match_selfie import SelfieIndexer
from services.recognition.reconcile import keep_reconciling, reconcile
from services.recognition.selfie_cache import SelfieCache
from services.recognition.settings import RecognitionSettings


def create_app(
    settings: RecognitionSettings,
    resources: Resources | None = None,
    *,
    engine_factory: EngineFactory | None = None,
    keeps_messages: bool = True,
) -> FastAPI:
    """Return the service.

    `resources` are borrowed when given; `engine_factory` makes the engine of each worker.
    `keeps_messages` is False where the bus forgets with its process: then all unfinished
    work is published again at the start, however young.
    """
    factory = engine_factory or partial(
        EmbeddedEngine,
        model_dir=settings.findme_model_dir,
        pixel_limit=int(settings.max_photo_megapixels * 1e6),
    )

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        async with WorkerPool(
            settings.photo_queue_workers,
            timeout_seconds=settings.analyze_timeout_seconds,
            engine_factory=factory,
        ) as pool:
            app.state.pool = pool
            app.state.checks = app.state.checks | {"bus": Check(connected.bus.check)}
            await reconcile(
                connected.database,
                older_than_seconds=settings.reconcile_after_seconds if keeps_messages else 0,
            )
            reconciler = asyncio.create_task(
                keep_reconciling(
                    connected.database,
                    older_than_seconds=settings.reconcile_after_seconds,
                    every_seconds=settings.reconcile_every_seconds,
                ),
                name="reconciler",
            )
            consumers = _consumers(settings, connected, pool)
            try:
                async with consuming(
                    connected.bus,
                    connected.topology,
                    consumers,
                    photos_at_once=settings.photo_queue_workers,
                ):
                    yield
            finally:
                reconciler.cancel()
                with suppress(asyncio.CancelledError):
                    await reconciler

    return build_app(
        "recognition",
        settings=settings,
        resources=resources,
        routers=[routes.router],
        start=start,
    )


def _consumers(settings: RecognitionSettings, resources: Resources, pool: WorkerPool) -> Consumers:
    matcher = Matcher(
        database=resources.database,
        selfies=SelfieCache(engine=ENGINE_NAME),
        default_threshold=settings.match_threshold,
    )
    return Consumers(
        resources.topology,
        Analyzer(
            database=resources.database,
            store=resources.store,
            pool=pool,
            slots=asyncio.Semaphore(settings.photo_queue_workers),
        ),
        SelfieIndexer(
            matcher=matcher,
            store=resources.store,
            pool=pool,
            claimant=f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}",
            lease_seconds=settings.selfie_claim_seconds,
        ),
    )
