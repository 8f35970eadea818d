"""
Events of S3-compatible stores: AWS, MinIO and those alike, SeaweedFS, Cloudflare R2.

Sources: AWS "Event message structure" (docs.aws.amazon.com/AmazonS3/latest/userguide/
notification-content-structure.html), MinIO docs/bucket/notifications/README.md, SeaweedFS
weed/notification/webhook (its filer's webhook), Cloudflare "R2 event notifications", message
format (developers.cloudflare.com/r2/buckets/event-notifications).
"""

from collections.abc import Sequence
from urllib.parse import unquote_plus

from service.hooks import (
    Ignored,
    Item,
    Message,
    Result,
    StoredObject,
    event_id,
    external_id,
    refused,
)
from service.hooks.reading import Node, document, each
from service.hooks.settings import HookSettings

# MinIO names changes of an object's locks like the creation of one.
_SAME_BYTES = ("ObjectCreated:PutRetention", "ObjectCreated:PutLegalHold")
_R2_CREATES = ("PutObject", "CopyObject", "CompleteMultipartUpload")
# SeaweedFS keeps its buckets in this folder of the filer unless told otherwise.
_BUCKETS = "/buckets/"


def read(message: Message, _settings: HookSettings) -> Sequence[Result]:
    """
    Tell which objects were created.

    AWS writes to every new target once to test it (``s3:TestEvent``).  A list of R2 events is what
    a queue consumer has in its hands.

    Raises:
        HookRefused: Not JSON, or an event of none of these stores.
    """
    root = document(message.body)
    if isinstance(root.value, list):
        return list(each(root.list(), _r2))
    if (event := root.find("Event")) and event.value == "s3:TestEvent":
        return [Ignored("a test event")]
    if root.find("event_type"):
        return list(each([root], _seaweedfs))
    if root.find("action"):
        return list(each([root], _r2))
    return list(each(root.get("Records").list(), _record))


def _record(record: Node) -> Result:
    """Read one record of AWS, MinIO and those alike; only MinIO writes ``s3:`` before the name."""
    name = record.get("eventName").text().removeprefix("s3:")
    if not name.startswith("ObjectCreated:") or name in _SAME_BYTES:
        return Ignored(f"event {name[:80]}")
    told = record.get("s3", "object")
    encoded = told.get("key")
    try:
        key = unquote_plus(encoded.text(), errors="strict")
    except UnicodeDecodeError as error:
        raise refused(
            encoded.pointer, f"{encoded.pointer} is not URL-encoded UTF-8: {error.reason}"
        ) from error
    stored = StoredObject(
        record.get("s3", "bucket", "name").text(), key, _optional(told, "versionId")
    )
    apart = (_optional(told, "sequencer"), _optional(record, "eventTime"))
    return _created(stored, encoded, told.find("size"), apart)


def _r2(event: Node) -> Result:
    """Read one event of R2, whose keys are not encoded."""
    action = event.get("action").text()
    if action not in _R2_CREATES:
        return Ignored(f"action {action[:80]}")
    told = event.get("object")
    key = told.get("key")
    stored = StoredObject(event.get("bucket").text(), key.text())
    apart = (_optional(told, "eTag"), _optional(event, "eventTime"))
    return _created(stored, key, told.find("size"), apart)


def _seaweedfs(event: Node) -> Result:
    """
    Read one event of a filer's webhook.

    Its ``event_type`` says rename where an object is overwritten, so that the entries decide.
    """
    entry = event.get("message").find("new_entry")
    if entry is None:
        return Ignored("an entry was removed")
    if (directory := entry.find("is_directory")) and directory.value is True:
        return Ignored("a folder")
    folder = event.get("message", "new_parent_path")
    path = f"{folder.text().rstrip('/')}/{entry.get('name').text()}"
    bucket, _, key = path.removeprefix(_BUCKETS).partition("/")
    if not path.startswith(_BUCKETS) or not bucket or not key:
        return Ignored(f"{path[:80]} is in no bucket")
    attributes = entry.find("attributes") or Node({}, entry.pointer)
    apart = tuple(
        str(found.value)
        for name in ("md5", "mtime", "mtime_ns")
        if (found := attributes.find(name)) is not None
    )
    return _created(StoredObject(bucket, key), folder, attributes.find("file_size"), apart)


def _created(
    stored: StoredObject, told: Node, size: Node | None, apart: Sequence[str | None]
) -> Result:
    """Make the item of an object; ``told`` is where its key stands."""
    if "\0" in stored.key:
        raise refused(told.pointer, f"{told.pointer} contains NUL, which cannot be stored")
    # Consoles make folders as empty objects whose keys end in a slash.
    if stored.key.endswith("/") and size is not None and size.value == 0:
        return Ignored("a folder")
    metadata = {"bucket": stored.bucket, "key": stored.key, "version": stored.version}
    return Item(
        source=stored,
        external_id=external_id(stored.key),
        metadata={name: value for name, value in metadata.items() if value is not None},
        event_id=event_id((stored.bucket, stored.key), (stored.version, *apart)),
    )


def _optional(node: Node, name: str) -> str | None:
    found = node.find(name)
    return found.value if found and isinstance(found.value, str) else None
