"""Multipart bodies, read whole and strictly."""

from dataclasses import dataclass

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from service.errors import InputRefused

MAX_PARTS = 20
MAX_HEADER_BYTES = 8192


class FormTooLarge(InputRefused):
    """A form with more parts, or more bytes of headers, than are read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; ``filename`` is set for files."""

    name: str
    filename: str | None
    data: bytes


def read(content_type: str, body: bytes, *, max_parts: int = MAX_PARTS) -> list[Part]:
    """
    Take a ``multipart/form-data`` body apart (RFC 7578).

    Args:
        content_type: The whole header, with its boundary.
        body: The whole body.
        max_parts: How many fields are read at most.

    Raises:
        FormTooLarge: Over a limit; its code is ``multipart_malformed`` too.
        InputRefused: ``multipart_malformed``, with what is wrong.
    """
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    parts: list[Part] = []
    segment: MultipartSegment | None = None
    chunks: list[bytes] = []
    try:
        with PushMultipartParser(
            boundary,
            max_header_size=MAX_HEADER_BYTES,
            max_segment_count=max_parts,
            strict=True,
        ) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, chunks = event, []
                elif event:
                    chunks.append(bytes(event))
                elif segment is not None:
                    parts.append(Part(segment.name or "", segment.filename, b"".join(chunks)))
    except ParserLimitReached as error:
        raise FormTooLarge("multipart_malformed", f"multipart over a limit: {error}") from error
    # The parser encodes the boundary itself and lets the codec's error through.
    except (MultipartError, UnicodeError) as error:
        raise InputRefused("multipart_malformed", f"malformed multipart body: {error}") from error
    return parts
