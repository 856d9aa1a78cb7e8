"""One object of the S3 store while it is being written."""

import asyncio
from typing import Any

import structlog

from libs.common.errors import Unavailable
from libs.common.storage.keys import checked_key
from libs.common.storage.protocol import Beside, Buffer, ObjectNotFound
from libs.common.storage.s3_objects import S3Objects
from libs.common.storage.s3_turns import Turns

#: An object up to one part is one request; memory in use of an upload is one part.
PART_BYTES = 8 * 1024 * 1024

log = structlog.get_logger(__name__)


class S3Writer:
    """One request for an object of up to one part; a multipart upload above."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401  aiobotocore has no types
        objects: S3Objects,
        turns: Turns,
        *,
        bucket: str,
        key: str,
        content_type: str,
    ) -> None:
        self._client = client
        self._objects = objects
        self._turns = turns
        self._target = {"Bucket": bucket, "Key": key}
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    async def write(self, data: Buffer, *, beside: Beside | None = None) -> None:
        if beside is not None:
            await asyncio.to_thread(beside, memoryview(data))
        self._buffer += data
        while len(self._buffer) > PART_BYTES:
            part = bytes(memoryview(self._buffer)[:PART_BYTES])
            del self._buffer[:PART_BYTES]
            await self._upload_part(part)

    async def commit(self) -> None:
        rest, self._buffer = bytes(self._buffer), bytearray()
        if self._upload_id is None and not self._parts:
            await self._objects.put(self._target["Key"], rest, content_type=self._content_type)
            return
        if rest:
            await self._upload_part(rest)
        async with self._turns.answered(self._target["Key"]):
            await self._client.complete_multipart_upload(
                **self._target, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
            )
        self._upload_id = None

    async def commit_as(self, key: str) -> None:
        """One request up to one part; above, the store copies what lies at its first key then."""
        first = self._target
        if self._upload_id is None:
            self._target = first | {"Key": checked_key(key)}
            await self.commit()
            return
        await self.commit()
        async with self._turns.sent(key):
            await self._client.copy_object(
                Bucket=first["Bucket"], Key=checked_key(key), CopySource=first
            )
        async with self._turns.answered(first["Key"]):
            await self._client.delete_object(**first)

    async def discard(self) -> None:
        """Abort what was not committed. A failure is only logged: it must not hide its cause."""
        if self._upload_id is None:
            return
        try:
            async with self._turns.answered(self._target["Key"]):
                await self._client.abort_multipart_upload(**self._target, UploadId=self._upload_id)
        except (ObjectNotFound, Unavailable) as error:
            log.warning("upload_not_aborted", key=self._target["Key"], error=error)

    async def _upload_part(self, data: bytes) -> None:
        number = len(self._parts) + 1
        key = self._target["Key"]
        if self._upload_id is None:
            async with self._turns.answered(key):
                created = await self._client.create_multipart_upload(
                    **self._target, ContentType=self._content_type
                )
            self._upload_id = created["UploadId"]
        async with self._turns.sent(key):
            answer = await self._client.upload_part(
                **self._target, UploadId=self._upload_id, PartNumber=number, Body=data
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})
