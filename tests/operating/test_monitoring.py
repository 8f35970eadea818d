"""The dashboard and the alert rules speak of metrics that there are, and say what to do."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from service import cli, measuring, monitoring
from service.edits import outcomes
from service.measuring import Calls, MeasuredDecoders
from service.store import Pool
from tests.conftest import Api

FOLDER = Path(monitoring.__file__).parent
SERVICE = FOLDER.parent
SUFFIXES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
    "gauge": ("",),
}


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    read: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    return read


def panels() -> list[dict[str, Any]]:
    """The graphs of the dashboard, without the headings between them."""
    return [one for one in dashboard()["panels"] if one["type"] != "row"]


def alerts() -> list[dict[str, Any]]:
    """The alert rules."""
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def expressions() -> Iterator[str]:
    """Everything that Prometheus is asked for."""
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in alerts())


async def test_every_metric_that_is_asked_for_is_shown(api: Api, pool: Pool) -> None:
    """What the dashboard and the rules name stands in a scrape of the API or of a worker."""
    _, text, _ = await api.admin.ask("GET", "/metrics")
    process = measuring.new_process(pool)
    Calls(process.registry, "calls", "x")
    Calls(process.registry, "deliveries", "x")
    MeasuredDecoders(1, process.registry)
    work = measuring.response(process.registry).body
    assert isinstance(work, bytes)
    shown = {
        f"{family.name}{suffix}"
        for family in text_string_to_metric_families(text.decode() + work.decode())
        for suffix in SUFFIXES.get(family.type, ("",))
    }

    asked = {
        name
        for expression in expressions()
        for name in re.findall(r"\b(?:moderation|process)_[a-z_]+", expression)
    }
    assert len(asked) > 25
    assert asked - shown == set()


def test_events_and_outcomes_that_are_asked_for_are_those_of_the_code() -> None:
    """Each event is one that the service logs, and each outcome stands in the table of them."""
    code = "".join(path.read_text("utf-8") for path in SERVICE.rglob("*.py"))
    for expression in expressions():
        for label, values in re.findall(r'\b(event|outcome)=~?"([^"]+)"', expression):
            for one in values.split("|"):
                known = f'("{one}"' in code if label == "event" else one in outcomes.TABLE
                assert known, (label, one)


def test_expressions_are_closed() -> None:
    """Brackets and quotes come in pairs, which an edit by hand loses first."""
    for expression in expressions():
        bare = re.sub(r'"[^"]*"', "", expression)
        assert '"' not in bare
        while (inner := re.sub(r"\(\)|\[\]|\{\}", "", re.sub(r"[^()\[\]{}]", "", bare))) != bare:
            bare = inner
        assert bare == "", expression


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    """Severity, summary and description stand with each, and no name twice."""
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}
        assert all(len(text) > 10 for text in rule["annotations"].values()), rule["alert"]
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """It asks for its data source, and each graph has title, unit, words and a place of its own."""
    board = dashboard()
    (source,) = board["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert (board["schemaVersion"], board["uid"]) == (39, "moderation-service")
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yaml"])
def test_the_command_prints_the_files(name: str) -> None:
    """They come as they are, to be sent to a file."""
    ran = CliRunner().invoke(cli.commands, ["monitoring", Path(name).stem])

    assert (ran.exit_code, ran.stdout) == (0, (FOLDER / name).read_text("utf-8"))
