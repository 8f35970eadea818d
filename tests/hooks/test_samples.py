"""Every documented shape is understood, and the command shows it as it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from service.hooks import Fault, Ignored, Item, Link, Message, Result, StoredObject, presets
from service.hooks.settings import HookSettings
from tests.hooks import EVERY, NAMES, load


def as_told(result: Result) -> dict[str, object]:
    """Write a result as the samples do, which leave the event's id out."""
    match result:
        case Ignored():
            return {"understood": "ignored", "reason": result.reason}
        case Fault():
            return {"understood": "fault", "place": result.place, "message": result.message}
        case Item(source=Link(url)):
            source: dict[str, object] = {"url": url}
        case Item(source=StoredObject(bucket, key, version)):
            source = {"bucket": bucket, "key": key, "version": version}
        case Item(source=bytes() as image):
            source = {"image_bytes": len(image)}
    return {
        "understood": "image",
        "source": source,
        "external_id": result.external_id,
        "metadata": result.metadata,
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_documented_message_is_understood(name: str) -> None:
    """Each sample gives exactly the results written beside it, in the order of its parts."""
    sample = EVERY[name]
    results = presets.read(sample.preset, sample.message, sample.hook_settings)
    assert [as_told(result) for result in results] == sample.understood


def test_every_preset_has_samples_that_name_their_documentation() -> None:
    """A preset without a sample, or a sample shaped after nothing, is a claim without proof."""
    assert {sample.preset for sample in EVERY.values()} == set(presets.PRESETS)
    assert all(sample.shaped_after for sample in EVERY.values())


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("generic")])
def test_events_are_told_apart(name: str) -> None:
    """One event has the same id whenever it is delivered; two events of a sample have two."""
    sample = EVERY[name]
    ids = [
        [one.event_id for one in results if isinstance(one, Item)]
        for results in (
            presets.read(sample.preset, load(name).message, sample.hook_settings) for _ in range(2)
        )
    ]
    assert ids[0] == ids[1]
    assert None not in ids[0]
    assert len(set(ids[0])) == len(ids[0])


def test_both_hooks_of_an_upload_tell_of_one_event() -> None:
    """What tusd says before and after finishing an upload is one upload, not two."""
    before, after = EVERY["tus_pre_finish"], EVERY["tus_post_finish_filestore"]
    (first,) = presets.read("tus", before.message, before.hook_settings)
    (second,) = presets.read("tus", after.message, after.hook_settings)
    assert isinstance(first, Item)
    assert isinstance(second, Item)
    assert first.event_id == second.event_id


def test_a_place_can_tell_a_platforms_events_apart() -> None:
    """Our own JSON shape names no event; a platform's can, by a text or a number."""
    told = {"image_url": "http://a/", "uuid": 7}
    message = Message.of((), json.dumps(told).encode())
    ids = []
    for places in ({}, {"event_id": "/uuid"}, {"event_id": "/image_url"}, {"event_id": "/absent"}):
        settings = HookSettings.model_validate({"generic": places})
        (item,) = presets.read("generic", message, settings)
        assert isinstance(item, Item)
        ids.append(item.event_id)
    assert (ids[0], ids[3]) == (None, None)
    assert None not in ids[1:3]
    assert ids[1] != ids[2]


def tried(name: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command on a sample, as an integrator would."""
    sample = EVERY[name]
    (folder / "body").write_bytes(sample.body)
    (folder / "hooks.json").write_text(json.dumps(sample.settings))
    command = [sys.executable, "-m", "service", "hooks", "try", str(folder / "body")]
    command += ["--preset", sample.preset, "--settings", str(folder / "hooks.json")]
    command += [f"--header={header}: {value}" for header, value in sample.headers.items()]
    return subprocess.run(
        [*command, *more], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_command_shows_what_is_understood(tmp_path: Path) -> None:
    """`hooks try --json` prints a message's results; faults make the exit code 1."""
    done = tried("cloudevents_batch", tmp_path, "--json")
    assert done.returncode == 1, done.stderr
    printed = json.loads(done.stdout)["items"]
    told = [{name: one[name] for name in one if name != "event_id"} for one in printed]
    assert told == EVERY["cloudevents_batch"].understood
    assert "2 of 6 cannot be used" in done.stderr


def test_the_command_prints_a_table_for_people(tmp_path: Path) -> None:
    """Without --json each result is a line that says where the image is."""
    done = tried("s3_minio", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "bucket anze, key hello world.jpg, version 1" in done.stdout
    assert "event ObjectCreated:PutLegalHold" in done.stdout


@pytest.mark.parametrize(
    ("body", "settings", "more", "exit_code", "said"),
    [
        ("{}", "{}", (), 1, "/Records is missing"),
        ("{}", '{"tus": 1}', (), 2, "tus Extra inputs are not permitted"),
        ("{}", "{}", ("--header", "plain"), 2, "'plain' is not NAME: VALUE"),
    ],
)
def test_the_command_names_what_is_wrong(
    body: str, settings: str, more: tuple[str, ...], exit_code: int, said: str, tmp_path: Path
) -> None:
    """A message, settings or options that cannot be used are named, with the exit code of each."""
    (tmp_path / "body").write_text(body)
    (tmp_path / "hooks.json").write_text(settings)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "service", "hooks", "try", str(tmp_path / "body")),
            *("--preset", "s3", "--settings", str(tmp_path / "hooks.json"), *more),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
