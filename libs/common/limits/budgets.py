"""How much of what may be done in what time: the one table of it.

A venue's Wi-Fi is one address for all of its guests. So what succeeds is counted by account or by
event code, and of an address above all what fails: wrong passwords, codes that no event has. Every
amount is multiplied by the setting `LIMITS_SCALE`.
"""

from dataclasses import dataclass
from typing import Final

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Budget:
    """An amount in any stretch of time of this length (a sliding window), for each key."""

    #: In metrics and keys.
    name: str
    amount: int
    seconds: int
    #: What the caller is told besides the time to wait.
    refusal: str
    #: Of guesses with one key, those that are looked at together: as many may pass the limit.
    at_once: int = 8
    #: Whether who has succeeded there before goes on when others have used it up: one guest at a
    #: venue must not be able to shut out all who share its address.
    spares_familiar: bool = False
    #: Whether all replicas count together, in the database, or each by itself.
    is_shared: bool = True

    def of(self, *key: object) -> "Count":
        """Return this budget's count for somebody: an account, an address, a code."""
        return Count(self, ":".join(str(part) for part in key))


@dataclass(frozen=True, slots=True)
class Count:
    """One budget as one key has it."""

    budget: Budget
    key: str


_PASSWORDS = "Too many wrong passwords. Wait before you try again, or reset your password."
_CODES = "Too many event codes that do not exist were tried from here. Wait before you try again."
_SELFIES = "Too many selfies were sent. Wait before you send another one."

#: Wrong passwords for one account from one address. From elsewhere its owner still gets in, so
#: that nobody can lock a guest out. One at a time: a hundred at once are ten, too.
WRONG_PASSWORDS: Final = Budget("wrong_passwords", 10, 15 * MINUTE, _PASSWORDS, at_once=1)
#: The same over a day, so that patience does not pay.
WRONG_PASSWORDS_A_DAY: Final = Budget("wrong_passwords_a_day", 50, DAY, _PASSWORDS, at_once=1)
#: The same from all addresses together: who has many of them would have as many times ten. The
#: account's owner gets in from where they did before, or resets the password.
WRONG_PASSWORDS_OF_ACCOUNT: Final = Budget(
    "wrong_passwords_of_account", 100, HOUR, _PASSWORDS, spares_familiar=True
)
#: Wrong passwords from one address for whatever accounts: one password tried on all of them. At a
#: venue everyone may mistype theirs once.
WRONG_LOGINS_OF_ADDRESS: Final = Budget(
    "wrong_logins_of_address", 300, 15 * MINUTE, _PASSWORDS, spares_familiar=True
)
#: Codes that no event has, wherever one is asked for. Of 8 characters 41 bits are to be guessed.
WRONG_CODES: Final = Budget("wrong_codes", 100, 10 * MINUTE, _CODES, spares_familiar=True)
#: Accounts made with one event's code from one address: doors open for 1,000 guests, each asked for
#: before they send a selfie and again with it. Not of all addresses together: anybody with the code
#: could shut out everybody else.
JOINS: Final = Budget(
    "joins",
    2000,
    10 * MINUTE,
    "Too many people join this event at this moment. Try again in a little while.",
)
#: Whether names and addresses are in use: what is answered.
AVAILABILITY: Final = Budget(
    "availability",
    3000,
    10 * MINUTE,
    "Too many names were asked for from here. Wait before you ask again.",
    is_shared=False,
)
#: The same where the answer was that somebody has an account: that is what a prober looks for.
TAKEN_NAMES: Final = Budget("taken_names", 200, 10 * MINUTE, AVAILABILITY.refusal)
#: Mails that somebody asks for to one address (links, new passwords), who may be anybody.
MAILS_TO_ADDRESSEE: Final = Budget(
    "mails_to_addressee",
    5,
    HOUR,
    "Too many mails were asked for. Look into your mailbox, or wait before you ask again.",
)
#: The same from one network address.
MAILS_OF_ADDRESS: Final = Budget("mails_of_address", 300, HOUR, MAILS_TO_ADDRESSEE.refusal)
#: Links and tokens of mails that were never given to anybody.
WRONG_LINKS: Final = Budget(
    "wrong_links", 50, 10 * MINUTE, "Too many links that are not valid. Wait before you try again."
)
#: Selfies of one account. Each is checked and, with a paid face engine, each costs.
SELFIES: Final = Budget("selfies", 10, 10 * MINUTE, _SELFIES)
SELFIES_A_DAY: Final = Budget("selfies_a_day", 40, DAY, _SELFIES)
#: Checks before there is an account, by one address: all of a venue's.
SELFIE_CHECKS: Final = Budget("selfie_checks", 900, 10 * MINUTE, _SELFIES)
#: Archives of everything about one account: each reads all of its rows and selfies.
EXPORTS: Final = Budget(
    "exports", 10, HOUR, "Everything about you was asked for often just now. Wait a little while."
)
#: Links to photos that one account takes along: each looks up to 100,000 photos up.
DOWNLOADS: Final = Budget(
    "downloads", 100, HOUR, "Photos were asked for often just now. Wait a little while."
)
#: Looks at one wall from one address: each screen looks every few seconds, and a venue has several.
WALL_LOOKS: Final = Budget(
    "wall_looks",
    3000,
    10 * MINUTE,
    "This wall is shown on too many screens here. Close some of them.",
    is_shared=False,
)
#: Logins by an OpenID provider from one address: each asks the provider.
PROVIDER_LOGINS: Final = Budget(
    "provider_logins",
    100,
    10 * MINUTE,
    "Too many logins from here. Wait before you try again.",
    is_shared=False,
)

BUDGETS: Final = (
    WRONG_PASSWORDS,
    WRONG_PASSWORDS_A_DAY,
    WRONG_PASSWORDS_OF_ACCOUNT,
    WRONG_LOGINS_OF_ADDRESS,
    WRONG_CODES,
    JOINS,
    AVAILABILITY,
    TAKEN_NAMES,
    MAILS_TO_ADDRESSEE,
    MAILS_OF_ADDRESS,
    WRONG_LINKS,
    SELFIES,
    SELFIES_A_DAY,
    SELFIE_CHECKS,
    EXPORTS,
    DOWNLOADS,
    WALL_LOOKS,
    PROVIDER_LOGINS,
)
#: No limit, but a memory: who has logged in from which address, and which event's code was used
#: there. See `Budget.spares_familiar`.
FAMILIAR: Final = Budget("familiar", 1_000_000, 30 * DAY, "")
