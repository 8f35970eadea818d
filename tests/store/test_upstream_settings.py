"""Upstreams as they are configured: one definition of their options, in the file and outside it."""

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service import app, prices, settings, up
from service.edits import Upstream
from service.upstreams import VENDOR_MODEL, VENDOR_URL, UpstreamTable
from tests.store.configuring import HEAD, SECRET, read, written


def from_environment(**options: Any) -> Upstream:
    """Configure the single upstream; a list is separated by commas there."""
    texts = {
        name: ",".join(value) if isinstance(value, list) else str(value)
        for name, value in {"url": "https://example.org/v1", **options}.items()
    }
    (one,) = read({f"MODERATION_UPSTREAM_{name.upper()}": text for name, text in texts.items()})
    return one


def from_table(tmp_path: Path, **options: Any) -> Upstream:
    """Configure one table of the file."""
    values = {"name": "default", "url": "https://example.org/v1", **options}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    (one,) = read(written(tmp_path, "\n".join(["[[upstream]]", *lines])))
    return one


# Option, how it is set, and what follows from it for which field of the upstream.
OPTIONS: list[tuple[str, Any, str, Any]] = [
    ("name", "mine", "name", "mine"),
    ("url", "http://127.0.0.1:1/v1", "url", "http://127.0.0.1:1/v1"),
    ("key", SECRET, "key", SECRET),
    ("key_env", "SOME_KEY", "key", "secret"),
    ("dialect", "gemini", "dialect", "gemini"),
    ("model", "gemini-3-pro-image-preview", "model", "gemini-3-pro-image-preview"),
    ("price_usd", 0.01, "price_microusd", 10_000),
    ("weight", 3, "weight", 3.0),
    ("response_format", False, "response_format", False),
    ("timeout_s", 600, "timeout_s", 600.0),
    ("connect_timeout_s", 60, "connect_timeout_s", 60.0),
    ("read_timeout_s", 120, "read_timeout_s", 120.0),
    ("max_answer_mb", 256, "max_answer_bytes", 256 * 1024 * 1024),
    ("answer_hosts", ["CDN.example.org", "i"], "answer_hosts", ("cdn.example.org", "i")),
    ("max_in_flight", 1, "max_in_flight", 1),
    ("requests_per_minute", 0.5, "requests_per_minute", 0.5),
    ("max_prompt_chars", 32000, "max_prompt_chars", 32000),
    ("context_tokens", 131072, "context_tokens", 131072),
    # Each of these alone changes nothing, as nobody is asked for the description alone.
    ("repair_model", "small", "describer", None),
    ("repair_price_usd", 0.001, "describer", None),
    ("repair", "off", "repairs", False),
]


@pytest.mark.parametrize("row", OPTIONS, ids=lambda row: row[0])
def test_option_is_the_same_in_a_table_and_in_the_environment(
    row: tuple[str, Any, str, Any], tmp_path: Path
) -> None:
    """Both ways bring the value into the same field, and build the very same upstream."""
    option, value, field, wanted = row
    one = from_environment(**{option: value})
    assert getattr(one, field) == wanted
    assert from_table(tmp_path, **{option: value}) == one


def test_every_option_is_tried() -> None:
    """A new option needs a row here."""
    assert [row[0] for row in OPTIONS] == list(UpstreamTable.model_fields)


def test_defaults_are_those_of_the_edits_client() -> None:
    """A key alone is the vendor's upstream, with the limits that the client has by itself."""
    (one,) = read({"MODERATION_UPSTREAM_KEY": SECRET})
    assert one == Upstream(
        name="default",
        url=VENDOR_URL,
        key=SECRET,
        dialect="openai-images",
        model=VENDOR_MODEL,
        price_microusd=58_000,
        price_version=prices.TABLE,
        weight=1.0,
        timeout_s=120.0,
        response_format=True,
    )


@pytest.mark.parametrize(
    ("options", "configured"),
    [
        ({}, False),
        ({"model": "x", "dialect": "gemini", "timeout_s": "5", "repair": "off"}, False),
        ({"url": "http://127.0.0.1:1"}, True),
        ({"key": SECRET}, True),
        ({"key_env": "SOME_KEY"}, True),
    ],
    ids=json.dumps,
)
def test_url_or_key_configures_the_single_upstream(
    options: dict[str, str], *, configured: bool
) -> None:
    """Other options alone say nothing of where to call: then there is no upstream."""
    environ = {f"MODERATION_UPSTREAM_{name.upper()}": value for name, value in options.items()}
    assert bool(settings.read({}, environ).upstream) is configured


def test_tables_replace_the_single_upstream(tmp_path: Path) -> None:
    """With tables there are exactly those, whatever the environment and the top level hold."""
    text = f'upstream_model = "other"\n{HEAD}{HEAD.replace("fast", "slow")}weight = 0\n'
    environ = written(tmp_path, text) | {"MODERATION_UPSTREAM_KEY": SECRET}
    configured = settings.read({}, environ)
    assert configured.has_tables
    assert [(one.name, one.key, one.model, one.weight) for one in read(environ)] == [
        ("fast", None, VENDOR_MODEL, 1.0),
        ("slow", None, VENDOR_MODEL, 0.0),
    ]
    assert not settings.read({}, {"MODERATION_UPSTREAM_KEY": SECRET}).has_tables


# How the description alone is asked for: dialect, address, model, price and where that is from.
IMAGE_PRICE = (58_000, prices.TABLE)
DESCRIBERS: list[tuple[dict[str, Any], tuple[Any, ...] | None]] = [
    ({}, None),
    ({"dialect": "gemini"}, None),
    ({"dialect": "openai-chat", "repair": "edit"}, None),
    ({"dialect": "openai-chat", "repair": "off"}, None),
    ({"dialect": "openai-chat"}, ("openai-chat", "/v1", VENDOR_MODEL, *IMAGE_PRICE)),
    ({"repair": "openai-chat"}, ("openai-chat", "/v1", VENDOR_MODEL, *IMAGE_PRICE)),
    (
        {"repair": "claude-messages", "repair_model": "claude", "repair_price_usd": 0.002},
        ("claude-messages", "/v1", "claude", 2_000, prices.CONFIGURED),
    ),
    (
        {"repair": "openai-chat", "price_usd": 0.01, "repair_model": "small"},
        ("openai-chat", "/v1", "small", 10_000, prices.CONFIGURED),
    ),
    *(
        (
            {"dialect": "gemini", "repair": "openai-chat", "url": f"https://example.org{path}"},
            ("openai-chat", f"{kept}/v1", VENDOR_MODEL, *IMAGE_PRICE),
        )
        for path, kept in [
            ("", ""),
            ("/", ""),
            ("/v1", ""),
            ("/v1beta/", ""),
            ("/gateway", "/gateway"),
            ("/gateway/v1alpha", "/gateway"),
        ]
    ),
]


@pytest.mark.parametrize(("options", "wanted"), DESCRIBERS, ids=json.dumps)
def test_describer_is_the_same_endpoint_in_a_dialect_of_text(
    options: dict[str, Any], wanted: tuple[Any, ...] | None
) -> None:
    """It differs by dialect, address, model and price alone, and never has a describer itself."""
    one = from_environment(key=SECRET, max_in_flight=3, **options)
    assert one.repairs is (options.get("repair") != "off")
    if wanted is None:
        assert one.describer is None
        return
    describer = one.describer
    assert describer is not None
    dialect, path, *others = wanted
    assert (describer.dialect, describer.url) == (dialect, f"https://example.org{path}")
    assert [describer.model, describer.price_microusd, describer.price_version] == others
    assert (describer.key, describer.max_in_flight, describer.name) == (SECRET, 3, one.name)
    assert describer.describer is None


def test_local_endpoint_is_called_as_it_must_be() -> None:
    """What `up` tells its workers wins over options that were meant for an upstream without key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        meant = {"dialect": "gemini", "model": "x", "repair": "openai-chat", "timeout_s": "7"}
        environ = {f"MODERATION_UPSTREAM_{name.upper()}": value for name, value in meant.items()}
        (one,) = read(environ | up._local_upstream(listener))
    assert (one.url, one.name, one.dialect) == (address, "local", "openai-images")
    assert (one.model, one.price_microusd, one.describer) == ("local-detectors", 0, None)
    assert one.timeout_s == 7


@pytest.mark.parametrize(
    ("second_look", "models", "processes"),
    [
        (None, ["gemini-3.1-flash-image-preview"], 1),
        (None, ["local-detectors"], 0),
        (None, ["local-detectors", "gpt-image-1.5"], 1),
        ("0", ["gemini-3.1-flash-image-preview"], 0),
        ("3", ["local-detectors"], 3),
    ],
)
def test_detectors_look_once_more_unless_they_have(
    second_look: str | None, models: list[str], processes: int
) -> None:
    """With the extra installed one process does; none behind the endpoint that is made of them."""
    environ = {} if second_look is None else {"MODERATION_SECOND_LOOK": second_look}
    asked = [replace(from_environment(key=SECRET), model=model) for model in models]
    assert app.second_look_of(settings.read({}, environ), asked) == processes
