"""
Hooks of tusd, the reference server of resumable uploads, and the replies that it understands.

Source: "Customization via hooks" of tusd v2 (tus.github.io/tusd/advanced-topics/hooks).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from service.hooks import (
    Ignored,
    Item,
    Link,
    Message,
    Result,
    StoredObject,
    event_id,
    external_id,
    refused,
)
from service.hooks.reading import Node, document, each
from service.hooks.settings import HookSettings

FINISHED = ("pre-finish", "post-finish")
# The only hooks after which tusd looks at the reply's HTTPResponse.
_ANSWERED = ("pre-create", "post-receive", "pre-finish")
_REFUSALS: Mapping[str, str] = {"pre-create": "RejectUpload", "post-receive": "StopUpload"}
# RFC 3986, section 3.3: what may stand in a path as it is.
_SAFE = "/~!$&'()*+,;=:@"


def read(message: Message, settings: HookSettings) -> Sequence[Result]:
    """
    Tell which upload is finished; both hooks of one upload have the same ``event_id``.

    The type of file that a client claims decides nothing, or it would be a way around moderation.
    The client's own request, with its cookies, is not kept.

    Raises:
        HookRefused: Not JSON, or not a hook of tusd.
    """
    root = document(message.body)
    if (hook := root.get("Type").text()) not in FINISHED:
        return [Ignored(f"hook {hook[:80]}")]
    return list(each([root.get("Event", "Upload")], lambda upload: _finished(upload, settings)))


def _finished(upload: Node, settings: HookSettings) -> Result:
    if (partial := upload.find("IsPartial")) and partial.value is True:
        return Ignored("a part of an upload that is put together later")
    name = upload.get("ID").text()
    said = upload.find("MetaData")
    return Item(
        source=_source(upload, settings),
        external_id=external_id(name),
        metadata=said.object() if said else {},
        event_id=event_id((), (name,)),
    )


def _source(upload: Node, settings: HookSettings) -> Link | StoredObject:
    """Find the upload in its store, else behind tusd, which serves what it has received."""
    storage = upload.get("Storage")
    kind = storage.get("Type")
    if kind.text() in {"s3store", "gcsstore"}:
        return StoredObject(storage.get("Bucket").text(), storage.get("Key").text())
    name = upload.get("ID")
    if settings.tus_url is None:
        raise refused(
            kind.pointer,
            f"{kind.pointer} is {kind.text()[:80]!a}, which only tusd can read; "
            "allowed are s3store and gcsstore, or any with tus_url in the hook settings",
        )
    if {"", ".", ".."} & set(name.text().split("/")):
        raise refused(name.pointer, f"{name.pointer} is {name.text()[:80]!a}, no upload's id")
    return Link(f"{str(settings.tus_url).rstrip('/')}/{quote(name.text(), safe=_SAFE)}")


def hook_of(message: Message) -> str:
    """Name the hook that a message, which was read before, is of."""
    return document(message.body).get("Type").text()


def reply(
    hook: str,
    status: int | None = None,
    said: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """
    Make the JSON that tusd reads; it must be sent with status 200 as ``application/json``.

    Args:
        hook: The hook's ``Type``; tusd answers its client itself after those that do not block.
        status: What the client is answered; 400 and above refuses its upload where tusd can.
        said: JSON for the client; without a status the answer stays a 204, which has no body.
        headers: More headers for the client.

    After pre-finish the bytes stay in the store: only the client's answer changes.  tusd reads at
    most 5 KiB.
    """
    if hook not in _ANSWERED:
        return {}
    response: dict[str, Any] = {}
    header = dict(headers or {})
    if status is not None:
        response["StatusCode"] = status
        if said is not None:
            response["Body"] = json.dumps(said)
            header["Content-Type"] = "application/json"
    if header:
        response["Header"] = header
    made: dict[str, Any] = {"HTTPResponse": response} if response else {}
    if status is not None and status >= 400 and hook in _REFUSALS:
        made[_REFUSALS[hook]] = True
    return made
