"""What the pages of links say, in each language."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Page(StrEnum):
    """The pages."""

    PASSWORD_RESET = "password-reset"  # noqa: S105 - a page, no password
    LINK = "link"
    UNSUBSCRIBE = "unsubscribe"
    UNSUBSCRIBED = "unsubscribed"
    NOT_OURS = "not-ours"


@dataclass(frozen=True, slots=True)
class Texts:
    """One page's words."""

    title: str
    text: str
    button: str = ""
    password: str = ""
    hint: str = ""
    missing: str = ""
    failed: str = ""


TEXTS: Final[dict[str, dict[Page, Texts]]] = {
    "en": {
        Page.PASSWORD_RESET: Texts(
            title="Choose a new password",
            text="All your devices are logged out with it.",
            button="Save the password",
            password="New password",  # noqa: S106 - a label
            hint="At least 8 characters, with an upper-case letter, a digit and a special one.",
            missing="This link is not complete. Copy all of it from the mail.",
            failed="That did not work. Try again in a moment.",
        ),
        Page.LINK: Texts(
            title="Open your photos",
            text="This opens your account on this device.",
            button="Open my photos",
            missing="This link is not complete. Copy all of it from the mail.",
            failed="That did not work. Try again in a moment.",
        ),
        Page.UNSUBSCRIBE: Texts(
            title="No more mails",
            text="You will not be told of new photos any more. Mails that you ask for still come.",
            button="Unsubscribe",
        ),
        Page.UNSUBSCRIBED: Texts(
            title="No more mails", text="Done. You will not be told of new photos any more."
        ),
        Page.NOT_OURS: Texts(
            title="No more mails", text="This link is not complete. Copy all of it from the mail."
        ),
    },
    "fr": {
        Page.PASSWORD_RESET: Texts(
            title="Choisissez un nouveau mot de passe",
            text="Tous vos appareils seront déconnectés.",
            button="Enregistrer le mot de passe",
            password="Nouveau mot de passe",  # noqa: S106 - a label
            hint="Au moins 8 caractères, dont une majuscule, un chiffre et un caractère spécial.",
            missing="Ce lien est incomplet. Copiez-le en entier depuis le message.",
            failed="Cela n’a pas fonctionné. Réessayez dans un instant.",
        ),
        Page.LINK: Texts(
            title="Ouvrez vos photos",
            text="Votre compte s’ouvrira sur cet appareil.",
            button="Ouvrir mes photos",
            missing="Ce lien est incomplet. Copiez-le en entier depuis le message.",
            failed="Cela n’a pas fonctionné. Réessayez dans un instant.",
        ),
        Page.UNSUBSCRIBE: Texts(
            title="Ne plus recevoir de messages",
            text="Vous ne serez plus informé des nouvelles photos. Les messages que vous demandez"
            " arriveront toujours.",
            button="Se désabonner",
        ),
        Page.UNSUBSCRIBED: Texts(
            title="Ne plus recevoir de messages",
            text="C’est fait. Vous ne serez plus informé des nouvelles photos.",
        ),
        Page.NOT_OURS: Texts(
            title="Ne plus recevoir de messages",
            text="Ce lien est incomplet. Copiez-le en entier depuis le message.",
        ),
    },
}
