"""A rule's id means one rule through all versions; what was measured of likeness stays true."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.errors import InputRefused
from service.policy import lineage, rulesets
from service.policy.lineage import LIKE, likeness, said, stems
from tests.policy.documents import FULL
from tests.policy.rewordings import OTHER_TOPICS, WRITTEN_ANEW, Texts

FOLDER = Path(__file__).parents[2] / "rulesets"
NAMES = ("privacy", "marketplace", "community")
SHIPPED = {name: rulesets.parse((FOLDER / f"{name}.yaml").read_bytes()) for name in NAMES}
CONTENTS = {name: rulesets.content(ruleset) for name, ruleset in SHIPPED.items()}


def with_texts(content: Mapping[str, Any], name: str, texts: Texts) -> dict[str, Any]:
    title, policy, should_not = texts
    changed = {"title": title, "policy": policy, "should_not": should_not}
    rules = [rule | changed if rule["id"] == name else rule for rule in content["rules"]]
    return {**content, "rules": rules}


def home(name: str) -> dict[str, Any]:
    return next(
        content
        for content in CONTENTS.values()
        if any(rule["id"] == name for rule in content["rules"])
    )


def told(content: Mapping[str, Any], *earlier: Mapping[str, Any]) -> list[str]:
    return [message for _path, message in lineage.faults(content, earlier)]


def edits(rule: dict[str, Any], other: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the rule as people edit it, up to half of it at once."""
    entries = rule["should_not"]
    for index in range(len(entries)):
        yield rule | {"should_not": entries[:index] + entries[index + 1 :]}
    yield rule | {"title": "Something else"}
    yield rule | {"policy": "None of this."}
    yield rule | {"policy": other["policy"]}
    yield rule | {"should_not": entries[:1]}
    yield rule | {"should_not": ["Show any such thing at all", "Show parts of it"]}
    half = entries[: len(entries) // 2]
    yield rule | {"should_not": [*half, "Show balloons above a lake", "Advertise free coffee"]}
    yield rule | {"should_not": [*entries, *other["should_not"]]}
    yield rule | {"should_not": [{"text": entry, "examples": ["on a wall"]} for entry in entries]}
    yield rule | {"enabled": False, "severity": "critical", "verdict": "block"}


@pytest.mark.parametrize("name", NAMES)
def test_edits_of_a_rule_pass(name: str) -> None:
    """Whatever part of a shipped rule is reworded, dropped or added, it is still that rule."""
    content = CONTENTS[name]
    rules = content["rules"]
    for index, rule in enumerate(rules):
        for edited in edits(rule, rules[index - 1]):
            changed = {**content, "rules": [*rules[:index], edited, *rules[index + 1 :]]}
            assert told(changed, content) == [], edited


@pytest.mark.parametrize("name", NAMES)
def test_a_swap_of_two_rules_is_told_of_both(name: str) -> None:
    """No two rules of a shipped ruleset are so alike that their texts could change places."""
    content = CONTENTS[name]
    for one, other in combinations(content["rules"], 2):
        ids = {one["id"]: other["id"], other["id"]: one["id"]}
        rules = [rule | {"id": ids.get(rule["id"], rule["id"])} for rule in content["rules"]]
        assert len(told({**content, "rules": rules}, content)) == 2, ids


@pytest.mark.parametrize("name", WRITTEN_ANEW)
def test_a_rule_written_anew_passes(name: str) -> None:
    """The same rule in new words throughout keeps its id."""
    assert told(with_texts(home(name), name, WRITTEN_ANEW[name]), home(name)) == []


@pytest.mark.parametrize("name", OTHER_TOPICS)
def test_another_topic_under_an_id_is_told(name: str) -> None:
    """A new topic needs a new id, also where it borrows the sentences of the old one."""
    (message,) = told(with_texts(home(name), name, OTHER_TOPICS[name]), home(name))
    assert message.startswith(f"Id '{name}' is that of ")
    assert "an id of its own" in message


def test_the_measured_gap() -> None:
    """The numbers beside LIKE are those measured: both sides keep well away from it."""
    different, same = [], []
    for name, ruleset in CONTENTS.items():
        rules = ruleset["rules"]
        holders = Counter(stem for rule in rules for stem in stems(said(rule)))
        different += [
            likeness(said(one), said(two), holders) for one, two in permutations(rules, 2)
        ]
        for index, rule in enumerate(rules):
            same += [
                likeness(said(rule), said(one), holders) for one in edits(rule, rules[index - 1])
            ]
        assert name in NAMES
    assert max(different) < 0.15 < LIKE < 0.45 < min(same)


def test_usual_words_are_those_of_most_shipped_rules() -> None:
    """What does not count as a topic is what most rules say."""
    rules = [rule for content in CONTENTS.values() for rule in content["rules"]]
    texts = [said(rule).casefold() for rule in rules]
    holders = {stem: sum(f" {stem}" in f" {one}" for one in texts) for stem in lineage._USUAL}
    assert min(holders.values()) > len(rules) / 2


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Faces. No faces are shown. Show a face", "Face. Blur them. Show anybody's face", True),
        ("Faces. No faces are shown. Show a face", "Faces of guests. Hide each face.", True),
        ("Faces. No faces are shown. Show a face", "Plates. No plates are shown. A plate", False),
        ("Faces. Hide faces. Show a face", "Weapons. Block weapons. Show a weapon", False),
        ("Guests. No guest must be seen.", "Drinks. No bottle must be seen.", False),
        ("One. No ones. Show a one", "Two. No twos. Show a two", False),
    ],
)
def test_short_rules(one: str, other: str, *, alike: bool) -> None:
    """Of rules in a dozen words the topic counts, and their sentences' frame does not."""
    assert (likeness(one, other) >= LIKE) is alike


def changed(**texts: Any) -> str:
    """Write the full ruleset with these keys of its last rule changed."""
    document = yaml.safe_load(FULL)
    document["rules"][-1] |= texts
    return yaml.safe_dump(document, sort_keys=False)


def faults_of(source: str, *earlier: str) -> list[dict[str, object]]:
    with pytest.raises(InputRefused) as caught:
        rulesets.parse(source, [rulesets.content(rulesets.parse(one)) for one in earlier])
    assert caught.value.code == "ruleset_invalid"
    return caught.value.errors or []


def test_a_deleted_id_does_not_come_back() -> None:
    """An id that the newest version lacks is refused at its place, whatever it would mean now."""
    without = FULL.replace("  - id: plates", "  - id: number-plates")
    (fault,) = faults_of(FULL.replace("title: Full", "title: Fuller"), FULL, without)
    line = FULL.split("\n").index("  - id: plates") + 1
    assert (fault["line"], fault["column"], fault["path"]) == (line, 9, "rules[1].id")
    assert "Id 'plates' was that of 'Plates', which was deleted" in str(fault["message"])


def test_what_was_a_version_before_may_be_again() -> None:
    """To take up an earlier version's content is to go back, not to give an id away."""
    without = FULL.replace("  - id: plates", "  - id: number-plates")
    contents = [rulesets.content(rulesets.parse(one)) for one in (FULL, without)]
    with pytest.raises(InputRefused):
        rulesets.parse(FULL.replace("title: Full", "title: Fuller"), contents)
    assert rulesets.parse(FULL + "# the same\n", contents) == rulesets.parse(FULL)


def test_lineage_is_told_beside_other_faults() -> None:
    """A file that is wrong in other ways as well shows all its faults at once."""
    source = changed(title="Adverts", policy="Nothing may be sold.", should_not=["Advertise"])
    errors = faults_of(source.replace("sample: 0.25", "sample: much"), FULL)
    assert [error["path"] for error in errors] == ["review.sample", "rules[1].id"]
    assert "Id 'plates' is that of 'Plates', of which little is left here" in str(
        errors[1]["message"]
    )


def test_only_the_newest_version_is_compared_with() -> None:
    """A rule may come a long way by small steps, each of which keeps most of it."""
    steps = [
        changed(policy="No plates of cars."),
        changed(policy="No plates of cars.", should_not=["Show a car from behind"]),
        changed(title="Cars", policy="No cars.", should_not=["Show a car from behind"]),
    ]
    contents = [rulesets.content(rulesets.parse(FULL))]
    for step in steps:
        contents.append(rulesets.content(rulesets.parse(step, contents)))
    # In one step it would have been too far.
    with pytest.raises(InputRefused, match="of which little is left here"):
        rulesets.parse(steps[-1], contents[:1])


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("", "anything", True),
        ("No faces", "", True),
        ("Keine Gesichter zeigen", "Gesichter zu zeigen ist verboten", True),
        ("Keine Gesichter zeigen", "Werbung verboten", False),
        ("禁止展示他人面部", "他人的面部不得展示", True),
        ("禁止展示他人面部", "武器不可出售", False),
    ],
)
def test_likeness_in_any_script(one: str, other: str, *, alike: bool) -> None:
    """Inflections and scripts without spaces are measured like English; nothing is like all."""
    assert (likeness(one, other) >= LIKE) is alike
