"""`findme bucket`: the bucket for photos, where the S3 server is one's own."""

import asyncio

from pydantic import Field
from rich.console import Console

from libs.common.errors import InvalidInput
from libs.common.setting_files import FileOrVariableSettings

console = Console()


class BucketSettings(FileOrVariableSettings):
    """The part of the services' settings that names the bucket."""

    photo_bucket_name: str | None = Field(default=None, description="S3 bucket for objects.")
    s3_endpoint_url: str | None = Field(default=None, description="S3 server other than AWS.")
    aws_region: str = Field(default="us-east-1", description="Region of the bucket.")


def bucket() -> None:
    """Make the bucket PHOTO_BUCKET_NAME, unless it is there."""
    settings = BucketSettings()
    if not settings.photo_bucket_name:
        msg = "PHOTO_BUCKET_NAME is not set: name the bucket, and its server by S3_ENDPOINT_URL."
        raise InvalidInput(msg)
    was_missing = asyncio.run(make_bucket(settings, settings.photo_bucket_name))
    state = "is made" if was_missing else "is there already"
    console.print(f"The bucket {settings.photo_bucket_name} {state}.", highlight=False)


async def make_bucket(settings: BucketSettings, name: str) -> bool:
    """Return whether it was missing. Raises StoreUnavailable."""
    # The other commands do without Amazon's libraries, a fifth of their start.
    from libs.common.storage.s3 import open_s3_store

    async with open_s3_store(
        name, endpoint_url=settings.s3_endpoint_url or None, region=settings.aws_region
    ) as store:
        return await store.create_bucket(settings.aws_region)
