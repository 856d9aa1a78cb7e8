"""How far the processing of photos is, told from their rows."""

from libs.common.database.database import Database
from libs.common.errors import NotFound
from services.gallery.events import repository as events
from services.gallery.gallery import Gallery
from services.gallery.lists.cache import CacheFigures
from services.gallery.photos import repository as photos
from services.gallery.web.views import View

#: The API's words for a photo's processing status.
JOB_STATUS = {
    "queued": "pending",
    "analyzed": "processing",
    "done": "completed",
    "failed": "failed",
}


def progress(counts: dict[str, int]) -> View:
    """Return how many photos there are in all and in each status."""
    return {
        "total": sum(counts.values()),
        **{status: counts.get(status, 0) for status in JOB_STATUS},
    }


async def queue_stats(*, gallery: Gallery) -> View:
    """Return the queue of all events, and what this process's cache did."""
    async with gallery.database.read() as connection:
        counts = await events.count_photos_by_status(connection)
    total = sum(counts.values())
    return {
        "queue": {
            "total_enqueued": total,
            "total_processed": counts.get("done", 0),
            "total_failed": counts.get("failed", 0),
            "current_queue_size": counts.get("queued", 0) + counts.get("analyzed", 0),
            # Recognition's replicas come and go by themselves; nobody here counts them.
            "workers_active": None,
            "total_jobs": total,
        },
        "cache": {"photo_lists": _cache_view(gallery.cache.figures())},
    }


async def photo_job(job_id: str, *, database: Database) -> View:
    """Return how far one upload is. Raises NotFound."""
    async with database.read() as connection:
        job = await photos.find_job(connection, job_id)
    if job is None:
        raise NotFound("Job", job_id)
    return {
        "job_id": job_id,
        "event_id": job.event_id,
        "filename": job.original_filename,
        "status": JOB_STATUS[job.processing_status],
        "error": job.processing_error,
        "attempts": 0 if job.processing_status == "queued" else 1,
        "created_at": job.uploaded_at,
    }


def _cache_view(figures: CacheFigures) -> View:
    asked = figures.hits + figures.misses
    rate = 100 * figures.hits / asked if asked else 0.0
    return {
        "size": figures.entries,
        "hits": figures.hits,
        "misses": figures.misses,
        "hit_rate": f"{rate:.2f}%",
    }
