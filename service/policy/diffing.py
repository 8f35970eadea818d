"""What differs between two versions of a ruleset, and the same as a policy person reads it."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from string import ascii_lowercase
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from service.policy.lineage import likeness
from service.policy.rulesets import (
    Definition,
    Edit,
    Entry,
    Example,
    Rule,
    Ruleset,
    Severity,
    Verdict,
)
from service.policy.verdicts import EDITS, SEVERITIES, VERDICTS
from service.policy.wording import Piece, marked, pieces

Move = Literal["stricter", "more lenient"]
Scalar = str | float | bool | None

# How strict a value is; of other keys nobody can say whether more is stricter.
_STRICTNESS: Final[Mapping[str, Callable[[Any], float]]] = {
    "enabled": float,
    "severity": SEVERITIES.__getitem__,
    "edit": EDITS.__getitem__,
    "verdict": VERDICTS.__getitem__,
    "on_clean": VERDICTS.__getitem__,
    "review.sample": float,
    "review.second_person": float,
}
_PROSE: Final = frozenset(
    {"title", "goal", "scope", "editing", "policy", "ambiguity", "escalation"}
    | {f"levels.{severity}" for severity in SEVERITIES}
)
# Of their stems, more than that every entry starts with the same verb.
_ALIKE: Final = 0.5
_ABSENT: Final[tuple[object, ...]] = (None, [])


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True)


class Value(_Plain):
    """A value that was replaced; ``move`` is null where neither one is the stricter."""

    key: str
    old: Scalar
    new: Scalar
    move: Move | None


class Words(_Plain):
    """A text of which words changed."""

    key: str
    pieces: list[Piece]


class Entries(_Plain):
    """A list of which entries changed; ``moved`` says that some stand in another order."""

    key: str
    removed: list[str]
    added: list[str]
    reworded: list[list[Piece]]
    moved: bool


class Changes(_Plain):
    """What changed under the keys of a mapping; keys of mappings in it are written with a dot."""

    values: list[Value]
    words: list[Words]
    entries: list[Entries]


class RuleChange(_Plain):
    """A rule that both versions have; ``title`` is the new one."""

    id: str
    title: str
    changes: Changes


class RuleName(_Plain):
    """A rule that one of the versions has not."""

    id: str
    title: str
    enabled: bool
    severity: Severity
    edit: Edit
    verdict: Verdict


class Diff(_Plain):
    """
    What differs; ``identical`` if nothing does that means anything.

    ``schema_gained`` and ``schema_lost`` are the rule ids that a description may name from now on,
    and may no longer.
    """

    ruleset: str
    identical: bool
    changes: Changes
    rules_added: list[RuleName]
    rules_removed: list[RuleName]
    rules_changed: list[RuleChange]
    rules_moved: bool
    schema_gained: list[str]
    schema_lost: list[str]


def diff(old: Ruleset, new: Ruleset) -> Diff:
    """Tell what differs from one version to another, by rule id and key."""
    before, after = ({rule.id: rule for rule in one.rules} for one in (old, new))
    judged_before, judged_after = ([rule.id for rule in one.judged] for one in (old, new))
    both = [name for name in after if name in before]
    changed = [_rule_change(before[name], after[name]) for name in both]
    changes = _changes(_flat(old, "rules"), _flat(new, "rules"))
    moved = both != [name for name in before if name in after]
    altered = [one for one in changed if _any(one.changes)]
    return Diff(
        ruleset=new.name,
        identical=not (_any(changes) or altered or moved or before.keys() != after.keys()),
        changes=changes,
        rules_added=[_name(rule) for name, rule in after.items() if name not in before],
        rules_removed=[_name(rule) for name, rule in before.items() if name not in after],
        rules_changed=altered,
        rules_moved=moved,
        schema_gained=[name for name in judged_after if name not in judged_before],
        schema_lost=[name for name in judged_before if name not in judged_after],
    )


def _name(rule: Rule) -> RuleName:
    return RuleName.model_validate({key: getattr(rule, key) for key in RuleName.model_fields})


def _rule_change(old: Rule, new: Rule) -> RuleChange:
    return RuleChange(id=new.id, title=new.title, changes=_changes(_flat(old), _flat(new)))


def _any(changes: Changes) -> bool:
    return bool(changes.values or changes.words or changes.entries)


def _flat(model: BaseModel, *besides: str) -> dict[str, Any]:
    """Write a model as one mapping of scalars and lists of texts, dotted where it nests."""
    flat: dict[str, Any] = {}
    for key in type(model).model_fields:
        value = getattr(model, key)
        if isinstance(value, BaseModel):
            flat |= {f"{key}.{inner}": held for inner, held in _flat(value).items()}
        elif isinstance(value, list):
            flat[key] = [_said(entry) for entry in value] if key not in besides else []
        else:
            flat[key] = value
    return flat


def _said(entry: object) -> str:
    match entry:
        case Entry():
            lettered = zip(ascii_lowercase, entry.examples, strict=False)
            return " ".join([entry.text, *(f"({letter}) {text}" for letter, text in lettered)])
        case Definition():
            return f"{entry.term}: {entry.meaning}"
        case Example():
            rules = ", ".join(entry.rules) or "no rule"
            return f"{entry.image}: {entry.outcome}, {rules}" + f" ({entry.note})" * bool(
                entry.note
            )
        case _:
            return str(entry)


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    changes = Changes(values=[], words=[], entries=[])
    for key in dict.fromkeys((*old, *new)):
        before, after = old.get(key), new.get(key)
        if before == after or (before in _ABSENT and after in _ABSENT):
            continue
        if isinstance(before, list) or isinstance(after, list):
            changes.entries.append(_entries(key, before or [], after or []))
        elif key in _PROSE:
            changes.words.append(Words(key=key, pieces=[*pieces(before or "", after or "")]))
        else:
            move = _move(key, before, after)
            changes.values.append(Value(key=key, old=before, new=after, move=move))
    return changes


def _move(key: str, old: Any, new: Any) -> Move | None:
    if key not in _STRICTNESS:
        return None
    rank = _STRICTNESS[key]
    return "stricter" if rank(new) > rank(old) else "more lenient"


def _entries(key: str, old: list[str], new: list[str]) -> Entries:
    """Compare two lists; an entry that stands where one like it stood is that one, reworded."""
    removed: list[str] = []
    added: list[str] = []
    reworded: list[list[Piece]] = []
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    for tag, start, end, new_start, new_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        gone, come = old[start:end], new[new_start:new_end]
        alike = [pair for pair in zip(gone, come, strict=False) if likeness(*pair) > _ALIKE]
        reworded += ([*pieces(*pair)] for pair in alike)
        removed += (entry for entry in gone if entry not in {one for one, _ in alike})
        added += (entry for entry in come if entry not in {other for _, other in alike})
    moved = {*removed} & {*added}
    return Entries(
        key=key,
        removed=[entry for entry in removed if entry not in moved],
        added=[entry for entry in added if entry not in moved],
        reworded=reworded,
        moved=bool(moved),
    )


def text(diff: Diff) -> str:
    """Write a diff as lines for people, removed words as [-…-], added as {+…+}."""
    if diff.identical:
        return f"Ruleset {diff.ruleset}: nothing changed.\n"
    return "\n".join([f"Ruleset {diff.ruleset}: {_summary(diff)}", *_lines(diff)]) + "\n"


def _summary(diff: Diff) -> str:
    parts = [diff.changes, *(rule.changes for rule in diff.rules_changed)]
    moves = Counter(value.move for changes in parts for value in changes.values)
    counts = {
        "rules added": len(diff.rules_added),
        "removed": len(diff.rules_removed),
        "changed": len(diff.rules_changed),
        "values stricter": moves["stricter"],
        "more lenient": moves["more lenient"],
    }
    return ", ".join(f"{what} {count}" for what, count in counts.items()) + "."


def _lines(diff: Diff) -> Iterator[str]:
    if _any(diff.changes):
        yield from ("", "The ruleset", *_change_lines(diff.changes))
    for sign, rules in (("Added", diff.rules_added), ("Removed", diff.rules_removed)):
        for rule in rules:
            state = "" if rule.enabled else ", off"
            yield ""
            yield f"{sign}: rule {rule.id} ({rule.title})"
            yield f"  severity {rule.severity}, edit {rule.edit}, verdict {rule.verdict}{state}"
    for change in diff.rules_changed:
        yield from ("", f"Rule {change.id} ({change.title})", *_change_lines(change.changes))
    if diff.rules_moved:
        yield from ("", "The rules stand in another order.")
    if diff.schema_gained or diff.schema_lost:
        yield ""
        yield from (f"Descriptions may now name {name}." for name in diff.schema_gained)
        yield from (f"Descriptions may no longer name {name}." for name in diff.schema_lost)


def _change_lines(changes: Changes) -> Iterator[str]:
    for value in changes.values:
        move = f" ({value.move})" if value.move else ""
        if value.key == "enabled":
            yield f"  switched {'on' if value.new else 'off'}{move}"
        else:
            yield f"  {value.key}: {_shown(value.old)} -> {_shown(value.new)}{move}"
    for words in changes.words:
        yield f"  {words.key}: {marked(words.pieces)}"
    for entries in changes.entries:
        order = " the order changed" if entries.moved else ""
        yield f"  {entries.key}:{order}"
        yield from (f"    removed: {entry}" for entry in entries.removed)
        yield from (f"    added: {entry}" for entry in entries.added)
        yield from (f"    reworded: {marked(entry)}" for entry in entries.reworded)


def _shown(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
