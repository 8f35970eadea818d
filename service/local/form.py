"""Reads an OpenAI image edit from its multipart body; nothing here decodes a picture."""

from multipart import parse_options_header

from service import forms
from service.errors import InputRefused
from service.forms import Part
from service.local import MAX_BYTES, Job, RequestRefused

# A picture and a mask of full size, and the text fields.
MAX_BODY = 2 * MAX_BYTES + 4 * 1024 * 1024
MAX_PROMPT = 1024 * 1024
_MAX_PARTS = 64
_IMAGE_FIELDS = ("image", "image[]", "image[0]")
_FORMATS = ("png", "jpeg", "webp")


def read(content_type: str, body: bytes) -> Job:
    """
    Take the first image and the prompt; other fields of the OpenAI API are accepted and ignored.

    Source: https://platform.openai.com/docs/api-reference/images/createEdit

    Raises:
        RequestRefused: Not multipart, malformed, over a limit, or without a field that is needed.
    """
    kind, options = parse_options_header(content_type)
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise RequestRefused(
            f"The content type must be multipart/form-data with a boundary, not {kind or 'absent'}",
            code="unsupported_content_type",
            status=415,
        )
    parts = _parts(content_type, body)
    image = next((part.data for part in parts if part.name in _IMAGE_FIELDS and part.data), None)
    if image is None:
        raise _missing("image")
    if len(image) > MAX_BYTES:
        raise RequestRefused(
            f"The image has {len(image)} bytes; at most {MAX_BYTES} are allowed",
            code="image_too_large",
            param="image",
            status=413,
        )
    prompt = _text(parts, "prompt")
    if not prompt or not prompt.strip():
        raise _missing("prompt")
    return Job(image, prompt, _output_format(_text(parts, "output_format")))


def _parts(content_type: str, body: bytes) -> list[Part]:
    """Parse the form, and tell what is wrong with it in OpenAI's shape."""
    try:
        return forms.read(content_type, body, max_parts=_MAX_PARTS)
    except forms.FormTooLarge as error:
        raise RequestRefused(str(error), code="form_too_large", status=413) from error
    except InputRefused as error:
        raise RequestRefused(str(error), code="multipart_malformed") from error


def _text(parts: list[Part], name: str) -> str | None:
    data = next((part.data for part in parts if part.name == name), None)
    if data is None:
        return None
    if len(data) > MAX_PROMPT:
        raise RequestRefused(
            f"{name} has {len(data)} bytes; at most {MAX_PROMPT} are allowed",
            code="string_above_max_length",
            param=name,
        )
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise RequestRefused(f"{name} is not UTF-8", code="invalid_value", param=name) from error


def _output_format(value: str | None) -> str | None:
    if not value:
        return None
    if value not in _FORMATS:
        raise RequestRefused(
            f"output_format is {value[:40]!r}; it must be one of {', '.join(_FORMATS)}",
            code="invalid_value",
            param="output_format",
        )
    return value


def _missing(name: str) -> RequestRefused:
    return RequestRefused(
        f"Missing required parameter: '{name}'", code="missing_required_parameter", param=name
    )
