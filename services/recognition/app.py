"""The recognition service: settings, resources, workers, consumers."""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastapi import FastAPI

from libs.common.database.database import Database
from libs.common.resources import Resources
from libs.common.web.health import Check
from libs.common.web.service_app import build_app
from services.recognition.consumers import Consumers, consuming
from services.recognition.engine.engines import make_engine
from services.recognition.engine.profiles import PROFILES
from services.recognition.engine.workers import EngineFactory, engine_pool
from services.recognition.erasure.forgetting import forgetting
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.indexes.open import local_engine, local_workers, open_index
from services.recognition.indexes.rekognition.index import RekognitionIndex
from services.recognition.matching.match_photo import Matcher
from services.recognition.partitions.owner import LeaseTimes, PartitionOwner
from services.recognition.people import routes as people_routes
from services.recognition.people.find_people import PeopleFinder
from services.recognition.photos.analysis_slots import AnalysisSlots
from services.recognition.photos.analyze_photo import Analyzer
from services.recognition.recovery.collect_dead_letter import collecting
from services.recognition.recovery.reconcile import keep_reconciling, reconcile
from services.recognition.reindex.feeder import Feeder, ReindexLimits
from services.recognition.rounds.batching import BatchLimits
from services.recognition.rounds.rounds import Rounds
from services.recognition.selfies import routes
from services.recognition.selfies.index_selfie import SelfieIndexer
from services.recognition.settings import RecognitionSettings

#: The only process on its data folder: after a crash it takes its own leases and claims back
#: at once, where a name of its own would make it wait for its dead predecessor's to end.
LONE_REPLICA = "standalone"


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
        make_engine,
        local_engine(settings),
        model_dir=settings.findme_model_dir,
        detector_model=settings.face_detector_model,
        pixel_limit=settings.pixel_limit,
    )

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        async with (
            engine_pool(
                local_workers(settings),
                factory,
                timeout_seconds=settings.analyze_timeout_seconds,
            ) as pool,
            open_index(settings, connected.database, pool) as index,
            PeopleFinder(
                connected.database, PROFILES.get(settings.face_recognizer_provider)
            ) as people,
        ):
            app.state.pool = pool
            app.state.index = index
            app.state.people = people
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
            feeder = _feeder(settings, connected.database, index)
            if not keeps_messages:
                await feeder.start_over()
            reindexing = asyncio.create_task(feeder.run(), name="reindexing")
            replica = _replica_name() if keeps_messages else LONE_REPLICA
            indexer = _indexer(settings, connected, index, replica)
            rounds = None
            if isinstance(index, RekognitionIndex):
                limits = BatchLimits(
                    settings.rekognition_batch_photos, settings.rekognition_batch_seconds
                )
                rounds = Rounds(indexer, index, limits, owned=lambda: partitions.owned)
            consumers = Consumers(connected.topology, _analyzer(connected, index), indexer, rounds)
            partitions = PartitionOwner(
                connected.database,
                connected.bus,
                connected.topology.match,
                consumers.match,
                replica=replica,
                times=LeaseTimes(
                    settings.partition_lease_seconds, settings.partition_renew_seconds
                ),
                engine=index.name,
            )
            try:
                async with (
                    collecting(connected.bus, connected.topology, connected.database),
                    forgetting(connected.bus, index),
                    consuming(
                        connected.bus,
                        connected.topology,
                        consumers,
                        photos_at_once=index.photos_at_once,
                        partitions=partitions,
                        rounds=rounds,
                        stopping=app.state.stopping,
                    ),
                ):
                    yield
            finally:
                for task in (reindexing, reconciler):
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task

    return build_app(
        "recognition",
        settings=settings,
        resources=resources,
        routers=[routes.router, people_routes.router],
        start=start,
    )


def _feeder(settings: RecognitionSettings, database: Database, index: FaceIndex) -> Feeder:
    limits = ReindexLimits(
        photos_at_once=index.photos_at_once,
        lease_seconds=settings.partition_lease_seconds,
        patience_seconds=settings.reconcile_after_seconds,
    )
    return Feeder(database, engine=index.name, limits=limits)


def _replica_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _indexer(
    settings: RecognitionSettings, resources: Resources, index: FaceIndex, replica: str
) -> SelfieIndexer:
    return SelfieIndexer(
        matcher=Matcher(database=resources.database, index=index),
        store=resources.store,
        claimant=replica,
        lease_seconds=settings.selfie_claim_seconds,
        replica_lease_seconds=settings.partition_lease_seconds,
    )


def _analyzer(resources: Resources, index: FaceIndex) -> Analyzer:
    return Analyzer(
        database=resources.database,
        store=resources.store,
        index=index,
        slots=AnalysisSlots(index.photos_at_once),
    )
