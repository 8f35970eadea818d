"""The shape of a request: what is compared between an official client's request and ours."""

import json
from email.message import Message
from email.parser import BytesParser
from typing import Any

# Words of the protocols; any other string is content and is not compared.
_WORDS = {"text", "image", "TEXT", "IMAGE", "image_url", "base64", "user", "system", "image/png"}


def shape(content_type: str, body: bytes) -> dict[str, Any]:
    """Give the media type and the fields: those of a form, or the keys of a JSON document."""
    kind = content_type.split(";", maxsplit=1)[0].strip()
    fields: Any
    if kind == "multipart/form-data":
        whole = f"Content-Type: {content_type}\r\n\r\n".encode() + body
        fields = sorted(map(_part, BytesParser().parsebytes(whole).walk()))[1:]
    else:
        fields = _keys(json.loads(body))
    return {"content_type": kind, "fields": fields}


def _part(part: Message) -> str:
    name = part.get_param("name", "", "content-disposition")
    return f"{name} (file, {part.get_content_type()})" if part.get_filename() else f"{name}"


def _keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _keys(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_keys(item) for item in value]
    if isinstance(value, str):
        return value if value in _WORDS else _string(value)
    return type(value).__name__


def _string(value: str) -> str:
    return "data:image/png;base64," if value.startswith("data:image/png;base64,") else "str"
