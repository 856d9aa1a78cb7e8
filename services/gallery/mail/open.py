"""The mail sender, as the settings say."""

from datetime import timedelta

from libs.common.database.database import Database
from services.gallery.mail.compose import Composer
from services.gallery.mail.sender import MailSender, SenderSettings
from services.gallery.mail.transport import (
    FolderTransport,
    MailServer,
    MailTransport,
    Security,
    SmtpTransport,
)
from services.gallery.mail.unsubscribe import Unsubscribing
from services.gallery.settings import GallerySettings


def mail_sender(settings: GallerySettings, database: Database) -> MailSender:
    """Return the sender; whoever makes it runs it."""
    return MailSender(
        database,
        mail_transport(settings),
        Composer(sender=settings.mail_from),
        Unsubscribing(settings.signing_keys),
        SenderSettings(settings.links_begin_with, keep=timedelta(days=settings.mail_keep_days)),
    )


def mail_transport(settings: GallerySettings) -> MailTransport | None:
    """Return where mails go: to the server that is named, else the folder; None for neither."""
    if settings.mail_host:
        password = settings.mail_password
        return SmtpTransport(
            MailServer(
                host=settings.mail_host,
                port=settings.mail_port,
                security=Security(settings.mail_security),
                username=settings.mail_username,
                password=password.get_secret_value() if password else None,
                timeout_seconds=settings.mail_timeout_seconds,
            )
        )
    if settings.mail_dir:
        keep = timedelta(days=settings.mail_keep_days)
        return FolderTransport(settings.mail_dir, keep_seconds=keep.total_seconds())
    return None
