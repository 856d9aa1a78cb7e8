"""Ids in requests: what no row can have is the client's mistake, not the database's."""

from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, Field

from libs.common.messaging.messages import MAX_ID
from libs.common.web.texts import storable

#: In a query or a body.
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]
PathId = Annotated[int, Path(ge=1, le=MAX_ID)]
#: A name, as of a file; one that is longer names nothing.
PathName = Annotated[str, Path(max_length=255), AfterValidator(storable)]
QueryName = Annotated[str, Query(max_length=255), AfterValidator(storable)]
