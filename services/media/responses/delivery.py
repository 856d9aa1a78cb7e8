"""Who sends the bytes of an object once it is decided that they may be seen: one setting.

`stream`: this process. `accel`: the gateway, to which an answer without a body says where the
object lies (nginx's X-Accel-Redirect). `redirect`: S3, to which a signed address leads the client.

Only a stored object as it is can be handed over: what is put together while it is sent, as the
copies that guests get of a photo, is sent from here, whatever the setting.
"""

from enum import StrEnum
from typing import Final
from urllib.parse import quote

from starlette.responses import Response
from starlette.status import HTTP_206_PARTIAL_CONTENT, HTTP_302_FOUND
from starlette.types import Scope

from libs.common.storage.protocol import AnswerHeaders, ObjectStore
from libs.common.storage.stored_file import StoredFile
from libs.common.web.answer_headers import Header
from libs.common.web.at_once import ReadyAnswer
from services.media.responses import headers
from services.media.responses.byte_range import Answer, choose
from services.media.responses.downloads import Downloads
from services.media.responses.headers import Headers, Keeping
from services.media.responses.object_response import (
    ObjectResponse,
    conditions,
    ready_file,
    wants_body,
)
from services.media.responses.sources import LoadedObject, Source, StoredObject

#: An address that S3 answers is good for so long: a page's time to load, on a slow phone.
SIGNED_SECONDS: Final = 15 * 60
#: So long before its end a browser asks for another one.
MARGIN_SECONDS: Final = 60
#: Where the gateway has the store's folder, and how it gets what lies in S3.
FOLDER_LOCATION: Final = "/objects/"
S3_LOCATION: Final = "/objects-in-s3"
#: For how long nginx may go by what it was answered to a HEAD, and send the file itself.
DECISION_HEADER: Final = b"x-accel-expires"
#: Fulfilled by what media says of the object, and never by what nginx knows of a file.
JUDGED_BY_NGINX: Final = frozenset({b"if-match", b"if-unmodified-since"})


class DeliveryMode(StrEnum):
    """The values of MEDIA_DELIVERY."""

    STREAM = "stream"
    ACCEL = "accel"
    REDIRECT = "redirect"


class Delivery:
    """Makes the answers that send objects, or have them sent."""

    def __init__(self, mode: DeliveryMode, store: ObjectStore, downloads: Downloads) -> None:
        self._mode = mode
        self._store = store
        self._downloads = downloads

    async def find_small(self, scope: Scope, key: str) -> tuple[Source, StoredFile | None]:
        """Return the object at the key, with its file open, or its bytes, where that is for free.

        Raises ObjectNotFound.
        """
        file = self._store.open_file(key)
        if file is not None:
            return StoredObject(self._store, file.info), file
        if self._mode is DeliveryMode.STREAM and wants_body(scope):
            return LoadedObject(*await self._store.get_object(key)), None
        return StoredObject(self._store, await self._store.stat(key)), None

    def at_once(
        self, scope: Scope, key: str, *, content_type: str, keeping: Keeping
    ) -> ReadyAnswer | None:
        """Return what `answer` does of a small object, where this process has it at hand.

        Raises ObjectNotFound, StoreUnavailable.
        """
        if self._mode is not DeliveryMode.STREAM and not self._decides(scope):
            return None
        file = self._store.open_file(key)
        if file is None:
            return None
        with file:
            answer = ready_file(
                scope, file, content_type=content_type, cache_control=keeping.cache_control
            )
        if answer is None or not self._decides(scope):
            return answer
        return answer._replace(own=[*answer.own, _decision(keeping)])

    async def answer(
        self,
        scope: Scope,
        source: Source,
        *,
        content_type: str,
        keeping: Keeping,
        filename: str | None = None,
        file: StoredFile | None = None,
    ) -> Response:
        """Return the answer that sends the object; a `file` of it that is open is closed."""
        if self._mode is not DeliveryMode.STREAM:
            handed = await self._by_another(scope, source, content_type, keeping, filename)
            if handed is not None:
                if file is not None:
                    file.close()
                return handed
        answer = ObjectResponse(
            scope,
            source=source,
            downloads=self._downloads,
            content_type=content_type,
            cache_control=keeping.cache_control,
            filename=filename,
            file=file,
        )
        if self._decides(scope):
            answer.raw_headers.append(_decision(keeping))
        return answer

    def _decides(self, scope: Scope) -> bool:
        """Whether the gateway goes by what is answered, and sends the object itself."""
        return self._mode is DeliveryMode.ACCEL and scope["method"] == "HEAD"

    async def _by_another(
        self,
        scope: Scope,
        source: Source,
        content_type: str,
        keeping: Keeping,
        filename: str | None,
    ) -> Response | None:
        """Return the answer by which another one sends the object; None where none can."""
        wanted = _wanted(scope, source)
        is_known = scope["method"] != "GET" or wanted.length == 0
        if is_known or not isinstance(source, StoredObject):
            return None
        key = source.info.key
        seconds = max(1, int(min(keeping.seconds or SIGNED_SECONDS, SIGNED_SECONDS)))
        url = await self._store.presigned_url(
            key,
            valid_seconds=seconds,
            headers=AnswerHeaders(
                content_type=headers.safe_type(content_type),
                content_disposition=headers.content_disposition(filename),
                cache_control=keeping.cache_control,
            ),
        )
        if self._mode is DeliveryMode.REDIRECT:
            return None if url is None else _redirected(url, keeping, seconds)
        told = [
            (b"etag", source.info.etag.encode("latin-1")),
            (b"cache-control", keeping.cache_control.encode("latin-1")),
            *headers.of_object(content_type, filename),
        ]
        if url is None and _is_judged_by_nginx(scope):
            return None
        if url is None:
            where = [(b"x-accel-redirect", (FOLDER_LOCATION + quote(key)).encode())]
        else:
            where = [(b"x-accel-redirect", S3_LOCATION.encode()), (b"x-object-url", url.encode())]
            if wanted.status == HTTP_206_PARTIAL_CONTENT:
                where.append((b"x-object-range", b"bytes=%d-%d" % (wanted.start, wanted.end - 1)))
        return _empty(200, told + where)


def _decision(keeping: Keeping) -> Header:
    return DECISION_HEADER, b"%d" % keeping.decision_seconds


def _wanted(scope: Scope, source: Source) -> Answer:
    info = source.info
    return choose(conditions(scope), size_bytes=info.size_bytes, etag=info.etag)


def _is_judged_by_nginx(scope: Scope) -> bool:
    """Whether nginx would refuse the file: it compares with a tag and a date of its own."""
    return any(name in JUDGED_BY_NGINX for name, _ in scope["headers"])


def _redirected(url: str, keeping: Keeping, seconds: int) -> Response:
    kept = max(0, seconds - MARGIN_SECONDS) if keeping.seconds is not None else 0
    return _empty(
        HTTP_302_FOUND,
        [(b"location", url.encode()), (b"cache-control", b"private, max-age=%d" % kept)],
    )


def _empty(status: int, raw_headers: Headers) -> Response:
    answer = Response(status_code=status)
    answer.raw_headers = [*raw_headers, (b"content-length", b"0")]
    return answer
