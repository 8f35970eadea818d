"""Rule ids through the versions of a ruleset: one that is given away or comes back is a fault."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from service.policy.coherence import items, mappings, text
from service.policy.faults import shown
from service.policy.yaml_nodes import Path

# Measured on the shipped rulesets: two rules of one ruleset are alike by 0.15 at most, and another
# topic in a rule's own sentences by 0.24; a rule of which half is edited is by 0.45 at least, and
# one in new words throughout by 0.42.  tests/policy/test_lineage.py holds both sides.
LIKE: Final = 0.35

# The starts of long words, so that neither inflections nor the short words of every text count;
# where words are not set apart, each character.
_STEM: Final = re.compile(r"[\u3040-\u9fff]|(?<!\w)\w{4}")
# Those that stand in most of the shipped rules, whatever the rule is about.
_USUAL: Final = frozenset({"must", "pers", "pict", "show", "that"})


def faults(document: Any, earlier: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Path, str]]:
    """
    Tell, by path and sentence, which rule ids do not mean what they meant.

    An id of any earlier version that the newest one lacks may not come back, and one whose text
    has little in common with the newest version's is taken for another rule.

    Args:
        document: The new version, which may have any fault.
        earlier: The content of each earlier version, oldest first.
    """
    if not earlier:
        return
    newest = {rule["id"]: rule for rule in earlier[-1]["rules"]}
    holders = Counter(stem for rule in newest.values() for stem in stems(said(rule)))
    gone = {rule["id"]: rule for one in earlier for rule in one["rules"]}
    for index, rule in enumerate(mappings(document, "rules")):
        name = text(rule, "id")
        if name in newest and likeness(said(newest[name]), said(rule), holders) < LIKE:
            title = shown(newest[name]["title"])
            message = f"Id {shown(name)} is that of {title}, of which little is left here"
        elif name in gone and name not in newest:
            message = (
                f"Id {shown(name)} was that of {shown(gone[name]['title'])}, which was deleted"
            )
        else:
            continue
        why = "records still point at that rule, so another one needs an id of its own."
        yield ("rules", index, "id"), f"{message}; {why}"


def said(rule: Mapping[str, Any]) -> str:
    """Join what a rule says it is about: title, policy and what should not be."""
    entries = [
        text(entry, "text") if isinstance(entry, Mapping) else str(entry)
        for entry in items(rule, "should_not")
    ]
    return " ".join([text(rule, "title"), text(rule, "policy"), *entries])


def stems(text: str) -> Counter[str]:
    """Count the stems of the words that tell what a text is about."""
    return Counter(stem for stem in _STEM.findall(text.casefold()) if stem not in _USUAL)


def likeness(one: str, other: str, holders: Mapping[str, int] = MappingProxyType({})) -> float:
    """
    Measure what share of the shorter text's stems the other has too, 0 to 1.

    That of the shorter one, so that a rule may grow or shrink.

    Args:
        holders: In how many texts a stem stands; it counts the less, the more those are.

    Source: containment, in A. Broder, On the resemblance and containment of documents, 1997.
    """
    both = stems(one), stems(other)
    shared, *whole = (
        sum(count / max(1, holders.get(stem, 0)) for stem, count in found.items())
        for found in (both[0] & both[1], *both)
    )
    return shared / min(whole) if min(whole) else 1.0
