"""What a form's part says of itself: its field, and its file's name as clients of all ages send it.

RFC 7578 and 6266, the HTML standard's escapes of names in forms, RFC 8187 (`filename*`), and RFC
2047's encoded words, which mail libraries send.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

#: A parameter: its name, and its value in quotation marks or without. Of an escape only those two
#: are ones: `C:\\photos\\a.jpg` comes with its backslashes from some.
_PARAMETER = re.compile(
    rb';[ \t]*([^=;"\s]+)[ \t]*=[ \t]*(?:"((?:\\["\\]|[^"])*+)(?:"|$)[^;]*|([^;]*))'
)
_ESCAPED = re.compile(rb'\\(["\\])')
#: All that browsers escape in a name, and as they do; they leave `%` alone.
_BROWSERS = {b"%22": b'"', b"%0D": b"\r", b"%0A": b"\n"}
_BROWSERS_ESCAPE = re.compile(b"|".join(_BROWSERS))
_EXTENDED = re.compile(rb"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)
_ENCODED_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([bq])\?([^?\s]*)\?=", re.IGNORECASE)
#: White space between two words only parts them.
_BETWEEN_WORDS = re.compile(rb"\?=\s+=\?")


@dataclass(frozen=True, slots=True)
class Disposition:
    """A part's field, and the name of its file.

    The name is UTF-8 where its client says so, else bytes as they were sent; None for a plain field
    and b"" for a file input that was left empty.
    """

    name: str
    filename: bytes | None


def parse_disposition(value: bytes) -> Disposition | None:
    """Read a part's Content-Disposition; None where it is none of a form's part."""
    kind, _, _ = value.partition(b";")
    if kind.strip().lower() != b"form-data":
        return None
    found: dict[bytes, bytes] = {}
    for key, quoted, token in _PARAMETER.findall(value):
        # The first one counts, as with browsers.
        found.setdefault(key.lower(), _ESCAPED.sub(rb"\1", quoted) or token.strip())
    name = found.get(b"name")
    if name is None:
        return None
    return Disposition(_unescaped(name).decode("utf-8", "replace"), _filename(found))


def _filename(found: dict[bytes, bytes]) -> bytes | None:
    extended = _EXTENDED.fullmatch(found.get(b"filename*", b""))
    if extended is not None:
        charset, encoded = extended.groups()
        try:
            return unquote_to_bytes(encoded).decode(charset.decode()).encode()
        except UnicodeDecodeError:
            pass  # as if it were not there
    plain = found.get(b"filename")
    if plain is None:
        # Its sender means a file, whatever it is called.
        return found.get(b"filename*")
    return _words(_unescaped(plain))


def _unescaped(value: bytes) -> bytes:
    return _BROWSERS_ESCAPE.sub(lambda found: _BROWSERS[found[0]], value)


def _words(name: bytes) -> bytes:
    """Decode RFC 2047's words in a name; one that has a word that is none stays as it is."""
    try:
        return _ENCODED_WORD.sub(_word, _BETWEEN_WORDS.sub(b"?==?", name))
    except (UnicodeDecodeError, LookupError, ValueError):
        return name


def _word(found: re.Match[bytes]) -> bytes:
    charset, coding, text = found.groups()
    if coding.lower() == b"b":
        content = base64.b64decode(text, validate=True)
    else:
        content = binascii.a2b_qp(text, header=True)
    return content.decode(charset.decode()).encode()
