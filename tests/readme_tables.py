"""The tables of README that follow from the code: ``python -m tests.readme_tables`` prints them."""

from service.edits import outcomes
from service.settings import PREFIX, Settings


def settings() -> str:
    """Every setting with its default."""
    rows = ["| name | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if name == "upstream":
            continue  # TOML only, described in the text beside the table.
        default = "" if field.default is None else f"`{field.default}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)


def attempts() -> str:
    """Every way an attempt can end, and what follows."""
    rows = ["| an attempt ends | when | then | charged | paid |", "|---|---|---|---|---|"]
    for name, rule in outcomes.TABLE.items():
        then: str = rule.then
        if rule.then == "retry" and rule.charged:
            then = f"retry; `{rule.ends_as}` after {rule.tries}"
        elif rule.then == "pause":
            then = "pause all calls, then retry"
        marks = ["yes" if mark else "no" for mark in (rule.charged, rule.paid)]
        rows.append(f"| `{name}` | {rule.meaning} | {then} | {marks[0]} | {marks[1]} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(f"{settings()}\n\n{attempts()}")  # noqa: T201
