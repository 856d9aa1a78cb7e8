"""`findme bucket`: the bucket for photos, where the S3 server is one's own."""

import asyncio
from typing import Annotated

from pydantic import Field
from rich.console import Console

from libs.common.errors import InvalidInput
from libs.common.setting_files import FileOrVariableSettings
from libs.common.settings import HttpUrl
from libs.common.storage.protocol import ObjectNotFound, StoreUnavailable

RULE_IS_NEW = "It ends uploads that were lost midway, after 7 days."
RULE_IS_THERE = "It has a rule that ends uploads that were lost midway."
RULES_ARE_KEPT = (
    "Its own lifecycle rules are kept; docs/install/services.md has the one that ends lost uploads."
)

console = Console()


class BucketSettings(FileOrVariableSettings):
    """The part of the services' settings that names the bucket."""

    photo_bucket_name: str | None = Field(default=None, description="S3 bucket for objects.")
    s3_endpoint_url: Annotated[str | None, HttpUrl] = Field(
        default=None, description="S3 server other than AWS."
    )
    aws_region: str = Field(default="us-east-1", description="Region of the bucket.")


def bucket() -> None:
    """Make the bucket PHOTO_BUCKET_NAME, unless it is there, with a rule that ends lost uploads."""
    settings = BucketSettings()
    if not settings.photo_bucket_name:
        msg = "PHOTO_BUCKET_NAME is not set: name the bucket, and its server by S3_ENDPOINT_URL."
        raise InvalidInput(msg)
    was_missing, rule = asyncio.run(make_bucket(settings, settings.photo_bucket_name))
    state = "is made" if was_missing else "is there already"
    console.print(f"The bucket {settings.photo_bucket_name} {state}.", highlight=False)
    console.print(rule, highlight=False, soft_wrap=True)


async def make_bucket(settings: BucketSettings, name: str) -> tuple[bool, str]:
    """Return whether it was missing, and what became of its rule. Raises StoreUnavailable."""
    # The other commands do without Amazon's libraries, a fifth of their start.
    from libs.common.storage.s3 import UnfinishedRule, open_s3_store

    async with open_s3_store(
        name, endpoint_url=settings.s3_endpoint_url or None, region=settings.aws_region
    ) as store:
        was_missing = await store.create_bucket(settings.aws_region)
        try:
            found = await store.end_unfinished_uploads()
        except (ObjectNotFound, StoreUnavailable) as error:
            # The bucket serves without: `findme sweep --repair` does the same by hand.
            return was_missing, f"It has no rule that ends lost uploads: {error}"
    told = {
        UnfinishedRule.IS_NEW: RULE_IS_NEW,
        UnfinishedRule.IS_THERE: RULE_IS_THERE,
        UnfinishedRule.IS_MISSING: RULES_ARE_KEPT,
    }
    return was_missing, told[found]
