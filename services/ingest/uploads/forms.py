"""How the routes that read raw bodies describe them in the API's documentation."""

from typing import Any


def multipart_form(field: str, *, repeated: bool = False) -> dict[str, Any]:
    """OpenAPI for a form with a file field."""
    file = {"type": "string", "format": "binary"}
    schema = {
        "type": "object",
        "required": [field],
        "properties": {field: {"type": "array", "items": file} if repeated else file},
    }
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }
