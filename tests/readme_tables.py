"""The tables of README that follow from the code: ``python -m tests.readme_tables`` prints them."""

from pydantic.fields import FieldInfo

from service.edits import outcomes
from service.settings import PREFIX, Settings
from service.upstreams import UpstreamTable


def settings() -> str:
    """Every setting with its default, but the options of upstreams."""
    rows = ["| name | default | what it does |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        if name != "upstream":
            rows.append(f"| `{PREFIX}{name.upper()}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def upstreams() -> str:
    """Every option of an upstream with its default."""
    rows = ["| in `[[upstream]]` | default | what it does |", "|---|---|---|"]
    for name, field in UpstreamTable.model_fields.items():
        rows.append(f"| `{name}` | {_default(field)} | {field.description} |")
    return "\n".join(rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "" if field.default in (None, ()) else f"`{field.default}`"


def attempts() -> str:
    """Every way an attempt can end, and what follows."""
    rows = [
        "| an attempt ends | when | then | charged | paid | tells of the upstream |",
        "|---|---|---|---|---|---|",
    ]
    for name, rule in outcomes.TABLE.items():
        then: str = rule.then
        if rule.then in ("retry", "repair") and rule.charged:
            then = f"{rule.then}; `{rule.ends_as}` after {rule.tries}"
        elif rule.then == "pause":
            then = "pause the upstream, then retry"
        charged, paid = ("yes" if mark else "no" for mark in (rule.charged, rule.paid))
        cells = (f"`{name}`", rule.meaning, then, charged, paid, rule.tells)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(f"{settings()}\n\n{upstreams()}\n\n{attempts()}")  # noqa: T201
