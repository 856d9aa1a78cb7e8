"""The text that guests consent to, and what the caller consented to."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field

from libs.common.consent import TEXTS, VERSION, present_text
from libs.common.database.consents import consents_of, give_consent
from libs.common.web.auth import CurrentPrincipal
from libs.common.web.ids import QueryName
from libs.common.web.openapi import problems
from services.gallery.gallery import CurrentGallery
from services.gallery.web.requests import Text

router = APIRouter(prefix="/api", tags=["accounts"])


class ConsentAnswer(BaseModel):
    """The text to show before a selfie is sent, and the version to send with it."""

    version: str = Field(examples=[VERSION])
    language: str = Field(examples=["en"])
    text: str
    languages: list[str] = Field(examples=[["en", "fr"]])


class GivenConsent(BaseModel):
    """A consent, and to which text."""

    version: str = Field(examples=[VERSION])
    language: str = Field(examples=["en"])
    given_by: str = Field(examples=["selfie"])
    given_at: datetime


class MyConsent(BaseModel):
    """Whether the caller consented to the present text; if not, it is to be shown again."""

    version: str = Field(description="Of the present text.", examples=[VERSION])
    is_current: bool
    given: GivenConsent | None


class ConsentToGive(BaseModel):
    """Which text was shown."""

    version: Text
    language: Text | None = None


@router.get("/consent", operation_id="get_consent_text")
async def consent_text(
    language: QueryName | None = None, accept_language: Annotated[str | None, Header()] = None
) -> ConsentAnswer:
    """The present text, in the language asked for or the browser's, else in English."""
    found = present_text(language or accept_language)
    return ConsentAnswer(
        version=found.version, language=found.language, text=found.text, languages=sorted(TEXTS)
    )


@router.get("/me/consent", operation_id="get_my_consent")
async def my_consent(principal: CurrentPrincipal, gallery: CurrentGallery) -> MyConsent:
    """What the caller consented to last."""
    return await _state(principal.user_id, gallery)


@router.post("/me/consent", operation_id="give_my_consent", responses=problems(409))
async def consent(
    asked: ConsentToGive,
    principal: CurrentPrincipal,
    gallery: CurrentGallery,
    accept_language: Annotated[str | None, Header()] = None,
) -> MyConsent:
    """Consent to the present text; 409 where another version was shown."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await give_consent(
                unit.connection,
                principal.user_id,
                version=asked.version,
                language=asked.language or accept_language,
                given_by="asked",
            )
    return await _state(principal.user_id, gallery)


async def _state(user_id: int, gallery: CurrentGallery) -> MyConsent:
    async with gallery.database.read() as connection:
        found = await consents_of(connection, user_id)
    given = None
    if found:
        newest = found[0]
        given = GivenConsent(
            version=newest.version,
            language=newest.language,
            given_by=newest.given_by,
            given_at=newest.given_at,
        )
    is_current = given is not None and given.version == VERSION
    return MyConsent(version=VERSION, is_current=is_current, given=given)
