"""The recognition service: settings, resources, workers, consumers."""

import os
import re
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from fastapi import FastAPI

from libs.common.messaging.dead_letters.view import watch_dead_letters
from libs.common.resources import Resources
from libs.common.storage.fetches import Fetches
from libs.common.web.health import Check
from libs.common.web.service_app import Dependency, build_app
from libs.common.workers.imported import Imported
from libs.common.workers.privileges import WithoutRoot
from services.recognition.consumers import Consumers, consuming, forgetting
from services.recognition.engine.detect.selfie_check import VERSION
from services.recognition.engine.face_engine import PROFILES, Engine, EngineFactory
from services.recognition.indexes.face_index import FaceIndex
from services.recognition.indexes.open import (
    WorkerPools,
    local_provider,
    open_index,
    open_worker_pools,
)
from services.recognition.indexes.rekognition.index import RekognitionIndex
from services.recognition.matching.match import Matcher
from services.recognition.partitions.owner import LeaseTimes, PartitionOwner
from services.recognition.people import routes as people_routes
from services.recognition.people.find_people import PeopleFinder
from services.recognition.photos.analyze_photo import Analyzer
from services.recognition.photos.claims import AnalysisClaims, AnalysisSlots
from services.recognition.photos.thumbnails import Thumbnails
from services.recognition.recovery.collect_dead_letter import collecting
from services.recognition.recovery.reconcile import Reconciler
from services.recognition.reindex.feeder import Feeder, ReindexLimits
from services.recognition.rekognition_rounds.batching import BatchLimits
from services.recognition.rekognition_rounds.rounds import Rounds
from services.recognition.selfies import routes
from services.recognition.selfies.check_lines import CheckLines
from services.recognition.selfies.index_selfie import SelfieIndexer
from services.recognition.selfies.kept_checks import KeptChecks
from services.recognition.settings import RecognitionSettings

#: The only process on its data folder: after a crash it takes its own leases and claims back
#: at once, where a name of its own would make it wait for its dead predecessor's to end.
LONE_REPLICA = "standalone"
#: Whose owner does what one replica is to do for all.
LEADERS_PARTITION = 0

ROUTERS = [routes.router, people_routes.router]


def create_app(
    settings: RecognitionSettings,
    resources: Resources | None = None,
    *,
    engine_factory: EngineFactory | None = None,
    pools: WorkerPools | None = None,
    keeps_messages: bool = True,
) -> FastAPI:
    """Return the service.

    `resources` are borrowed when given, and so are `pools`, whose workers have the engine then;
    else `engine_factory` makes the engine of each worker.
    `keeps_messages` is False where the bus forgets with its process: then all unfinished
    work is published again at the start, however young.
    """
    factory = engine_factory or WithoutRoot(
        partial(
            Imported[..., Engine]("services.recognition.engine.engines", "make_engine"),
            local_provider(settings),
            model_dir=settings.findme_model_dir,
            detector_model=settings.face_detector_model,
            pixel_limit=settings.pixel_limit,
        )
    )
    replica = _replica_name() if keeps_messages else LONE_REPLICA

    @asynccontextmanager
    async def start(app: FastAPI, connected: Resources) -> AsyncIterator[None]:
        database, bus, topology = connected.database, connected.bus, connected.topology
        background = app.state.background
        async with (
            nullcontext(pools) if pools else open_worker_pools(settings, factory) as workers,
            open_index(settings, database, workers, background) as index,
            PeopleFinder(database, PROFILES.get(settings.face_recognizer_provider)) as people,
        ):
            app.state.pool = workers.engine
            app.state.kept_checks = kept_checks = KeptChecks(
                database,
                made_by=f"{index.name} {VERSION} by {PROFILES[local_provider(settings)].name}",
                seconds=settings.selfie_check_kept_seconds,
            )
            app.state.check_lines = CheckLines(workers.engine)
            app.state.index = index
            app.state.people = people
            partitions = PartitionOwner(
                database,
                bus,
                topology.match,
                replica=replica,
                times=_lease_times(settings),
                engine=index.name,
            )
            app.state.checks["partitions"] = Check(partitions.check, required=False)

            analyzer = _analyzer(settings, connected, index, replica)
            indexer = _indexer(settings, connected, index, replica)
            rounds = _rounds(settings, indexer, index, owned=lambda: partitions.owned)
            consumers = Consumers(topology, analyzer, indexer, rounds)
            reconciler = _reconciler(
                settings, connected, leads=lambda: LEADERS_PARTITION in partitions.owned
            )
            feeder = _feeder(settings, connected, index)

            if not keeps_messages:
                await analyzer.claims.count_as_lost()
                await reconciler.republish_all()
                await feeder.start_over()

            background.start("reconciler", reconciler.run)
            background.tidy("kept checks", kept_checks.run)
            background.start("reindexing", feeder.run)
            background.start("forgetting", (await forgetting(bus, index)).run)
            background.start("dead letters", (await collecting(bus, topology, database)).run)
            background.tidy("waiting dead letters", partial(watch_dead_letters, database))
            async with consuming(
                bus,
                topology,
                consumers,
                photos_at_once=index.photos_at_once,
                partitions=partitions,
                rounds=rounds,
                background=background,
                stopping=app.state.stopping,
            ):
                yield

    return build_app(
        "recognition",
        settings=settings,
        resources=resources,
        routers=ROUTERS,
        start=start,
        # The face check works with what it is sent. All else is the consumers', who wait.
        needs=(),
        tells={Dependency.DATABASE, Dependency.PRIMARY, Dependency.STORE, Dependency.BUS},
        # Our own services', for which nothing is read without their token.
        streamed=re.compile(r"[A-Z]+ /internal/.*"),
    )


def _replica_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def _lease_times(settings: RecognitionSettings) -> LeaseTimes:
    return LeaseTimes(settings.partition_lease_seconds, settings.partition_renew_seconds)


def _analyzer(
    settings: RecognitionSettings, resources: Resources, index: FaceIndex, replica: str
) -> Analyzer:
    return Analyzer(
        database=resources.database,
        fetches=Fetches(
            resources.store,
            at_once=settings.photo_fetches_at_once,
            max_bytes=settings.photo_fetch_bytes,
        ),
        index=index,
        slots=AnalysisSlots(index.photos_at_once),
        claims=AnalysisClaims(
            resources.database,
            claimant=replica,
            # Renewed while the photo is in hand: it may wait for its worker behind a selfie.
            lease_seconds=2 * settings.analyze_timeout_seconds,
            replica_lease_seconds=settings.partition_lease_seconds,
        ),
        thumbnails=Thumbnails(resources.store),
    )


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


def _rounds(
    settings: RecognitionSettings,
    indexer: SelfieIndexer,
    index: FaceIndex,
    *,
    owned: Callable[[], Collection[int]],
) -> Rounds | None:
    """Where every comparison is paid for, photos and selfies are matched together."""
    if not isinstance(index, RekognitionIndex):
        return None
    limits = BatchLimits(settings.rekognition_batch_photos, settings.rekognition_batch_seconds)
    return Rounds(indexer, index, limits, owned=owned)


def _reconciler(
    settings: RecognitionSettings, resources: Resources, *, leads: Callable[[], bool]
) -> Reconciler:
    return Reconciler(
        resources.database,
        resources.bus,
        resources.topology,
        leads=leads,
        older_than_seconds=settings.reconcile_after_seconds,
        every_seconds=settings.reconcile_every_seconds,
    )


def _feeder(settings: RecognitionSettings, resources: Resources, index: FaceIndex) -> Feeder:
    limits = ReindexLimits(
        photos_at_once=index.photos_at_once,
        lease_seconds=settings.partition_lease_seconds,
        patience_seconds=settings.reconcile_after_seconds,
    )
    return Feeder(resources.database, engine=index.name, limits=limits)
