"""Whatever is missing or wrong in a message is named by its place; nothing else is ever raised."""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.errors import InputRefused
from service.hooks import MAX_ITEMS, Fault, HookRefused, Item, Message, Result, presets
from service.hooks.settings import HookSettings
from tests.hooks import EVERY, NAMES, load

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
JSON = {"content-type": "application/json"}
STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCH = {"content-type": "application/cloudevents-batch+json"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}


def refusal(
    preset: str, headers: dict[str, str], body: Any, told: dict[str, Any] | None = None
) -> HookRefused:
    """Read a message of which nothing can be used."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(HookRefused) as caught:
        presets.read(
            preset, Message.of(headers.items(), raw), HookSettings.model_validate(told or {})
        )
    return caught.value


def without(document: Any, *path: str | int) -> Any:
    """Copy a document, leaving one place out."""
    made = copy.deepcopy(document)
    inner = made
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return made


def body(name: str) -> Any:
    """The JSON of a sample."""
    return json.loads(EVERY[name].body)


AWS = {"Records": [body("s3_aws")["Records"][0]]}
R2 = body("s3_r2")
WEED = body("s3_seaweedfs")
TUS = body("tus_pre_finish")
FILES = body("tus_post_finish_filestore")


@pytest.mark.parametrize(
    ("preset", "headers", "document", "place"),
    [
        ("s3", JSON, {}, "/Records"),
        ("s3", JSON, {"Records": None}, "/Records"),
        ("s3", JSON, without(AWS, "Records", 0, "eventName"), "/Records/0/eventName"),
        ("s3", JSON, without(AWS, "Records", 0, "s3"), "/Records/0/s3"),
        ("s3", JSON, without(AWS, "Records", 0, "s3", "object"), "/Records/0/s3/object"),
        ("s3", JSON, without(AWS, "Records", 0, "s3", "object", "key"), "/Records/0/s3/object/key"),
        ("s3", JSON, without(AWS, "Records", 0, "s3", "bucket"), "/Records/0/s3/bucket"),
        ("s3", JSON, without(R2, "bucket"), "/bucket"),
        ("s3", JSON, without(R2, "object", "key"), "/object/key"),
        ("s3", JSON, [without(R2, "action")], "/0/action"),
        ("s3", JSON, without(WEED, "message"), "/message"),
        ("s3", JSON, without(WEED, "message", "new_parent_path"), "/message/new_parent_path"),
        ("s3", JSON, without(WEED, "message", "new_entry", "name"), "/message/new_entry/name"),
        ("tus", JSON, without(TUS, "Type"), "/Type"),
        ("tus", JSON, without(TUS, "Event", "Upload"), "/Event/Upload"),
        ("tus", JSON, without(TUS, "Event", "Upload", "ID"), "/Event/Upload/ID"),
        ("tus", JSON, without(TUS, "Event", "Upload", "Storage"), "/Event/Upload/Storage"),
        (
            *("tus", JSON),
            *(without(TUS, "Event", "Upload", "Storage", "Key"), "/Event/Upload/Storage/Key"),
        ),
        ("cloudevents", {}, {}, "header ce-specversion"),
        ("cloudevents", {"ce-specversion": "1.0"}, {}, "header ce-id"),
        ("cloudevents", STRUCTURED, without(EVENT, "type"), "/type"),
        ("cloudevents", STRUCTURED, EVENT, "/data"),
        ("cloudevents", BATCH, [EVENT], "/0/data"),
        ("generic", JSON, {}, "/image_url"),
    ],
)
def test_what_is_missing_is_named(
    preset: str, headers: dict[str, str], document: Any, place: str
) -> None:
    """A message that lacks something is refused with the JSON Pointer, or the header, of it."""
    error = refusal(preset, headers, document)
    assert [fault.place for fault in error.faults] == [place]
    assert "missing" in str(error)
    assert place in str(error)
    assert error.errors == [{"path": place, "message": str(error)}]
    assert error.code == "hook_malformed"


def at_key(key: Any) -> Any:
    """An event of AWS whose object has this key."""
    made = copy.deepcopy(AWS)
    made["Records"][0]["s3"]["object"]["key"] = key
    return made


@pytest.mark.parametrize(
    ("preset", "headers", "document", "place", "said"),
    [
        ("s3", JSON, b"", "", "not JSON"),
        ("s3", JSON, b"\xff", "", "not JSON"),
        ("s3", JSON, b'{"Records": [], "Records": []}', "", "given twice"),
        ("s3", JSON, b"[" * 40 + b"]" * 40, "", "deeper than 32"),
        ("s3", JSON, b'{"a": ' + b"9" * 5000 + b"}", "", "not JSON"),
        ("s3", JSON, 5, "", "the body is a number; an object is expected"),
        ("s3", JSON, {"Records": {}}, "/Records", "an object; a list is expected"),
        ("s3", JSON, {"Records": [{}] * (MAX_ITEMS + 1)}, "/Records", "1000 are allowed"),
        ("s3", JSON, at_key("%ff"), "/Records/0/s3/object/key", "not URL-encoded UTF-8"),
        ("s3", JSON, at_key("a%00"), "/Records/0/s3/object/key", "NUL"),
        ("s3", JSON, at_key(""), "/Records/0/s3/object/key", "has 0 characters; 1 to 3072"),
        ("s3", JSON, at_key(True), "/Records/0/s3/object/key", "true or false; a text"),
        ("tus", JSON, FILES, "/Event/Upload/Storage/Type", "'filestore', which only tusd can read"),
        ("cloudevents", STRUCTURED, {**EVENT, "specversion": "0.3"}, "/specversion", "'0.3'; 1.0"),
        ("cloudevents", STRUCTURED, {**EVENT, "data": {}, "data_base64": "AA=="}, "/data", "excl"),
        ("cloudevents", STRUCTURED, {**EVENT, "data_base64": "?"}, "/data_base64", "not base64"),
        ("cloudevents", STRUCTURED, {**EVENT, "data_base64": "AAA="}, "/data_base64", "not JSON"),
        (
            *("cloudevents", STRUCTURED, {**EVENT, "dataref": "/photos/1"}),
            *("/dataref", "no http(s) address"),
        ),
        (
            *("cloudevents", {"content-type": "application/cloudevents+avro"}, b"x"),
            *("header content-type", "'application/cloudevents+avro' are not read"),
        ),
        (
            *("cloudevents", {f"ce-{name}": "%C0%A0" for name in EVENT}, b"x"),
            *("header ce-specversion", "not percent-encoded UTF-8"),
        ),
        (
            *("cloudevents", {**{f"ce-{k}": v for k, v in EVENT.items()}, "ce-id": "%00"}, b"x"),
            *("header ce-id", "NUL"),
        ),
        (
            "cloudevents",
            {**{f"ce-{k}": v for k, v in EVENT.items()}, "content-type": "text/plain"},
            b"x",
            "the body",
            "is 'text/plain'; image/*",
        ),
        ("generic", JSON, {"image": "AA==", "image_url": "http://a/"}, "/image", "2 are there"),
        ("generic", JSON, {"image": ""}, "/image", "is empty"),
        ("s3", JSON, at_key("x" * 3073), "/Records/0/s3/object/key", "has 3073 characters"),
        ("cloudevents", STRUCTURED, {**EVENT, "id": 5}, "/id", "a number; a text is expected"),
        *(
            ("generic", JSON, {"image_url": url}, "/image_url", "no http(s) address")
            for url in (
                *("ftp://a/b", "//a/b", "http://", "http://u:p@a/", "http://[::1", "http://a:x/"),
                *("http://a b/", "http://a/\n", "http://é.example/", "file:///etc/passwd"),
            )
        ),
        ("generic", JSON, {"image_url": "http://a/" + "x" * 2048}, "/image_url", "2048 are"),
        (
            *("generic", JSON, {"image_url": "http://a/", "external_id": "x" * 201}),
            *("/external_id", "1 to 200"),
        ),
        (
            *("generic", JSON, {"image_url": "http://a/", "external_id": True}),
            *("/external_id", "a text is expected"),
        ),
        (
            *("generic", JSON, {"image_url": "http://a/", "metadata": {"a": "x" * 16_384}}),
            *("/metadata", "16384 are allowed"),
        ),
        (
            *("generic", JSON, {"image_url": "http://a/", "metadata": []}),
            *("/metadata", "an object is expected"),
        ),
    ],
)
def test_what_is_wrong_is_named(
    preset: str, headers: dict[str, str], document: Any, place: str, said: str
) -> None:
    """A message with something unusable is refused with its place and what is allowed there."""
    error = refusal(preset, headers, document)
    assert [fault.place for fault in error.faults] == [place]
    assert said in str(error)


def test_what_the_settings_point_to_is_named_where_it_is_missing() -> None:
    """Places of a platform's own are named as its settings write them."""
    places = {"items": "/a~1b", "bucket": "/at/bucket", "key": "/at/key"}
    assert refusal("generic", JSON, {}, {"generic": places}).faults[0].place == "/a~1b"
    halved = {"a/b": [{"at": {"bucket": "b"}}]}
    fault = refusal("generic", JSON, halved, {"generic": places}).faults[0]
    assert (fault.place, fault.message) == ("/a~1b/0/at/key", "/a~1b/0/at/key is missing")


def test_the_id_of_an_upload_leaves_no_folder() -> None:
    """An upload's id becomes part of an address; it cannot climb out of tusd's own."""
    made = copy.deepcopy(FILES)
    made["Event"]["Upload"]["ID"] = "../admin"
    error = refusal("tus", JSON, made, {"tus_url": "https://tus.example.org/files/"})
    assert error.faults[0].place == "/Event/Upload/ID"


def test_a_fault_leaves_the_others_standing() -> None:
    """Of several records, the faulty one is a fault in its place and the rest are items."""
    records = [AWS["Records"][0], {"eventName": "ObjectCreated:Put"}, AWS["Records"][0]]
    message = Message.of(JSON.items(), json.dumps({"Records": records}).encode())
    kinds = [type(one) for one in presets.read("s3", message, HookSettings())]
    assert kinds == [Item, Fault, Item]


def test_an_unknown_hook_is_named() -> None:
    """The refusal of a hook that does not exist lists those that do."""
    with pytest.raises(InputRefused, match="'s4'; allowed are s3, cloudevents, tus, generic"):
        presets.read("s4", Message({}, b"{}"), HookSettings())


def inside(document: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """List the path of every place in a document."""
    yield path
    entries = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for name, inner in entries:
        yield from inside(inner, (*path, name))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", "\0", "\ud800", "%", "%ff", "http://a/", "//", "s3:", "..", "AA=="])
)
SHAPES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["key", "0", "image", "a/b", ""]), inner, max_size=3)
    ),
    max_leaves=8,
)


def outcome(preset: str, message: Message, told: HookSettings) -> Sequence[Result] | HookRefused:
    """Give what reading a message comes to."""
    try:
        return presets.read(preset, message, told)
    except HookRefused as error:
        return error


def holds(preset: str, message: Message, told: HookSettings) -> None:
    """Whatever comes gives results that can be kept, or the one refusal."""
    read = outcome(preset, message, told)
    if isinstance(read, HookRefused):
        assert read.errors
        assert json.dumps(read.errors, ensure_ascii=False).encode()
        return
    for one in read:
        if isinstance(one, Item):
            assert one.source or one.source == b""
            json.dumps(one.metadata)
            assert one.external_id is None or 0 < len(one.external_id) <= 200


@pytest.mark.parametrize("name", NAMES)
@FUZZ
@given(data=st.data())
def test_damaged_messages_are_results_or_a_refusal(name: str, data: st.DataObject) -> None:
    """A sample with anything at all in any of its places raises nothing but the refusal."""
    sample = load(name)
    try:
        document = json.loads(sample.body)
    except ValueError:
        document = {}
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(inside(document), key=str)))
        value = data.draw(SHAPES)
        if not path:
            document = value
            continue
        inner = document
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value
    changed = Message(sample.message.headers, json.dumps(document).encode())
    holds(sample.preset, changed, sample.hook_settings)


@pytest.mark.parametrize("preset", list(presets.PRESETS))
@FUZZ
@given(
    raw=st.binary(max_size=60),
    kind=st.sampled_from(
        ["image/png", "application/json", "text/x\udce9", "", STRUCTURED["content-type"]]
    ),
    headers=st.dictionaries(
        st.sampled_from([*(f"ce-{name}" for name in EVENT), "ce-dataref", "ce-subject"]),
        st.text(max_size=8) | st.sampled_from(["1.0", '"a\\"', "%e2%82%ac", "\udce9", "http://a/"]),
    ),
)
def test_any_bytes_and_headers_are_results_or_a_refusal(
    preset: str, raw: bytes, kind: str, headers: dict[str, str]
) -> None:
    """Bytes that are no JSON, and headers of any text, raise nothing but the refusal."""
    complete = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t"}
    holds(preset, Message({"content-type": kind, **headers}, raw), HookSettings())
    holds(preset, Message({**complete, "content-type": kind, **headers}, raw), HookSettings())
