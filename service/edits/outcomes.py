"""One table of how an attempt can end and what follows; README prints it, a test holds that."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MAX_ATTEMPTS = 6
RETRY_AFTER_S = (1.0, 300.0)
BACKOFF_S = (1.0, 60.0)
# While an upstream is down or refuses our key, it is asked about this often.
PAUSE_S = 1.0
# So many failures in a row, of any uploads, are the upstream's and not a picture's.
BEARABLE = 5


@dataclass(frozen=True, slots=True)
class Consequence:
    """
    What follows from an outcome.

    ``then``: ``end`` the upload as failed with this outcome, ``retry`` it, ``repair`` its
    description, or ``pause`` the upstream and retry.  ``charged``: it counts against the upload's
    attempts.  ``paid``: the price is entered in the ledger (where billing is unknown, it is).
    ``tells``: what it tells of the upstream; one that is failing is paused after ``BEARABLE`` such
    outcomes in a row.  ``tries``: so many attempts with this outcome end the upload as ``ends_as``.
    """

    then: Literal["end", "retry", "repair", "pause"]
    charged: bool
    paid: bool
    tells: Literal["well", "slow", "failing", "down", "nothing"]
    meaning: str
    tries: int = MAX_ATTEMPTS
    ends_as: str = "exhausted"


TABLE: Mapping[str, Consequence] = {
    "described": Consequence("end", True, True, "well", "image and valid description came back"),
    "refused": Consequence(
        "end",
        True,
        False,
        "well",
        "the model refused (moderation_blocked, content_policy_violation)",
    ),
    "no_image": Consequence(
        "end",
        True,
        True,
        "well",
        "200 without a readable image; often a refusal whose reason was lost",
    ),
    "no_description": Consequence(
        "repair",
        True,
        True,
        "well",
        "200 with an image and no text",
        tries=2,
        ends_as="no_description",
    ),
    "invalid_description": Consequence(
        "repair",
        True,
        True,
        "well",
        "the text is not JSON or breaks the schema",
        tries=2,
        ends_as="invalid_description",
    ),
    "unfaithful_edit": Consequence(
        "end", True, True, "well", "the edited image shows another picture than the one sent"
    ),
    "rate_limited": Consequence("retry", True, False, "slow", "429"),
    "upstream_error": Consequence("retry", True, False, "failing", "408, 409, 425 or 5xx"),
    "rejected": Consequence("retry", True, False, "well", "any other 4xx, or a redirect", tries=2),
    "timeout": Consequence("retry", True, True, "failing", "no whole answer within the deadline"),
    "cut_off": Consequence(
        "retry", True, True, "failing", "the connection broke after the request was sent"
    ),
    "malformed_answer": Consequence(
        "retry",
        True,
        True,
        "failing",
        "200 that is not JSON, over the answer cap, or of a model that stopped midway",
        tries=3,
    ),
    "unreachable": Consequence("pause", False, False, "down", "no connection could be made"),
    "unauthorised": Consequence(
        "pause",
        False,
        False,
        "down",
        "401, 402, 403 or 404: key, credit, route or model; 429 without credit",
    ),
    "lost": Consequence(
        "retry", True, True, "nothing", "the worker died or lost its lease mid-call"
    ),
    "released": Consequence("retry", False, True, "nothing", "the worker was stopped mid-call"),
}


def clamped_retry_after(seconds: float) -> float:
    """Keep what an upstream asks for within 1 to 300 seconds."""
    return min(max(seconds, RETRY_AFTER_S[0]), RETRY_AFTER_S[1])


def backoff_s(failures: int) -> float:
    """Wait 1, 2, 4 ... 60 seconds after the first, second, third failure, less up to a quarter."""
    whole = min(BACKOFF_S[0] * 2.0 ** min(failures - 1, 10), BACKOFF_S[1])
    return whole * random.uniform(0.75, 1.0)  # noqa: S311  # spreads retries, guards nothing
