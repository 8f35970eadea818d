"""
Uploads that have ended, as many as wanted, with what must be found of each.

Rules, platforms, words and severities are as uneven as in life: a few are everywhere and many are
rare; platforms join, versions and models follow each other in time.
"""

import itertools
import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

END = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 180
RULESETS, RULES, VERSIONS, WORDS, FINDINGS = 6, 30, 4, 30000, 10
PLATFORMS = tuple(f"platform-{number}" for number in range(12))
MODELS = ("model-a", "model-b", "model-c")
CATEGORIES = ("prv", "vcr", "KEYWORD_OTHER", "KEYWORD_HATE_SPEECH", "violence/graphic")
_SYLLABLES = ("ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo")
VOCABULARY = tuple("".join(parts) for parts in itertools.product(_SYLLABLES, repeat=4))[:WORDS]
_FAILURES = {"refused": 50, "unreadable": 30, "exhausted": 15, "invalid_description": 5}
_VERDICTS = {
    ("clean", "allow"): 38,
    ("clean", "hold"): 4,
    ("redacted", "allow_edited"): 36,
    ("violating", "hold"): 9,
    ("violating", "block"): 7,
    ("not_assessed", "hold"): 2,
}


def rule_name(ruleset: int, rule: int) -> str:
    """Name a rule; the low numbers are the frequent ones."""
    return f"rule-{ruleset}-{rule}"


def categories_of(rule: int) -> list[str]:
    """Tell what other taxonomies call a rule."""
    return [CATEGORIES[rule % len(CATEGORIES)], CATEGORIES[(rule * 2 + 1) % len(CATEGORIES)]]


def content(ruleset: int) -> dict[str, Any]:
    """Make as much of a version's content as cases follow from."""
    return {
        "rules": [
            {
                "id": rule_name(ruleset, rule),
                "categories": {
                    "ailuminate": categories_of(rule)[:1],
                    "dsa": categories_of(rule)[1:],
                },
            }
            for rule in range(RULES)
        ]
    }


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, its JSON, and the words of its rationale."""

    rule: str
    severity: int
    json: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """One upload that has ended; ``summary`` and ``findings`` are empty without a description."""

    id: UUID
    platform: str
    external_id: str | None
    sha256: bytes
    ruleset: str
    version: int
    state: str
    outcome: str
    verdict: str
    model: str | None
    received_at: datetime
    finished_at: datetime
    summary: tuple[str, ...]
    findings: tuple[Finding, ...]
    decision: str | None

    @property
    def description(self) -> str:
        """The description's JSON."""
        words = " ".join(self.summary)
        found = ",".join(one.json for one in self.findings)
        return (
            f'{{"summary":"{words}","alt_text":"{words}","findings":[{found}],'
            '"not_assessed":[],"text_to_model":[]}'
        )

    @cached_property
    def worst(self) -> dict[str, int]:
        """Each rule's highest severity."""
        highest: dict[str, int] = {}
        for one in self.findings:
            highest[one.rule] = max(one.severity, highest.get(one.rule, 0))
        return highest

    @cached_property
    def severity(self) -> int:
        """The highest severity, 0 without findings."""
        return max((one.severity for one in self.findings), default=0)

    @cached_property
    def categories(self) -> set[str]:
        """What other taxonomies call its rules."""
        return {name for rule in self.worst for name in categories_of(int(rule.rpartition("-")[2]))}

    @property
    def words(self) -> list[str]:
        """All words that are searched, in their order."""
        return [*self.summary, *(word for one in self.findings for word in one.words)]


class Population:
    """Uploads drawn from a seed; the same seed gives the same ones."""

    def __init__(self, seed: int, findings: int = FINDINGS) -> None:
        self._random = random.Random(seed)
        self._findings = findings
        self._weights = list(itertools.accumulate(1 / (rank + 2) for rank in range(WORDS)))
        self._pool = {
            (ruleset, severity): [self._finding(ruleset, severity) for _ in range(1500)]
            for ruleset in range(RULESETS)
            for severity in range(1, 5)
        }

    def made(self, count: int) -> Iterator[Made]:
        """Draw uploads, the oldest first."""
        for number in range(count):
            yield self._made(number / count)

    def _made(self, age: float) -> Made:
        draw = self._random
        received_at = END - timedelta(days=DAYS * (1 - age), seconds=draw.random() * 600)
        joined = [name for rank, name in enumerate(PLATFORMS) if age >= (rank % 4) / 5]
        platform = joined[min(int(draw.expovariate(0.5)), len(joined) - 1)]
        ruleset = (PLATFORMS.index(platform) + (draw.random() < 0.2)) % RULESETS
        failed = draw.random() < 0.04
        if failed:
            outcome, verdict = _drawn(draw, _FAILURES), "hold"
        else:
            outcome, verdict = _drawn(draw, _VERDICTS)
        model = MODELS[min(int(age * 3 + draw.random() * 0.3), 2)]
        identity = int(received_at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62
        return Made(
            id=UUID(int=identity | draw.getrandbits(62)),
            platform=platform,
            external_id=f"ext-{draw.randrange(10**6)}" if draw.random() < 0.7 else None,
            sha256=draw.randbytes(32),
            ruleset=f"ruleset-{ruleset}",
            version=1 + min(int(age * VERSIONS + draw.random() * 0.1), VERSIONS - 1),
            state="failed" if failed else "done",
            outcome=outcome,
            verdict=verdict,
            model=None if outcome == "unreadable" else model,
            received_at=received_at,
            finished_at=received_at + timedelta(seconds=20),
            summary=() if failed else self._words(8),
            findings=() if failed else self._found(ruleset),
            decision=self._decision(verdict, age),
        )

    def _found(self, ruleset: int) -> tuple[Finding, ...]:
        level = self._random.choices((1, 2, 3, 4), (35, 35, 20, 10))[0]
        worst = self._random.choice(self._pool[ruleset, level])
        others = self._random.choices(self._pool[ruleset, max(1, level - 1)], k=self._findings - 1)
        return (worst, *others)

    def _finding(self, ruleset: int, severity: int) -> Finding:
        rank = self._random.choices(range(RULES), [1 / (n + 1) ** 1.5 for n in range(RULES)])[0]
        words = self._words(5)
        left, top = self._random.randrange(500), self._random.randrange(500)
        found = {
            "rule": rule_name(ruleset, rank),
            "rationale": " ".join(words),
            "severity": severity,
            "confidence": round(self._random.random(), 2),
            "box_2d": [top, left, top + 200, left + 200],
            "edit": self._random.choice(("blur", "pixelate", "box")),
        }
        text = json.dumps(found, separators=(",", ":"))
        return Finding(rule_name(ruleset, rank), severity, text, words)

    def _words(self, count: int) -> tuple[str, ...]:
        return tuple(self._random.choices(VOCABULARY, cum_weights=self._weights, k=count))

    def _decision(self, verdict: str, age: float) -> str | None:
        if verdict in ("allow", "allow_edited"):
            return None
        decided = self._random.random() < (0.95 if age < 0.8 else 0.3)
        return self._random.choice(("block", "escalate")) if decided else None


def _drawn(draw: random.Random, weighted: dict[Any, int]) -> Any:
    return draw.choices(list(weighted), list(weighted.values()))[0]


def expected_tags(one: Made) -> list[str]:
    """Tell the tags of a case, sorted."""
    levels = [f"rule:{rule}:{n}" for rule, top in one.worst.items() for n in range(1, top + 1)]
    return sorted([*levels, *(f"category:{name}" for name in one.categories)])


def tsvector(words: list[str]) -> str:
    """Spell what ``to_tsvector('simple', …)`` makes of plain words."""
    places: dict[str, list[int]] = {}
    for place, word in enumerate(words, 1):
        places.setdefault(word, []).append(place)
    return " ".join(f"{word}:{','.join(map(str, at))}" for word, at in places.items())


def counted(made: list[Made], key: str) -> Counter[Any]:
    """Count uploads by an attribute."""
    return Counter(getattr(one, key) for one in made)
