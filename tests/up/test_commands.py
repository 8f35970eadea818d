"""The small commands, their help, and what they refuse."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from service.cli import commands
from service.loading import Elsewhere
from tests.up import driving
from tests.up.driving import CHECKOUT, Ended, Up

RULESETS = CHECKOUT / "rulesets"


def within(up: Up, *arguments: object) -> Ended:
    return driving.run(*arguments, "--data-dir", up.data_dir)


def whole(one: click.Command) -> click.Command:
    """Import a command of which its group knows only where it is."""
    return one.load() if isinstance(one, Elsewhere) else one


def every(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Name every command there is."""
    for name, one in group.commands.items() if isinstance(group, click.Group) else ():
        yield (*path, name)
        yield from every(whole(one), (*path, name))


@pytest.mark.parametrize("path", [(), *every(commands)], ids=" ".join)
def test_help_shows_an_example_and_every_option(path: tuple[str, ...]) -> None:
    """Each command's help holds a command line to copy, and says what each option is for."""
    listed: click.Command = commands
    for name in path:
        group = whole(listed)
        assert isinstance(group, click.Group)
        listed = group.commands[name]
    command = whole(listed)
    context = click.Context(command, info_name=" ".join(path), max_content_width=100)
    text = command.get_help(context)
    assert re.search(rf"^ .*moderation {' '.join(path)}", text, re.MULTILINE), text
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    wordless = [one.name for one in options if not one.help and not one.required]
    assert wordless in ([], ["port"])
    # Where commands are listed, what is longer would be cut off.
    assert not path or not command.get_short_help_str(60).endswith("...")
    assert listed.name == command.name
    assert listed.get_short_help_str(100) == command.get_short_help_str(100)


@pytest.mark.parametrize(
    ("name", "spared"),
    [
        ("tokens", ["aiohttp", "jsonschema", "service.up"]),
        ("serve", ["service.applying", "service.up", "service.worker"]),
        ("work", ["service.web.application", "service.up", "PIL", "numpy"]),
        ("deliver", ["service.web.application", "service.up", "service.worker"]),
        ("up", ["service.web.application", "service.worker", "PIL", "numpy"]),
    ],
)
def test_a_command_imports_only_what_it_needs(
    monkeypatch: pytest.MonkeyPatch, name: str, spared: Sequence[str]
) -> None:
    """A process of one role does not wait for the code of the others."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    ended = driving.run(name, "--help")
    assert ended.code == 0, ended.err
    imported = {line.rpartition("|")[2].strip() for line in ended.err.splitlines()}
    assert "service.errors" in imported
    assert not imported & set(spared)


def test_processes_get_ready_while_the_database_does(service: Up) -> None:
    """They are started before the embedded server, wait for what is in it, and none dies of it."""
    start, _, _ = service.err.partition("serving ")
    database = start.index("postgres_started")
    for name in ("serve", "work-1", "deliver"):
        assert re.search(rf"process_started +name={name}\b", start[:database]), start
    assert "process_died" not in start


def test_token_is_shown_once_works_and_ends_when_revoked(service: Up) -> None:
    """The new token opens the API, the list shows no value of it, a revoked one is refused."""
    made = within(service, "tokens", "create", "--role", "platform", "--platform", "photo-club")
    assert made.code == 0, made.err
    token = made.out.strip()
    listed: list[dict[str, Any]] = json.loads(within(service, "tokens", "list", "--json").out)[
        "items"
    ]
    (row,) = [row for row in listed if row["platform"] == "photo-club"]
    assert (row["role"], row["revoked_at"]) == ("platform", None)
    assert token not in json.dumps(listed)

    photo = CHECKOUT / "service" / "demo_pictures" / "cat.jpg"
    sent = driving.run("submit", photo, "--json", "--data-dir", service.data_dir, token=token)
    assert json.loads(sent.out)["items"][0]["platform"] == "photo-club"

    assert within(service, "tokens", "revoke", row["id"]).code == 0
    refused = driving.run("submit", photo, "--data-dir", service.data_dir, token=token)
    assert (refused.code, len(refused.complaints)) == (1, 1)
    again = within(service, "tokens", "revoke", row["id"])
    assert again.code == 1
    assert "revoked before" in again.err
    assert row["id"] in within(service, "tokens", "list").out


@pytest.mark.parametrize("arguments", [("--role", "platform"), ("--role", "king")])
def test_wrong_token_order_is_a_usage_error(service: Up, arguments: tuple[str, ...]) -> None:
    """A platform's token without its name, or a role that is none, is exit 2 and makes nothing."""
    before = service.query("SELECT count(*) FROM tokens")
    assert within(service, "tokens", "create", *arguments).code == 2
    assert service.query("SELECT count(*) FROM tokens") == before


def test_rulesets_are_checked_offline() -> None:
    """Each shipped file is good, told in a line; no database is asked."""
    ended = driving.run("rulesets", "check", RULESETS)
    assert ended.code == 0, ended.err
    assert len(ended.out.splitlines()) == len(list(RULESETS.glob("*.yaml")))
    assert all(": good; " in line for line in ended.out.splitlines())


def test_every_fault_of_a_ruleset_is_told_with_its_place(tmp_path: Path) -> None:
    """Three faults are three lines of file:line:column and what is wrong; exit 1."""
    text = (RULESETS / "privacy.yaml").read_text("utf-8")
    wrong = re.sub(r"severity: \w+", "severity: terrible", text, count=1)
    wrong = re.sub(r"edit: \w+", "edit: burn", wrong, count=1) + "\nsurprise: 1\n"
    path = tmp_path / "wrong.yaml"
    path.write_text(wrong, "utf-8")
    ended = driving.run("rulesets", "check", path)
    assert ended.code == 1
    places = re.findall(rf"^  {re.escape(str(path))}:(\d+):\d+: (.*)$", ended.err, re.MULTILINE)
    lines = wrong.splitlines()
    assert len(places) == 3, ended.err
    named = {lines[int(line) - 1].strip().partition(":")[0] for line, _ in places}
    assert named == {"severity", "edit", "surprise"}


def test_import_makes_new_content_a_version_once(service: Up, tmp_path: Path) -> None:
    """The same content twice is one version; changed content is the next and live at once."""
    text = (RULESETS / "privacy.yaml").read_text("utf-8")
    path = tmp_path / "mine.yaml"
    path.write_text(re.sub(r"(?m)^name: .*$", "name: mine", text), "utf-8")
    first = within(service, "rulesets", "import", tmp_path)
    assert (first.code, first.out) == (0, "mine/1 is new and live\n"), first.err
    assert within(service, "rulesets", "import", tmp_path).out == "mine/1 is live\n"
    path.write_text(path.read_text("utf-8").replace("title: ", "title: New ", 1), "utf-8")
    assert within(service, "rulesets", "import", tmp_path).out == "mine/2 is new and live\n"
    listed = within(service, "rulesets", "list").out.splitlines()
    assert [line.split()[0] for line in listed if line.startswith("mine")] == ["mine/2"]
    assert {line.split("/")[0] for line in listed} >= {"privacy", "community", "marketplace"}


@pytest.mark.parametrize(
    ("command", "settings", "said"),
    [
        (["up"], {"prot": 1}, "MODERATION_PROT is not a setting; did you mean MODERATION_PORT?"),
        (["submit", "."], {"port": "many"}, "MODERATION_PORT=many: "),
        (["work"], {"upstream_price_usd": -1}, "MODERATION_UPSTREAM_PRICE_USD=-1: "),
        (
            ["rulesets", "list"],
            {"config": "nowhere.toml"},
            "MODERATION_CONFIG=nowhere.toml: No such file or directory",
        ),
    ],
    ids=["unknown name", "not a number", "below zero", "no such file"],
)
def test_wrong_setting_is_one_line(
    tmp_path: Path, command: list[str], settings: dict[str, Any], said: str
) -> None:
    """Whatever command reads it, a wrong setting is named with its value; exit 2."""
    ended = driving.run(*command, cwd=tmp_path, **settings)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert said in line


def test_no_database_says_where_one_comes_from(tmp_path: Path) -> None:
    """Without an address and without a running `up`, the message names both ways."""
    ended = driving.run("tokens", "list", cwd=tmp_path)
    assert ended.code == 2
    assert "MODERATION_DATABASE_URL is not set" in ended.err
    assert "`moderation up`" in ended.err
