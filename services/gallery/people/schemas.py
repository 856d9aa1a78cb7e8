"""What is answered of the people in an event's photos."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from services.gallery.web.schemas import FaceBox, Message


class PersonFace(BaseModel):
    """Where a person is in a photo."""

    photo_id: int
    box: FaceBox


class PersonCover(PersonFace):
    """The photo that shows a person best."""

    width: int | None
    height: int | None
    url: str
    thumbnail_url: str
    preview_url: str
    placeholder: str | None


class Person(BaseModel):
    """Somebody without a selfie; `photos` are some of theirs."""

    id: int
    photo_count: int
    face_count: int
    cover: PersonCover
    photos: list[PersonFace]
    added_user_ids: list[int] = Field(description="Guests whom all of these photos are shown to.")


class EventPeople(BaseModel):
    """A page of people, those in most photos first."""

    event_id: int
    people: list[Person]
    faces_considered: int
    faces_in_all: int
    computed_at: datetime


class NamedPerson(Message):
    """To how many of the person's photos a guest was added."""

    user_id: int
    added: int
    added_before: int
    denied_by_guest: int


class ScoredPhoto(BaseModel):
    """A photo, and how much its best face is like the guest, 0 to 100."""

    photo_id: int
    score: float = Field(examples=[93.7])


class FaceGroup(BaseModel):
    """The photos in which a guest was found; `count` and `best_score` are about all of them."""

    count: int
    photos: list[ScoredPhoto]
    best_score: float


class CapitalBox(BaseModel):
    """A face's place as fractions, in the words of Amazon Rekognition."""

    model_config = ConfigDict(
        alias_generator=str.capitalize, title="CapitalBox", validate_by_name=True
    )

    left: float
    top: float
    width: float
    height: float


class FaceSample(ScoredPhoto):
    """A photo of a guest, for a look."""

    url: str
    thumbnail_url: str
    box: CapitalBox | None


class FaceGroups(BaseModel):
    """The guests' photos, by user id."""

    event_id: int
    event_name: str
    groups: dict[str, FaceGroup]
    samples: dict[str, list[FaceSample]]


class FoundFace(BaseModel):
    """A guest's best face in a photo."""

    photo_id: int
    similarity: float = Field(examples=[93.7], description="0 to 100.")
    box: CapitalBox | None


class GuestFaces(BaseModel):
    """A guest's best face in each photo, the most alike first."""

    event_id: int
    user_id: int
    count: int
    results: list[FoundFace]
