"""What a benchmark says at the end: a table, the bars it had to reach, and the same as JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Bar:
    """One target: a figure that must be at least its bound, or ``at_most`` that."""

    says: str
    figure: float
    bound: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Tell whether it was."""
        return self.figure <= self.bound if self.at_most else self.figure >= self.bound


@dataclass(frozen=True, slots=True)
class Report:
    """The rows of a table are alike: each maps the names of columns to what stands in them."""

    title: str
    facts: Mapping[str, object]
    tables: Sequence[Sequence[Mapping[str, object]]]
    bars: Sequence[Bar]
    notes: str

    def json(self) -> str:
        """Write one JSON document."""
        bars = [asdict(bar) | {"reached": bar.reached} for bar in self.bars]
        found: dict[str, Any] = {
            "title": self.title,
            "facts": dict(self.facts),
            "tables": [[dict(row) for row in rows] for rows in self.tables],
            "bars": bars,
        }
        return json.dumps(found, indent=2)

    def markdown(self) -> str:
        """Write tables for people."""
        facts = "; ".join(f"{name} {value}" for name, value in self.facts.items())
        bars = [
            {
                "target": bar.says,
                "measured": bar.figure,
                "bar": f"{'<=' if bar.at_most else '>='} {bar.bound:g}",
                "": "pass" if bar.reached else "MISS",
            }
            for bar in self.bars
        ]
        parts = [self.title, *map(table, self.tables), table(bars), facts, self.notes]
        return "\n\n".join(part for part in parts if part)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Write rows that are alike as a Markdown table; floats with as many digits as matter."""
    if not rows:
        return ""
    names = list(rows[0])
    aligned = ["---:" if isinstance(rows[0][name], int | float) else "---" for name in names]
    lines = [f"| {' | '.join(names)} |", f"|{'|'.join(aligned)}|"]
    lines += [f"| {' | '.join(_shown(row[name]) for name in names)} |" for row in rows]
    return "\n".join(lines)


def of_rounds(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Give the median of the ratios within a round."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def _shown(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return (
        f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    )
