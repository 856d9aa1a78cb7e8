"""Whether a JPEG has its end, seen while its bytes go by."""

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"
SCAN, FILL = 0xDA, 0xFF
#: Markers without a length: TEM, RST0 to RST7, SOI.
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


class JpegEnd:
    """Looks for the end marker behind the picture's first scan (ITU T.81, B.1.1).

    Before that there may be thumbnails with ends of their own; within a scan no byte pair is one.
    """

    def __init__(self) -> None:
        self.is_seen = False
        #: Whether it is a JPEG as far as it can be followed.
        self.is_jpeg: bool | None = None
        self._rest = b""
        self._skip = 0
        self._is_in_scan = False

    @property
    def is_missing(self) -> bool:
        """Whether it is a JPEG whose end did not come."""
        return self.is_jpeg is True and not self.is_seen

    def feed(self, piece: bytes) -> None:
        """Look at the next bytes."""
        if self.is_seen or self.is_jpeg is False:
            return
        if not self._is_in_scan:
            piece = self._walk(piece)
        if self._is_in_scan:
            self.is_seen = EOI in self._rest + piece
            self._rest = piece[-1:] or self._rest

    def _walk(self, piece: bytes) -> bytes:
        """Go from segment to segment; return what comes behind the first scan's marker."""
        if self._skip >= len(piece):
            self._skip -= len(piece)
            return b""
        data = self._rest + piece[self._skip :]
        at, self._skip, self._rest = 0, 0, b""
        if self.is_jpeg is None:
            if len(data) < len(SOI):
                self._rest = data
                return b""
            self.is_jpeg = data.startswith(SOI)
        while self.is_jpeg and at + 4 <= len(data):
            marker = data[at + 1]
            if data[at] != FILL:
                self.is_jpeg = False
            elif marker == SCAN:
                self._is_in_scan = True
                return data[at + 2 :]
            elif marker == EOI[1]:
                self.is_seen = True
                return b""
            elif marker == FILL:
                at += 1
            elif marker in _BARE:
                at += 2
            else:
                at += 2 + int.from_bytes(data[at + 2 : at + 4])
        self._skip = max(at - len(data), 0)
        self._rest = data[at:]
        return b""
