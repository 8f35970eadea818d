"""Reads what to look for, and what to do to it, from the prompt alone, as any model would."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.local import RequestRefused, Rule

EDITS = ("none", "blur", "pixelate", "box", "remove", "block_image")

_RULESET = re.compile(r"<ruleset\b[^>\n]*>\n(?P<body>.*?)\n</ruleset>", re.DOTALL)
_SCHEMA = re.compile(r"<description-schema>(?P<schema>.*?)</description-schema>", re.DOTALL)
_START = re.compile(r"^Rule (?P<id>[a-z0-9][a-z0-9_-]*):[^\n]*\nPolicy:", re.MULTILINE)
# Policy text is free and may hold lines that look like these; only the end of a rule is believed.
_TAIL = re.compile(
    r"^Severity: (?P<severity>[1-4])\b[^\n]*\n"
    rf"Edit: (?P<edit>{'|'.join(EDITS)})[ ]*\n"
    r"Verdict: [a-z_]+[ ]*"
    r"(?:\nLook for: (?P<hints>[^\n]*))?\s*\Z",
    re.MULTILINE,
)

_PLAIN_SEVERITY = 2
_DEFAULT_EDITS = {
    "face": "blur",
    "email": "box",
    "phone": "box",
    "handle": "box",
    "url": "box",
    "payment_card": "box",
    "iban": "box",
    "national_id": "box",
    "document": "box",
    "plate": "pixelate",
    "qr_code": "box",
    "barcode": "box",
}
# The order decides: "id card" must be read before "card", "licence plate" before "licence".
_NOUNS = {
    "plate": r"(?:licen[cs]e |number |registration )?plates?",
    "document": r"(?:id(?:entity)? cards?|passports?|driv(?:ing|er'?s?) licen[cs]es?"
    r"|(?:identity |id )?documents?)",
    "national_id": r"(?:social security(?: numbers?)?|ssns?|national ids?(?: numbers?)?)",
    "payment_card": r"(?:(?:credit|debit|payment|bank) cards?|cards?)(?: numbers?)?",
    "iban": r"(?:ibans?|bank accounts?)(?: numbers?)?",
    "email": r"e-?mails?(?: address(?:es)?)?",
    "phone": r"(?:tele)?phones?(?: numbers?)?",
    "handle": r"(?:handles?|user ?names?)",
    "url": r"(?:urls?|links?|web ?(?:sites?|addresses|address))",
    "qr_code": r"qr(?:[ -]?codes?)?",
    "barcode": r"bar ?codes?",
    "face": r"faces?",
    "nudity": r"(?:nudity|nudes?|naked)",
}
_VERBS = {
    "spare": r"(?:do not|don't|never|keep|leave|except|not)(?: (?:blur|pixelate|hide|box))?",
    "blur": r"blur(?:red|ring|s)?",
    "pixelate": r"pixel(?:l?at(?:e|ed|es|ing)|i[sz]ed?)",
    "box": r"(?:box|black(?:en|ed)? out|hide|hidden|cover(?:ed)?|redact(?:ed)?|mask(?:ed)?)",
    "remove": r"(?:remove|removed|erase|delete)",
}
_WORDS = re.compile(
    r"\b(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, pattern in (*_NOUNS.items(), *_VERBS.items()))
    + r")\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Instructions:
    """The rules to apply, and the ids of rules whose text could not be understood."""

    rules: tuple[Rule, ...]
    unread: tuple[str, ...]


def read(prompt: str) -> Instructions:
    """
    Take the rules from a ruleset, else from plain words, else the default privacy set.

    Raises:
        RequestRefused: There is a ruleset and no JSON schema that names its rule ids.
    """
    ruleset = _RULESET.search(prompt)
    if ruleset:
        ids = _schema_ids(prompt, ruleset.end())
        rules = tuple(_ruleset_rules(ruleset["body"], ids))
        known = {rule.id for rule in rules}
        return Instructions(rules, tuple(name for name in ids if name not in known))
    plain = _plain_edits(prompt)
    chosen = _DEFAULT_EDITS if plain is None else plain
    return Instructions(
        tuple(Rule(kind, _PLAIN_SEVERITY, edit, (kind,)) for kind, edit in chosen.items()), ()
    )


def _schema_ids(prompt: str, start: int) -> tuple[str, ...]:
    """Read the enum of rule ids; it is generated, so it is trusted where policy prose is not."""
    found = _SCHEMA.search(prompt, start)
    try:
        schema = json.loads(found["schema"]) if found else {}
        ids = schema["properties"]["findings"]["items"]["properties"]["rule"]["enum"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RequestRefused(
            "The prompt has a ruleset and no description schema that lists its rule ids",
            code="invalid_prompt",
            param="prompt",
        ) from error
    if not isinstance(ids, list):
        ids = []
    return tuple(dict.fromkeys(name for name in ids if isinstance(name, str)))


def _ruleset_rules(body: str, ids: tuple[str, ...]) -> Iterator[Rule]:
    """
    Cut the policy into rules.  A line "Rule x:" inside a rule's free text does not cut it:
    a rule ends only where its severity, edit and verdict have been said.
    """
    starts = [start for start in _START.finditer(body) if start["id"] in ids]
    ends = [start.start() for start in starts[1:]] + [len(body)]
    opened: re.Match[str] | None = None
    seen: set[str] = set()
    for start, end in zip(starts, ends, strict=True):
        opened = opened or start
        tail = _TAIL.search(body[opened.start() : end])
        if not tail:
            continue
        if opened["id"] not in seen:
            seen.add(opened["id"])
            hints = tuple(re.findall(r"[\w-]+", tail["hints"] or ""))
            yield Rule(opened["id"], int(tail["severity"]), tail["edit"], hints)
        opened = None


def _plain_edits(prompt: str) -> dict[str, str] | None:
    """Pair each noun with the verb nearest before it, else after it; None without any noun."""
    words = [(found.lastgroup or "", found.start()) for found in _WORDS.finditer(prompt)]
    verbs = [(name, at) for name, at in words if name in _VERBS]
    nouns = [(name, at) for name, at in words if name in _NOUNS]
    if not nouns:
        return None
    edits: dict[str, str] = {}
    for noun, at in nouns:
        before = [name for name, verb_at in verbs if verb_at < at]
        after = [name for name, verb_at in verbs if verb_at > at]
        edit = before[-1] if before else after[0] if after else _DEFAULT_EDITS.get(noun, "box")
        if edit != "spare":
            edits.setdefault(noun, edit)
    return edits
