"""A platform's own JSON, read by the JSON Pointers that it keeps in its hook settings."""

from collections.abc import Sequence

from service.hooks import (
    MAX_EXTERNAL_ID_CHARACTERS,
    Item,
    Message,
    Result,
    Source,
    StoredObject,
    event_id,
    external_id,
    refused,
)
from service.hooks.reading import Node, document, each, missing
from service.hooks.settings import HookSettings, Places


def read(message: Message, settings: HookSettings) -> Sequence[Result]:
    """
    Tell which uploads a platform's own message is about.

    Raises:
        HookRefused: Not JSON, or without the list that the settings point to.
    """
    root, places = document(message.body), settings.generic
    nodes: Sequence[Node] = [root]
    if places.items is not None:
        found = root.follow(places.items)
        if found is None:
            raise missing(places.items)
        nodes = found.list()
    return list(each(nodes, lambda node: item(node, places)))


def item(node: Node, places: Places) -> Item:
    """Read one upload; only a place that the settings name tells a repeated one from a new one."""
    said = node.follow(places.metadata)
    told = node.follow(places.event_id) if places.event_id is not None else None
    return Item(
        source=_source(node, places),
        external_id=_name(node, places),
        metadata=said.object() if said else {},
        event_id=event_id((), (_word(told),)) if told else None,
    )


def _source(node: Node, places: Places) -> Source:
    """Take the image from the one place where it stands."""
    url, image = node.follow(places.image_url), node.follow(places.image)
    bucket = node.follow(places.bucket) if places.bucket is not None else None
    found = [one for one in (url, image, bucket) if one is not None]
    if len(found) != 1:
        named = (places.image_url, places.image, places.bucket)
        allowed = ", ".join(node.pointer + place for place in named if place is not None)
        count = "all are missing" if not found else f"{len(found)} are there"
        raise refused(
            found[1].pointer if found else node.pointer + places.image_url,
            f"exactly one of {allowed} is expected; {count}",
        )
    if url is not None:
        return url.link()
    if image is not None:
        return image.decoded()
    return _stored(node, places, found[0])


def _stored(node: Node, places: Places, bucket: Node) -> StoredObject:
    place = places.key or ""
    key = node.follow(place)
    if key is None:
        raise missing(node.pointer + place)
    return StoredObject(bucket.text(), key.text())


def _name(node: Node, places: Places) -> str | None:
    found = node.follow(places.external_id)
    if found is None:
        return None
    name = external_id(_word(found))
    if name is None:
        raise refused(
            found.pointer,
            f"{found.pointer} is no text of 1 to {MAX_EXTERNAL_ID_CHARACTERS} printable characters",
        )
    return name


def _word(node: Node) -> str:
    """Take a text, or a number, which most databases have as ids."""
    number = isinstance(node.value, int) and not isinstance(node.value, bool)
    return str(node.value) if number else node.text()
