"""JSON messages read by pointers, so that whatever is missing or wrong is named by its place."""

import json
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pybase64

from service.hooks import (
    MAX_ITEMS,
    MAX_METADATA_BYTES,
    HookRefused,
    Link,
    Result,
    refused,
)
from service.policy import strict_json

# RFC 6901, section 3: tokens after slashes, in which ~ and / are written ~0 and ~1.
POINTER = r"^(/([^~/]|~[01])*)*$"
MAX_TEXT_CHARACTERS = 3 * 1024
# Bytes that are not base64: they bound what parsing costs beside an image that is written in it.
MAX_STRUCTURE_BYTES = 1_000_000
_BASE64 = (string.ascii_letters + string.digits + "+/=").encode()
MAX_URL_CHARACTERS = 2048
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a JSON document, and the pointer to it (RFC 6901)."""

    value: Any
    pointer: str = ""

    def find(self, name: str) -> "Node | None":
        """Take a member of an object; null is as good as absent, as it is to most senders."""
        members = self._of(dict)
        if members.get(name) is None:
            return None
        return Node(members[name], self._below(name))

    def get(self, *names: str) -> "Node":
        """
        Take a member of an object, of an object in it and so on.

        Raises:
            HookRefused: One of them is missing.
        """
        node = self
        for name in names:
            found = node.find(name)
            if found is None:
                raise missing(node._below(name))
            node = found
        return node

    def follow(self, pointer: str) -> "Node | None":
        """Take what a JSON Pointer points to, in objects and lists; None if there is nothing."""
        node = self
        for token in pointer.split("/")[1:]:
            name = token.replace("~1", "/").replace("~0", "~")
            inner = node.value
            if isinstance(inner, dict) and inner.get(name) is not None:
                node = Node(inner[name], node._below(name))
            elif isinstance(inner, list) and _INDEX.fullmatch(name) and int(name) < len(inner):
                node = Node(inner[int(name)], node._below(name))
            else:
                return None
        return None if node.value is None else node

    def text(self) -> str:
        """Take a text that is not empty, and no longer than a key of S3 can be when encoded."""
        text: str = self._of(str)
        if not 0 < len(text) <= MAX_TEXT_CHARACTERS:
            raise refused(
                self.pointer,
                f"{self.pointer} has {len(text)} characters; "
                f"1 to {MAX_TEXT_CHARACTERS} are allowed",
            )
        return text

    def object(self) -> dict[str, Any]:
        """Take an object as it is, if it is small enough to be kept beside an image."""
        members = self._of(dict)
        size = len(json.dumps(members, ensure_ascii=False).encode())
        if size > MAX_METADATA_BYTES:
            raise refused(
                self.pointer, f"{self.pointer} has {size} bytes; {MAX_METADATA_BYTES} are allowed"
            )
        return dict(members)

    def list(self) -> Sequence["Node"]:
        """Take the entries of a list that is not too long."""
        entries = self._of(list)
        if len(entries) > MAX_ITEMS:
            raise refused(
                self.pointer,
                f"{self.pointer or 'the list'} has {len(entries)} entries; {MAX_ITEMS} are allowed",
            )
        return [Node(entry, self._below(str(at))) for at, entry in enumerate(entries)]

    def link(self) -> Link:
        """Take an http(s) address with a host and without a password in it."""
        url = self.text()
        try:
            parts = urlsplit(url)
            usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        except ValueError:
            usable = False
        plain = url.isascii() and url.isprintable() and " " not in url
        if not (usable and plain and url.lower().startswith(("http://", "https://"))):
            raise refused(self.pointer, f"{self.pointer} is {url[:80]!a}, no http(s) address")
        if len(url) > MAX_URL_CHARACTERS:
            raise refused(
                self.pointer,
                f"{self.pointer} has {len(url)} characters; {MAX_URL_CHARACTERS} are allowed",
            )
        return Link(url)

    def decoded(self) -> bytes:
        """Take bytes, at least one, that are written in base64."""
        try:
            raw = pybase64.b64decode(self._of(str), validate=True)
        except ValueError as error:
            raise refused(self.pointer, f"{self.pointer} is not base64: {error}") from error
        if not raw:
            raise refused(self.pointer, f"{self.pointer} is empty")
        return raw

    def _of(self, kind: type) -> Any:
        if not isinstance(self.value, kind):
            raise refused(
                self.pointer,
                f"{self.pointer or 'the body'} is {_KINDS[type(self.value)]}; "
                f"{_KINDS[kind]} is expected",
            )
        return self.value

    def _below(self, name: str) -> str:
        return f"{self.pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def missing(place: str) -> HookRefused:
    """Say that a place of the message is empty."""
    return refused(place, f"{place} is missing")


def document(body: bytes, pointer: str = "") -> Node:
    """
    Read JSON of at most 32 levels that every reader of it understands alike.

    Integers may be long: SeaweedFS counts nanoseconds.  ``pointer`` is where the document stands.

    Raises:
        HookRefused: Not UTF-8, not JSON, nested deeper, repeated keys, NaN, NUL, lone surrogates,
            or too much of it beside base64.
    """
    if (structure := len(body.translate(None, _BASE64))) > MAX_STRUCTURE_BYTES:
        raise refused(
            pointer,
            f"{pointer or 'the body'} has {structure} bytes that are no base64; "
            f"{MAX_STRUCTURE_BYTES} are allowed",
        )
    try:
        return Node(strict_json.loads(body.decode(), parse_int=int), pointer)
    except (ValueError, strict_json.JsonRefused) as error:
        place = pointer or "the body"
        raise refused(pointer, f"{place} is not JSON that can be used: {error}") from error


def each(nodes: Sequence[Node], read: Callable[[Node], Result]) -> Iterator[Result]:
    """Read one thing after the other; a fault in one leaves the others as they are."""
    for node in nodes:
        try:
            yield read(node)
        except HookRefused as error:
            yield from error.faults
