"""What operators are answered."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field, JsonValue

from services.gallery.web.schemas import Message


class DeadLetter(BaseModel):
    """A message that could not be handled."""

    id: int
    queue: str = Field(examples=["findme.match.00"])
    routing_key: str
    reason: str
    attempts: int
    died_at: datetime
    message_id: str


class DeadLetterDetails(DeadLetter):
    """The same with its message; one that is not JSON is text."""

    body: JsonValue


class ReplayedLetters(Message):
    """So many letters were published again."""

    replayed: int


class DroppedLetters(Message):
    """So many letters were forgotten."""

    dropped: int


class QueueFigures(BaseModel):
    """How far the photos of all events are."""

    total_enqueued: int
    total_processed: int
    total_failed: int
    current_queue_size: int
    workers_active: int
    total_jobs: int


class CacheFigures(BaseModel):
    """What a cache holds, and how often it knew the answer."""

    size: int
    hits: int
    misses: int
    hit_rate: str = Field(examples=["82.14%"])


class QueueStatistics(BaseModel):
    """What waits, and what is kept ready."""

    queue: QueueFigures
    cache: dict[str, CacheFigures]


class PhotoJob(BaseModel):
    """How far one uploaded photo is."""

    job_id: str
    event_id: int
    filename: str | None
    status: Literal["pending", "processing", "completed", "failed"]
    error: str | None
    attempts: int
    created_at: datetime


class ClearedCaches(Message):
    """What was forgotten."""

    cleared: list[str]


class CallCosts(BaseModel):
    """Calls of the paid face service, and what they cost."""

    calls: int
    cost: float


class EventCosts(CallCosts):
    """Those for one event, and how often each operation was called."""

    event_id: int
    operations: dict[str, int]


class UsageBill(CallCosts):
    """Calls and costs in all, per operation and per event."""

    currency: Literal["USD"]
    price_per_call: float
    operations: dict[str, CallCosts]
    events: list[EventCosts]


class WaitingWork(BaseModel):
    """What waits: so many, the oldest for so long."""

    kind: Literal[
        "photos_to_analyse", "photos_to_match", "selfies", "messages", "mails", "erasures"
    ]
    count: int
    oldest_seconds: float


class LettersOfQueue(BaseModel):
    """Dead letters of one queue."""

    queue: str = Field(examples=["findme.match.00"])
    letters: int
    oldest_at: datetime


class Partition(BaseModel):
    """Who matches the events of one partition."""

    partition: int
    owner: str | None
    epoch: int = Field(description="Raised at every change of owner.")
    lease_seconds: float | None = Field(description="Left of the lease; below 0 it is over.")
    changed_at: datetime


class Replica(BaseModel):
    """A process of recognition."""

    replica_id: str
    engine: str | None
    started_at: datetime
    silent_seconds: float


class Situation(BaseModel):
    """What an operator wants to know first: what is stuck, and since when."""

    at: datetime
    waiting: list[WaitingWork]
    mails_dead: int = Field(description="Mails that could not be sent.")
    dead_letters: list[LettersOfQueue]
    failed_photos: int = Field(description="Of events that are not over.")
    partitions: list[Partition]
    replicas: list[Replica]
    database_bytes: int
    grafana_url: str | None = Field(description="As GRAFANA_URL names it.")


class FailedPhoto(BaseModel):
    """A photo that could not be analysed."""

    id: int
    event_id: int
    event_name: str
    original_filename: str
    uploaded_at: datetime
    reason: str | None


class Colleague(BaseModel):
    """A photographer or an admin, and where they are logged in."""

    id: int
    username: str
    email: str | None
    user_type: Literal["photographer", "admin"]
    is_active: bool
    created_at: datetime
    events: int
    logins: int
    last_seen_at: datetime | None = Field(description="Within ten minutes; null if nowhere.")


class EndedLogins(Message):
    """So many logins have ended."""

    ended: int
