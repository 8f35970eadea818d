"""The kinds of questions that the benchmark of records asks, at random places."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from service.store.case_counts import Key
from service.store.cases import Order
from service.store.records import Filter
from tests.records import population
from tests.records.population import PLATFORMS, RULES, RULESETS, VOCABULARY

PAGE: Final = 50
DAYS: Final = 30
Drawn = tuple[Filter, Order]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of query and its limit, p95 in milliseconds."""

    name: str
    limit_ms: float
    draw: Callable[[random.Random], Drawn]
    deep: bool = False


def ruleset_of(draw: random.Random) -> int:
    """Draw a ruleset."""
    return draw.randrange(RULESETS)


def queue(draw: random.Random) -> Drawn:
    """What waits for a person: everywhere, of a platform, a ruleset or both."""
    some: dict[str, object] = {"verdict": draw.choice(("hold", "block")), "decision": "none"}
    kind = draw.randrange(4)
    if kind & 1:
        some["platform"] = draw.choice(PLATFORMS)
    if kind & 2:
        some["ruleset"] = f"ruleset-{ruleset_of(draw)}"
    return Filter.model_validate(some), draw.choice(("severity", "severity", "oldest", "newest"))


def rule(draw: random.Random) -> Drawn:
    """One rule, frequent or rare, at each severity."""
    named = population.rule_name(ruleset_of(draw), draw.randrange(RULES))
    order: Order = draw.choice(("newest", "oldest", "severity"))
    return Filter(rule=named, min_severity=draw.randint(1, 4)), order


def pending_rule(draw: random.Random) -> Drawn:
    """One rule among what waits for a person."""
    wanted, order = rule(draw)
    return wanted.model_copy(update={"verdict": "hold", "decision": "none"}), order


def text(draw: random.Random) -> Drawn:
    """One to three words, frequent or rare."""
    words = [
        VOCABULARY[int(len(VOCABULARY) ** draw.random()) - 1] for _ in range(draw.randint(1, 3))
    ]
    return Filter(text=" ".join(words)), draw.choice(("newest", "oldest", "severity"))


def text_within(draw: random.Random) -> Drawn:
    """One to three words within a rule or a ruleset."""
    wanted, order = text(draw)
    ruleset = ruleset_of(draw)
    if draw.random() < 0.5:
        return wanted.model_copy(update={"ruleset": f"ruleset-{ruleset}"}), order
    named = population.rule_name(ruleset, draw.randrange(RULES))
    return wanted.model_copy(update={"rule": named}), order


def path(draw: random.Random) -> Drawn:
    """Conditions on one finding, within a rule or a ruleset."""
    ruleset = ruleset_of(draw)
    named = population.rule_name(ruleset, draw.randrange(RULES // 2))
    asked = f"@.severity >= {draw.randint(1, 3)} && @.confidence > {draw.choice((0.3, 0.6, 0.9))}"
    if draw.random() < 0.5:
        spelt = f'$.findings[*] ? (@.rule == "{named}" && {asked})'
        return Filter(rule=named, where=spelt), "newest"
    return Filter(ruleset=f"ruleset-{ruleset}", where=f"$.findings[*] ? ({asked})"), "newest"


KINDS = (
    Kind("first page of a queue", 10, queue),
    Kind("deep page of a queue", 10, queue, deep=True),
    Kind("first page of a rule and severity", 10, rule),
    Kind("deep page of a rule and severity", 10, rule, deep=True),
    Kind("first page of a rule in a queue", 10, pending_rule),
    Kind("first page of words", 10, text),
    Kind("deep page of words", 10, text, deep=True),
    Kind("first page of words in a rule or ruleset", 10, text_within),
    Kind("deep page of words in a rule or ruleset", 10, text_within, deep=True),
    Kind("first page of a path in a rule or ruleset", 50, path),
    Kind("deep page of a path in a rule or ruleset", 50, path, deep=True),
)


def counts(draw: random.Random) -> tuple[Filter, Key]:
    """Counts of some days, of all or of a platform or ruleset."""
    begin = population.END - timedelta(days=draw.randint(DAYS, population.DAYS))
    some: dict[str, object] = {"received_from": begin, "received_to": begin + timedelta(days=DAYS)}
    for name, values in (("platform", PLATFORMS), ("ruleset", ("ruleset-0", "ruleset-1"))):
        if draw.random() < 0.3:
            some[name] = draw.choice(values)
    return Filter.model_validate(some), draw.choice(("day", "rule", "outcome", "model", "platform"))
