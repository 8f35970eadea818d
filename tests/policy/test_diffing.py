"""What changed between two versions, told so that nothing is hidden and nothing is raw."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.policy import diffing, rulesets, wording
from service.policy.diffing import Diff, Move
from service.policy.rulesets import Ruleset
from tests.policy.documents import FULL, SHA256

FOLDER = Path(__file__).parents[2] / "rulesets"
PLAIN = rulesets.parse(FULL)


def edited(edit: Callable[[dict[str, Any]], object]) -> Ruleset:
    document = yaml.safe_load(FULL)
    edit(document)
    return rulesets.parse(yaml.safe_dump(document, sort_keys=False))


def put(key: str, value: object) -> Callable[[dict[str, Any]], object]:
    """Set a key, dotted from the ruleset or, after ``rule.``, from its first rule."""

    def edit(document: dict[str, Any]) -> None:
        *outer, last = key.split(".")
        for name in outer:
            document = document["rules"][0] if name == "rule" else document[name]
        document[last] = value

    return edit


# Every key of the format but those that name what is compared, with another value.
ALTERED: list[tuple[str, object]] = [
    ("title", "Fuller"),
    ("goal", "Have it all now."),
    ("scope", None),
    ("editing", "Edits are hard."),
    ("definitions", [{"term": "face", "meaning": "The front of a human head"}]),
    ("on_clean", "hold"),
    ("review.sample", 0.5),
    ("review.second_person", False),
    ("model", "other/model"),
    ("fallback_after_refusal", False),
    ("confine", True),
    ("max_changed_outside", 1.0),
    ("examples", [{"image": SHA256, "outcome": "not_assessed"}]),
    ("rule.title", "Faces of people"),
    ("rule.enabled", False),
    ("rule.policy", "Nobody is ever recognised."),
    ("rule.should_not", ["Show a face"]),
    ("rule.can", []),
    ("rule.levels.low", "A face far away"),
    ("rule.levels.high", "A well-known face"),
    ("rule.ambiguity", "In doubt it is none."),
    ("rule.escalation", None),
    ("rule.severity", "high"),
    ("rule.edit", "box"),
    ("rule.verdict", "hold"),
    ("rule.detectors", []),
    ("rule.categories.ailuminate", []),
    ("rule.categories.dsa", ["KEYWORD_OTHER"]),
    ("rule.categories.openai", ["sexual"]),
]


def test_every_key_stands_in_the_table() -> None:
    """A new key of the format needs a line below, so that its diff is tested."""
    names = {key.split(".")[0] for key, _ in ALTERED if not key.startswith("rule.")}
    assert names == set(Ruleset.model_fields) - {"name", "rules"}
    of_rules = {key.split(".")[1] for key, _ in ALTERED if key.startswith("rule.")}
    assert of_rules == set(rulesets.Rule.model_fields) - {"id"}


@pytest.mark.parametrize(("key", "value"), ALTERED, ids=[key for key, _ in ALTERED])
def test_each_key_is_told(key: str, value: object) -> None:
    """Whatever is changed shows in the diff and in its text, both ways, under its own name."""

    def edit(document: dict[str, Any]) -> None:
        if key in {"rule.enabled", "rule.verdict"}:  # Else no example would follow, or no rule.
            document["rules"][1]["enabled"] = True
            document.pop("examples")
        put(key, value)(document)

    new = edited(edit)
    for diff in (diffing.diff(PLAIN, new), diffing.diff(new, PLAIN)):
        assert not diff.identical
        assert Diff.model_validate_json(diff.model_dump_json()) == diff
        name = "switched" if key == "rule.enabled" else key.removeprefix("rule.")
        assert f"  {name}" in diffing.text(diff)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_identical_says_so(path: Path) -> None:
    """The same ruleset, also with another comment, differs in nothing, and that is said."""
    source = path.read_text()
    diff = diffing.diff(rulesets.parse(source), rulesets.parse(f"# again\n{source}"))
    assert diff.identical
    assert diffing.text(diff) == f"Ruleset {path.stem}: nothing changed.\n"


@pytest.mark.parametrize(
    ("key", "value", "move"),
    [
        ("rule.severity", "low", "more lenient"),
        ("rule.severity", "critical", "stricter"),
        ("rule.edit", "none", "more lenient"),
        ("rule.edit", "block_image", "stricter"),
        ("rule.verdict", "allow", "more lenient"),
        ("rule.verdict", "block", "stricter"),
        ("on_clean", "allow_edited", "stricter"),
        ("review.sample", 0, "more lenient"),
        ("review.second_person", False, "more lenient"),
        ("rule.enabled", False, "more lenient"),
        ("max_changed_outside", 0, None),
        ("model", None, None),
    ],
)
def test_moves_are_named(key: str, value: object, move: Move | None) -> None:
    """Each move of a value that has an order is named, and its way back is the other one."""

    def edit(document: dict[str, Any]) -> None:
        document["rules"][1]["enabled"] = True
        document["rules"][0]["verdict"] = "hold"
        document.pop("examples")

    before = edited(edit)

    def edit_and_move(document: dict[str, Any]) -> None:
        edit(document)
        put(key, value)(document)

    after = edited(edit_and_move)
    back = {"stricter": "more lenient", "more lenient": "stricter", None: None}
    for old, new, expected in ((before, after, move), (after, before, back[move])):
        diff = diffing.diff(old, new)
        (changes,) = [diff.changes, *(rule.changes for rule in diff.rules_changed)][-1:]
        assert [value.move for value in changes.values] == [expected]
        assert (f"({expected})" in diffing.text(diff)) is (expected is not None)


def test_zero_is_a_value() -> None:
    """That nothing may change outside is told apart from that nothing was said of it."""
    unsaid = edited(put("max_changed_outside", None))
    text = diffing.text(diffing.diff(unsaid, edited(put("max_changed_outside", 0))))
    assert "  max_changed_outside: none -> 0.0\n" in text


def test_rules_and_schema() -> None:
    """Rules that come, go or are switched are told, with what descriptions may name from then."""

    def edit(document: dict[str, Any]) -> None:
        first, second = document["rules"]
        document["rules"] = [second | {"enabled": True}, first | {"id": "heads", "title": "Heads"}]
        document.pop("examples")

    diff = diffing.diff(PLAIN, edited(edit))
    assert [rule.id for rule in diff.rules_added] == ["heads"]
    assert [rule.id for rule in diff.rules_removed] == ["faces"]
    assert [rule.id for rule in diff.rules_changed] == ["plates"]
    assert (diff.schema_gained, diff.schema_lost) == (["plates", "heads"], ["faces"])
    text = diffing.text(diff)
    assert text.startswith("Ruleset full: rules added 1, removed 1, changed 1, values stricter 1,")
    assert "Added: rule heads (Heads)\n  severity medium, edit blur, verdict allow_edited\n" in text
    assert "Removed: rule faces (Faces)\n" in text
    assert "Rule plates (Plates)\n  switched on (stricter)\n" in text
    assert "Descriptions may now name heads.\nDescriptions may no longer name faces.\n" in text


def test_order_is_told() -> None:
    """Rules and entries that only change places are no other rules, yet the prompt is another."""
    turned = edited(lambda document: document["rules"].reverse())
    diff = diffing.diff(PLAIN, turned)
    assert (diff.rules_moved, diff.rules_changed) == (True, [])
    assert "The rules stand in another order.\n" in diffing.text(diff)
    swapped = edited(lambda document: document["rules"][0]["should_not"].reverse())
    (change,) = diffing.diff(PLAIN, swapped).rules_changed
    (entries,) = change.changes.entries
    assert (entries.removed, entries.added, entries.moved) == ([], [], True)
    assert "should_not: the order changed\n" in diffing.text(diffing.diff(PLAIN, swapped))


def test_words_and_entries_as_people_read_them() -> None:
    """A long text shows the changed words between their neighbours; entries stand on lines."""
    source = (FOLDER / "privacy.yaml").read_text()
    new = source.replace("is hidden, because nobody", "is covered, since nobody")
    new = new.replace("      - Show an e-mail address\n", "      - Show a map of somebody's home\n")
    new = new.replace("telephone or fax number", "telephone, mobile or fax number")
    text = diffing.text(diffing.diff(rulesets.parse(source), rulesets.parse(new)))
    assert text == (
        "Ruleset privacy: rules added 0, removed 0, changed 2, values stricter 0, more lenient 0.\n"
        "\n"
        "Rule bystander-faces (Faces of people)\n"
        "  policy: A recognisable face of a real person is [-hidden-]{+covered+},"
        " [-because-]{+since+} nobody can tell from the pict…\n"
        "\n"
        "Rule contact-details (Ways to reach a person)\n"
        "  should_not:\n"
        "    removed: Show an e-mail address\n"
        "    added: Show a map of somebody's home\n"
        "    reworded: Show a telephone{+, mobile+} or fax number, in any country's notation\n"
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", "Something"),
        ("Some words stay.", "Some other words stay!"),
        ("a  b\nc", "a b c"),
        ("禁止展示他人面部", "禁止展示儿童面部"),
        ("one two three four", "four three two one"),
    ],
)
def test_pieces_make_both_texts(old: str, new: str) -> None:
    """Nothing is lost: without the added pieces the old text stands there, else the new."""
    pieces = list(wording.pieces(old, new))
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new


def test_scripts_without_spaces_are_compared_by_character() -> None:
    """One changed word of a Chinese sentence is that word, not the sentence."""
    pieces = wording.pieces("禁止展示他人面部", "禁止展示儿童面部")
    assert wording.marked(list(pieces)) == "禁止展示[-他人-]{+儿童+}面部"


@pytest.mark.parametrize(
    ("old", "new"),
    [("a b " * 900, "b a " * 900), ("a " * 1900, "b " * 1900), ("a, " * 1300, ", a" * 1300)],
    ids=["two words", "one word", "commas"],
)
def test_time_is_bounded(old: str, new: str) -> None:
    """Texts made to slow the comparison down, as many as a file may hold, take little time."""
    rules = [{**rulesets.content(PLAIN)["rules"][1], "enabled": True}]

    def long(policy: str, entry: str) -> Ruleset:
        hundred = [
            {**rules[0], "id": f"r{number}", "policy": f"{policy}.", "should_not": [entry, entry]}
            for number in range(100)
        ]
        return Ruleset.model_validate(
            {"name": "long", "title": "Long", "goal": "Go on.", "rules": hundred}
        )

    started = time.process_time()
    diff = diffing.diff(long(old, old[:499].strip()), long(new, new[:499].strip()))
    diffing.text(diff)
    assert time.process_time() - started < 5
    assert not diff.identical
