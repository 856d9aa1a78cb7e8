"""The QR code that brings guests to an event; apart, as the operators' image has no segno."""

import io
from urllib.parse import quote

import segno

#: Pixels per module: about 400 in all, sharp on a phone and at 4 cm on paper.
SCALE = 10
#: Modules of white around it, as ISO/IEC 18004 asks.
BORDER = 4


def invite_url(template: str, code: str, *, base_url: str) -> str:
    """Return the address for an event's code; one without a host is below `base_url`."""
    url = template.replace("{code}", quote(code, safe=""))
    return base_url.rstrip("/") + url if url.startswith("/") else url


def qr_png(text: str) -> bytes:
    """Return the text as a QR code that is read with 15 % of it covered."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=SCALE, border=BORDER)
    return out.getvalue()
