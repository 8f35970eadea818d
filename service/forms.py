"""Multipart bodies, read whole and strictly."""

from dataclasses import dataclass

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from service.errors import InputRefused

MAX_PARTS = 20
MAX_HEADER_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Part:
    """One field of a form; ``filename`` is set for files."""

    name: str
    filename: str | None
    data: bytes


def read(content_type: str, body: bytes) -> list[Part]:
    """
    Take a ``multipart/form-data`` body apart (RFC 7578).

    Args:
        content_type: The whole header, with its boundary.
        body: The whole body.

    Raises:
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
            max_segment_count=MAX_PARTS,
            strict=True,
        ) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, chunks = event, []
                elif event:
                    chunks.append(bytes(event))
                elif segment is not None:
                    parts.append(Part(segment.name or "", segment.filename, b"".join(chunks)))
    except (MultipartError, UnicodeError) as error:
        raise InputRefused("multipart_malformed", f"malformed multipart body: {error}") from error
    return parts
