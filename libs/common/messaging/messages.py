"""The messages between services: versioned, self-describing, small (ids, never binaries)."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from libs.common.messaging.bus.protocol import OutgoingMessage
from libs.common.messaging.bus.topology import bucket_of, bulk_bucket_of

#: PostgreSQL's largest BIGINT.
MAX_ID = 2**63 - 1
#: An id that a row may have. A message that names another one is about nothing, and says so
#: when it is decoded, not when the database refuses the number and all that goes with it.
Id = Annotated[int, Field(ge=0, le=MAX_ID)]


class Message(BaseModel):
    """Base of all messages; `event_id` decides the bucket, `topic` the rest of the routing key.

    A reader ignores fields it does not know, so a new optional field needs no new version.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", validate_by_name=True)

    topic: ClassVar[str]
    #: Somebody must receive it; False for notifications that nobody may be waiting for.
    mandatory: ClassVar[bool] = True

    version: Literal[1] = 1
    event_id: Id

    @property
    def routing_key(self) -> str:
        """`topic.NN`, NN being the event's bucket."""
        return f"{self.topic}.{bucket_of(self.event_id):02d}"

    def outgoing(
        self, message_id: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> OutgoingMessage:
        """Encode for the bus; `message_id` defaults to a fresh UUID."""
        return OutgoingMessage(
            routing_key=self.routing_key,
            body=self.model_dump_json(by_alias=True).encode(),
            message_id=message_id or str(uuid.uuid4()),
            mandatory=self.mandatory,
            headers=headers or {},
        )

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Parse a body; raises pydantic's ValidationError when it is not this message."""
        return cls.model_validate_json(body)


class PhotoUploaded(Message):
    """A photo is stored and waits for analysis."""

    topic: ClassVar[str] = "photo.uploaded"
    photo_id: Id
    #: Every guest of the event sees it from the start.
    seen_by_all: bool = False
    #: The engine that is to analyse it although another one has; None for a new photo.
    reindex_for: str | None = None
    #: It is not among the first that its event has waiting: other events' first ones pass it.
    in_bulk: bool = False

    @property
    def routing_key(self) -> str:
        """See `Message.routing_key`; photos in bulk go by numbers of their own, 16 to 31."""
        bucket_for = bulk_bucket_of if self.in_bulk else bucket_of
        return f"{self.topic}.{bucket_for(self.event_id):02d}"


class PhotoAnalyzed(Message):
    """A photo's faces are committed; they wait for matching."""

    topic: ClassVar[str] = "photo.analyzed"
    photo_id: Id


class PhotoMatched(Message):
    """A photo was matched against the event's selfies; `user_ids` are those it shows."""

    topic: ClassVar[str] = "photo.matched"
    mandatory: ClassVar[bool] = False
    photo_id: Id
    user_ids: tuple[Id, ...]
    #: False for a photo that guests knew before; `user_ids` are then also those it showed.
    #: The name on the wire is an older one, which the other replicas of an upgrade know.
    is_first_match: bool = Field(default=True, alias="is_news")


class MatchChanged(Message):
    """People or a new threshold changed who is in a photo; `None` stands for all of the event."""

    topic: ClassVar[str] = "match.changed"
    mandatory: ClassVar[bool] = False
    photo_id: Id | None = None
    user_ids: tuple[Id, ...] | None = None


class PhotoFailed(Message):
    """A photo cannot be analysed; `reason` is for the photographer."""

    topic: ClassVar[str] = "photo.failed"
    mandatory: ClassVar[bool] = False
    photo_id: Id
    reason: str


class PhotoVisibilityChanged(Message):
    """A photographer shows or hides a photo: it comes into general lists, or goes from them.

    Only those lists are read anew. What a photo's own lists show of it, too, needs a message of
    its own. The topic is an older name.
    """

    topic: ClassVar[str] = "photo.changed"
    mandatory: ClassVar[bool] = False
    photo_id: Id
    #: Every guest of the event saw it before, or sees it now.
    seen_by_all: bool = False


class PhotoDeleted(Message):
    """A photo's row is gone; its objects and external faces go next."""

    topic: ClassVar[str] = "photo.deleted"
    photo_id: Id
    filename: str
    #: Every guest of the event saw it.
    seen_by_all: bool = False
    #: The guests who were in it.
    user_ids: tuple[Id, ...] = ()


class SelfieUploaded(Message):
    """A guest's selfie waits to be indexed and matched in one event."""

    topic: ClassVar[str] = "selfie.uploaded"
    user_id: Id
    selfie_id: Id


class SelfieUnindexed(Message):
    """Of a selfie nothing is known that its event can find it by: its face is to be looked for.

    That takes long, and what else is matched in the event does not wait for it.
    """

    topic: ClassVar[str] = "selfie.unindexed"
    user_id: Id
    selfie_id: Id


class SelfieMatched(Message):
    """A selfie was matched against all faces the event has."""

    topic: ClassVar[str] = "selfie.matched"
    mandatory: ClassVar[bool] = False
    user_id: Id
    selfie_id: Id
    matched: int


class SelfieDeleted(Message):
    """A selfie's row is gone, and with it its embeddings and matches."""

    topic: ClassVar[str] = "selfie.deleted"
    #: Stands for the event of a selfie that no event knows: its object must go all the same.
    no_event_id: ClassVar[int] = 0
    user_id: Id
    selfie_id: Id
    object_key: str

    @classmethod
    def for_events(
        cls, event_ids: Iterable[int], *, user_id: int, selfie_id: int, object_key: str
    ) -> list[Self]:
        """One message for each event that knows the selfie, and at least one."""
        return [
            cls(event_id=event_id, user_id=user_id, selfie_id=selfie_id, object_key=object_key)
            for event_id in sorted(set(event_ids) or {cls.no_event_id})
        ]


class EventChanged(Message):
    """An event's name, date, code or photographer changed."""

    topic: ClassVar[str] = "event.changed"
    mandatory: ClassVar[bool] = False

    #: Whom it was given to, if it was: others run it no more.
    photographer_id: Id | None = None


class EventDeleted(Message):
    """An event is gone, or erased after its end, with everything that hung on it.

    Its objects go next.
    """

    topic: ClassVar[str] = "event.deleted"


class AccountDeleted(Message):
    """An account is gone, and everything that hung on it; its objects go next.

    `event_id` is one of the events that knew it, so that each hears of it.
    """

    topic: ClassVar[str] = "account.deleted"
    #: Stands for the event of an account that is in none.
    no_event_id: ClassVar[int] = 0
    user_id: Id

    @classmethod
    def for_events(cls, event_ids: Iterable[int], *, user_id: int) -> list[Self]:
        """One message for each event that knew the account, and at least one."""
        return [
            cls(event_id=event_id, user_id=user_id)
            for event_id in sorted(set(event_ids) or {cls.no_event_id})
        ]


class AccountChanged(Message):
    """Logins of an account have ended: nobody may act by them from here on.

    `ended_sessions` are those; `None` stands for all of the account.
    """

    topic: ClassVar[str] = "account.changed"
    mandatory: ClassVar[bool] = False
    #: Accounts are in many events: the message is about none of them.
    event_id: Id = 0
    user_id: Id
    ended_sessions: tuple[uuid.UUID, ...] | None = None


class RematchRequested(Message):
    """Match all selfies of the event again."""

    topic: ClassVar[str] = "rematch.requested"
