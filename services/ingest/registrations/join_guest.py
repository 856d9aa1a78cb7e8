"""A guest joins without a password and sends a selfie in one step: they are in with it, or not."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from libs.common.database.database import Database
from libs.common.limits.budgets import SELFIE_CHECKS, SELFIES, SELFIES_A_DAY, Count
from libs.common.limits.fair_queue import FairQueue
from libs.common.registrations import Joined, JoinRequest
from libs.common.storage.protocol import ObjectStore
from libs.common.web.auth import Principal, require_guest
from services.ingest.registrations.accounts_client import Accounts
from services.ingest.selfies.receive_selfie import FaceCheck, judge_selfie
from services.ingest.selfies.store_selfie import ShownConsent, store_selfie
from services.ingest.turns import SelfieTurns

FIELDS = ("event_code", "name", "consent_version")
OPTIONAL_FIELDS = ("language", "email")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends the form, by what they are counted, and where they stand in line."""

    principal: Principal | None
    source: str
    limits: tuple[Count, ...]
    arriving: FairQueue
    checked: FairQueue
    face_check: FaceCheck

    @classmethod
    def of(
        cls,
        principal: Principal | None,
        address: str,
        *,
        turns: SelfieTurns,
        face_check: FaceCheck,
        anonymous_face_check: FaceCheck,
    ) -> "Sender":
        """Return a guest with a session as who uploads a selfie, others as who registers."""
        if principal is None:
            return cls(
                principal=None,
                source=address,
                limits=(SELFIE_CHECKS.of(address),),
                arriving=turns.arriving_of_strangers,
                checked=turns.checked_of_strangers,
                face_check=anonymous_face_check,
            )
        me = principal.user_id
        return cls(
            principal=principal,
            source=f"account {me}",
            limits=(SELFIES.of(me), SELFIES_A_DAY.of(me)),
            arriving=turns.arriving_of_guests,
            checked=turns.checked_of_guests,
            face_check=face_check,
        )


async def join_with_selfie(
    asked: JoinRequest,
    content: bytes,
    sender: Sender,
    *,
    max_pixels: int,
    accounts: Accounts,
    store: ObjectStore,
    database: Database,
) -> Joined:
    """Return the guest, whose selfie is kept, with their consent, and being matched.

    Nothing is made before both have been judged. What then fails takes a new account back; one that
    was there before stays in the event, and its earlier selfies with it. Raises NotAllowed for who
    is no guest, InvalidInput, NotFound for the code, Gone, Conflict for an outdated consent,
    TooManyRequests, Unavailable.
    """
    if sender.principal is not None:
        require_guest(sender.principal.role)
    # Before the selfie: a code that is guessed costs nobody a look at a picture.
    await accounts.check_join(asked)
    async with sender.checked.turn(sender.source):
        selfie = await judge_selfie(content, max_pixels=max_pixels, face_check=sender.face_check)
    joined = await accounts.join(asked)
    user = joined.answer.user
    async with AsyncExitStack() as stack:
        if sender.principal is None:
            await stack.enter_async_context(accounts.withdrawn_on_failure(user.id))
        await store_selfie(
            selfie,
            user.id,
            replaces=True,
            consent=ShownConsent(asked.consent_version, asked.language or asked.accept_language),
            store=store,
            database=database,
        )
    user = user.model_copy(update={"selfie_path": f"/api/selfie/{user.id}"})
    return joined.model_copy(update={"answer": joined.answer.model_copy(update={"user": user})})
