"""A guest registers and sends a selfie in one step: both are there afterwards, or neither is."""

from libs.common.database.database import Database
from libs.common.registrations import RegisteredGuest, RegistrationRequest
from libs.common.storage.protocol import ObjectStore
from services.ingest.registrations.accounts_client import Accounts
from services.ingest.selfies.receive_selfie import FaceCheck, judge_selfie
from services.ingest.selfies.store_selfie import ShownConsent, store_selfie
from services.ingest.turns import SelfieTurns

FIELDS = ("username", "email", "password", "event_code")


async def register_guest(
    asked: RegistrationRequest,
    content: bytes,
    source: str,
    *,
    turns: SelfieTurns,
    max_pixels: int,
    accounts: Accounts,
    face_check: FaceCheck,
    store: ObjectStore,
    database: Database,
) -> RegisteredGuest:
    """Return the new account, whose selfie is kept and being matched.

    Nothing is made before both have been judged. What then fails takes the account back. Raises
    InvalidInput, NotFound for the code, TooManyRequests, Unavailable.
    """
    # Before the selfie: a code that is guessed costs nobody a look at a picture.
    await accounts.check(asked)
    async with turns.checked_of_strangers.turn(source):
        selfie = await judge_selfie(content, max_pixels=max_pixels, face_check=face_check)
    guest = await accounts.make(asked)
    async with accounts.withdrawn_on_failure(guest.id):
        await store_selfie(
            selfie,
            guest.id,
            replaces=True,
            consent=ShownConsent(),
            store=store,
            database=database,
        )
    return guest.model_copy(update={"selfie_path": f"/api/selfie/{guest.id}"})
