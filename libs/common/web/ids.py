"""Ids in requests: a number that no row can have is the client's mistake, not the database's."""

from typing import Annotated

from fastapi import Path
from pydantic import Field

from libs.common.messaging.messages import MAX_ID

#: In a query or a body.
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]
PathId = Annotated[int, Path(ge=1, le=MAX_ID)]
