"""How far the processing of photos is, told from their rows."""

from libs.common.database.database import Database
from libs.common.errors import NotFound
from services.gallery.photos import repository as photos
from services.gallery.web.answers import View

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


async def processing_queue(*, database: Database) -> View:
    """Return how far the photos of all events are."""
    async with database.read() as connection:
        counts = await photos.count_by_status(connection)
        in_hand = await photos.count_in_hand(connection)
    total = sum(counts.values())
    return {
        "total_enqueued": total,
        "total_processed": counts.get("done", 0),
        "total_failed": counts.get("failed", 0),
        "current_queue_size": counts.get("queued", 0) + counts.get("analyzed", 0),
        # A worker has one photo at a time.
        "workers_active": in_hand,
        "total_jobs": total,
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
