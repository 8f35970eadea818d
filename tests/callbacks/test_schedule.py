"""When a failed delivery is tried again."""

import pytest

from service.delivering import SCHEDULE_S, delay_s

DAY_S = 86_400


def test_the_schedule_spans_more_than_a_day() -> None:
    """Even with all jitter against it, the last try comes over 24 hours after the first."""
    waits = [delay_s(tries, None, -1) for tries in range(1, len(SCHEDULE_S) + 1)]
    assert sum(wait or 0 for wait in waits) > DAY_S
    assert waits == sorted(waits, key=lambda wait: wait or 0)
    assert delay_s(len(SCHEDULE_S) + 1, None, 0) is None


@pytest.mark.parametrize(
    ("tries", "retry_after_s", "jitter", "wait_s"),
    [
        (1, None, 0, 5),
        (1, None, 1, 6),
        (1, None, -1, 4),
        (1, 90, 1, 90),
        (5, 90, 0, 3600),
        (1, 0, 0, 5),
        (1, -7, 0, 5),
        (1, 1e9, 0, DAY_S),
        (9, None, 1, 1.2 * DAY_S),
    ],
)
def test_waits_are_spread_and_never_shorter_than_asked_for(
    tries: int, retry_after_s: float | None, jitter: float, wait_s: float
) -> None:
    """Retry-After lengthens a wait up to a day; it never shortens one, which would end it early."""
    assert delay_s(tries, retry_after_s, jitter) == pytest.approx(wait_s)
