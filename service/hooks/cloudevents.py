"""
CloudEvents 1.0 over HTTP: binary, structured and batched.

Sources: github.com/cloudevents/spec, "HTTP Protocol Binding" 1.0.2, "JSON Event Format" 1.0.2 and
the extension "Dataref (Claim Check Pattern)".
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

from service.hooks import (
    Ignored,
    Item,
    Message,
    Result,
    event_id,
    external_id,
    generic,
    media_type,
    refused,
)
from service.hooks.reading import Node, document, each, missing
from service.hooks.settings import HookSettings

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_REQUIRED = ("specversion", "id", "source", "type")
_ATTRIBUTES = (*_REQUIRED, "subject", "dataref", "datacontenttype")
_KEPT = ("id", "source", "type", "subject")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclasses.dataclass(frozen=True, slots=True)
class _Event:
    """One event; its data is JSON, or bytes, or absent, and stands at ``place``."""

    attributes: Mapping[str, Node]
    data: Node | bytes | None
    place: str

    def text(self, name: str) -> str | None:
        """Take the text of an attribute, if it is there."""
        found = self.attributes.get(name)
        return found.text() if found else None


def read(message: Message, settings: HookSettings) -> Sequence[Result]:
    """
    Tell which uploads one event, or a batch of them, tells of.

    An event's image is its data (``image/*``), or at its ``dataref``, or where the settings find it
    in JSON data.  A batch may be empty.

    Raises:
        HookRefused: No CloudEvent, or of another format than JSON.
    """
    if message.media_type == BATCH:
        nodes = document(message.body).list()
        return list(each(nodes, lambda node: _result(_structured(node), settings)))
    if message.media_type == STRUCTURED:
        return [_result(_structured(document(message.body)), settings)]
    if message.media_type.startswith("application/cloudevents"):
        raise refused(
            "header content-type",
            f"CloudEvents as {message.media_type[:80]!a} are not read; "
            f"send {STRUCTURED} or {BATCH}",
        )
    return [_result(_binary(message), settings)]


def _structured(node: Node) -> _Event:
    attributes = {name: found for name in _ATTRIBUTES if (found := node.find(name))}
    _check(attributes, f"{node.pointer}/")
    data, encoded = node.find("data"), node.find("data_base64")
    if data and encoded:
        raise refused(data.pointer, f"{data.pointer} and {encoded.pointer} exclude each other")
    if encoded:
        return _Event(attributes, encoded.decoded(), encoded.pointer)
    return _Event(attributes, data, f"{node.pointer}/data")


def _binary(message: Message) -> _Event:
    attributes = {
        name: Node(_decoded(value, f"header ce-{name}"), f"header ce-{name}")
        for name in _ATTRIBUTES
        if (value := message.headers.get(f"ce-{name}")) is not None
    }
    _check(attributes, "header ce-")
    # In this mode the content type is the attribute, which must not come a second time.
    kind = Node(message.headers.get("content-type") or "application/json", "header content-type")
    return _Event({**attributes, "datacontenttype": kind}, message.body or None, "the body")


def _decoded(value: str, place: str) -> str:
    """Undo quotes, which earlier versions needed, then percent-encoding."""
    quoted = _QUOTED.fullmatch(value)
    plain = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value
    try:
        text = unquote(plain, errors="strict")
        text.encode()
    except UnicodeError as error:
        raise refused(place, f"{place} is not percent-encoded UTF-8: {error}") from error
    if "\0" in text:
        raise refused(place, f"{place} contains NUL, which cannot be stored")
    return text


def _check(attributes: Mapping[str, Node], place: str) -> None:
    for name in _REQUIRED:
        if name not in attributes:
            raise missing(place + name)
        attributes[name].text()
    if (version := attributes["specversion"]).value != "1.0":
        raise refused(
            version.pointer, f"{version.pointer} is {version.value[:80]!a}; 1.0 is allowed"
        )


def _result(event: _Event, settings: HookSettings) -> Result:
    kind = event.text("type") or ""
    if settings.cloudevents_types and kind not in settings.cloudevents_types:
        return Ignored(f"type {kind[:80]}")
    told = _item(event, settings)
    kept = {name: text for name in _KEPT if (text := event.text(name))}
    return dataclasses.replace(
        told,
        external_id=told.external_id or external_id(kept.get("subject", kept["id"])),
        metadata=told.metadata or Node(kept, event.place).object(),
        event_id=event_id((kept["source"],), (kept["id"],)),
    )


def _item(event: _Event, settings: HookSettings) -> Item:
    """Find the image of an event."""
    content = media_type(event.text("datacontenttype") or "application/json")
    if isinstance(event.data, bytes) and (
        content.startswith("image/") or content == "application/octet-stream"
    ):
        return Item(event.data, None, {}, None)
    if reference := event.attributes.get("dataref"):
        return Item(reference.link(), None, {}, None)
    if event.data is None:
        raise missing(event.place)
    if isinstance(event.data, Node):
        return generic.item(event.data, settings.cloudevents)
    if not content.endswith(("/json", "+json")):
        raise refused(
            event.place,
            f"{event.place} is {content[:80]!a}; image/*, application/octet-stream, JSON or "
            "a dataref are allowed",
        )
    root = "" if event.place == "the body" else event.place
    return generic.item(document(event.data, root), settings.cloudevents)
