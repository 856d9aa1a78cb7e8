"""What guests consent to when they send a selfie: the text, in one place, and its version.

Whoever changes what the text means gives it a new version: it is then shown to everybody again.
"""

from dataclasses import dataclass

from libs.common.errors import Conflict

VERSION = "2026-11-28"
DEFAULT_LANGUAGE = "en"
TEXTS = {
    "en": (
        "I send a selfie so that FindMe finds the photos of this event that show me. For that, my"
        " face is measured, and the measurements are compared with the faces in the photos. They"
        " are biometric data: they are used for nothing else, given to nobody, and deleted with my"
        " selfie, my account or the event. I may delete my selfie at any time, which ends this"
        " consent; what was found until then stays lawful. I may ask for everything that is stored"
        " about me, and have it deleted. If the selfie shows somebody else, I have their consent."
    ),
    "fr": (
        "J'envoie un selfie pour que FindMe trouve les photos de cet événement où l'on me voit."
        " Pour cela, mon visage est mesuré et ces mesures sont comparées aux visages des photos. Ce"
        " sont des données biométriques : elles ne servent à rien d'autre, ne sont transmises à"
        " personne et sont effacées avec mon selfie, mon compte ou l'événement. Je peux effacer mon"
        " selfie à tout moment, ce qui met fin à ce consentement, sans rendre illicite ce qui a été"
        " trouvé jusque-là. Je peux obtenir tout ce qui est enregistré sur moi et le faire effacer."
        " Si le selfie montre quelqu'un d'autre, j'ai son consentement."
    ),
}


class ConsentOutdated(Conflict):
    """Somebody consents to a text that is not the present one."""

    def __init__(self, version: str) -> None:
        super().__init__(
            "The text that you consent to has changed. Read the present one (GET /api/consent),"
            f" and consent to its version, {VERSION}."
        )
        self.version = version


@dataclass(frozen=True, slots=True)
class ConsentText:
    """The text in one language."""

    version: str
    language: str
    text: str


def present_text(language: str | None) -> ConsentText:
    """Return the text that holds now, in the language or in English."""
    chosen = known_language(language)
    return ConsentText(VERSION, chosen, TEXTS[chosen])


def known_language(wanted: str | None) -> str:
    """Return the first language we have of an Accept-Language header, or of one tag."""
    for part in (wanted or "").split(","):
        language = part.partition(";")[0].strip().lower().partition("-")[0]
        if language in TEXTS:
            return language
    return DEFAULT_LANGUAGE


def require_present(version: str) -> None:
    """Raises ConsentOutdated."""
    if version.strip() != VERSION:
        raise ConsentOutdated(version)
