"""The JSON Schema of the format: complete, kept beside the rulesets, and right about files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry

from service.errors import InputRefused
from service.policy import format_schema, rulesets, yaml_nodes
from tests.policy.documents import FULL, SHA256

FOLDER = Path(__file__).parents[2] / "rulesets"
FILES = sorted(FOLDER.glob("*.yaml"))


def complaints(source: str) -> list[str]:
    validator = Draft202012Validator(format_schema.schema(), registry=Registry())
    return [error.json_path for error in validator.iter_errors(yaml_nodes.read(source).value)]


def objects(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "Ruleset", schema
    yield from schema["$defs"].items()


def test_file_is_what_the_code_generates() -> None:
    """
    Editors are told of the format that this code reads.

    To write the file anew: ``moderation rulesets schema > rulesets/ruleset.schema.json``.
    """
    assert (FOLDER / "ruleset.schema.json").read_text() == format_schema.text()


def test_it_is_a_schema_that_points_nowhere_else() -> None:
    """It is valid draft 2020-12, closes every mapping and refers to itself alone."""
    schema = format_schema.schema()
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all(one["additionalProperties"] is False for _, one in objects(schema))
    text = json.dumps(schema)
    assert text.count('"$ref": "') == text.count('"$ref": "#/$defs/')


def test_every_key_is_described() -> None:
    """An editor can say of each key what it is for."""
    undescribed = [
        f"{name}.{key}"
        for name, one in objects(format_schema.schema())
        for key, told in one["properties"].items()
        if len(told.get("description", "")) < 10
    ]
    assert undescribed == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_fit_and_name_it(path: Path) -> None:
    """Each shipped ruleset fits, and its first line tells editors where the schema is."""
    source = path.read_text()
    assert source.startswith("# yaml-language-server: $schema=ruleset.schema.json\n")
    assert complaints(source) == []


def test_a_file_with_every_key_fits() -> None:
    """No key of the format is unknown to the schema."""
    assert complaints(FULL) == []


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("name: full", "name: Full", "$.name"),
        ("title: Full", "titel: Full\ntitle: Full", "$"),
        ("goal: Have it all.\n", "", "$"),
        ("on_clean: allow", "on_clean: yes", "$.on_clean"),
        ("sample: 0.25", "sample: 2", "$.review.sample"),
        ("second_person: true", "second_person: yes", "$.review.second_person"),
        ("max_changed_outside: 0.5", "max_changed_outside: half", "$.max_changed_outside"),
        ("low: A face", "mild: A face", "$.rules[0].levels"),
        ("severity: medium", "severity: severe", "$.rules[0].severity"),
        ("edit: blur", "edit: smudge", "$.rules[0].edit"),
        ("enabled: false", "enabled: no", "$.rules[1].enabled"),
        ("[Show a plate]", "[]", "$.rules[1].should_not"),
        ("[Show a plate]", "[7]", "$.rules[1].should_not[0]"),
        ("[statues]", "[]", "$.rules[0].can[0]"),
        ("[sexual/minors]", "[porn]", "$.rules[0].categories"),
        ("[prv]", "[xyz]", "$.rules[0].categories"),
        ("examples/crowd.png", "../crowd.png", "$.examples[0].image"),
        (SHA256, "sha256:00", "$.examples[1].image"),
        ("outcome: clean", "outcome: good", "$.examples[1].outcome"),
        ("id: faces", "id: Faces", "$.rules[0].id"),
        ("title: Faces", f"title: {'x' * 201}", "$.rules[0].title"),
        ("name: full", "name: full\n$schema: a", "$"),
    ],
)
def test_what_parse_refuses_of_the_structure_it_refuses(old: str, new: str, path: str) -> None:
    """Keys, types, lengths, shapes and closed lists are told by the editor as by the service."""
    source = FULL.replace(old, new, 1)
    with pytest.raises(InputRefused):
        rulesets.parse(source)
    told = complaints(source)
    assert path in told or any(one.startswith(f"{path}.") for one in told), told
