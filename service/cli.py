"""The command line: the group of all commands, and what a refusal looks like."""

import asyncio
import sys

import click

import service
from service.errors import InputRefused, ServiceError, StartRefused
from service.loading import Elsewhere, LazyGroup

# The command was right: these are faults that it was asked to find, or how things stand.
WORK_FAILED = (
    *("ruleset_invalid", "ruleset_too_long", "model_unknown", "not_found", "ruleset_moved"),
    *("second_person_needed", "examples_failed", "rollback_impossible"),
    *("examples_unusable", "quote_changed", "quote_impossible", "hook_malformed"),
)


def main() -> None:
    """Run a command; what is refused is one line on stderr, and exit code 2 or 1."""
    try:
        commands(prog_name="moderation")
    except (StartRefused, InputRefused) as error:
        _complain(error)
        sys.exit(1 if error.code in WORK_FAILED else 2)
    except ServiceError as error:
        _complain(error)
        sys.exit(1)
    except asyncio.CancelledError:
        click.echo("moderation: stopped at once, as the second signal asked", err=True)
        sys.exit(1)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(service.__version__)
def commands() -> None:
    """
    Edit-and-describe image moderation.

    \b
    Everything on this machine, with a demonstration:
      moderation up --demo
    Your own pictures through it, from another shell:
      moderation submit ~/Pictures --save looked-at
    """


for name, place, short_help in (
    ("up", "up:up", "Run everything on this machine."),
    ("serve", "serve:serve", "Answer HTTP; as many processes as wanted."),
    ("work", "work:work", "Work on uploads; as many processes and hosts as wanted."),
    ("deliver", "deliver:deliver", "Deliver callbacks; as many processes and hosts as wanted."),
    ("local", "local:local", "Run only the local edits endpoint."),
    ("migrate", "migrate:migrate", "Apply migrations and publish the shipped rulesets."),
    ("submit", "sending:submit", "Send pictures through a running service."),
    ("tokens", "keeping:tokens_group", "Make, list and end bearer tokens."),
    ("platforms", "platforms:platforms_group", "List platforms and set what they may use."),
    ("endpoints", "calling_back:endpoints_group", "Say where platforms are called back."),
    ("callbacks", "calling_back:callbacks_group", "Look at callbacks as a receiver does."),
    ("rulesets", "policy:rulesets_group", "Write, check, publish and roll back rulesets."),
    ("costs", "spending:costs_command", "Show what calls cost this month."),
    ("budgets", "spending:budgets_group", "Set, list and remove budgets."),
    ("upstream", "probing:upstream_group", "Find out what an upstream really does."),
    ("hooks", "hooking:hooks_group", "See what upload hooks understand."),
    ("audit", "auditing:audit_group", "Check the audit trail."),
    ("fsck", "fsck:fsck", "Check every invariant of a live database."),
    ("doctor", "doctor:doctor", "Look for what is wrong, and say what to do about it."),
    (
        "monitoring",
        "monitoring:monitoring",
        "Print the dashboard for Grafana or alerts for Prometheus.",
    ),
):
    commands.add_command(Elsewhere(name, place, short_help))


def _complain(error: ServiceError) -> None:
    click.echo(f"moderation: {error}", err=True)
    faults = error.errors if isinstance(error, InputRefused) else None
    for fault in faults or []:
        place = ":".join(str(fault[key]) for key in ("file", "line", "column") if key in fault)
        click.echo(f"  {place}: {fault.get('path', '')} {fault.get('message', '')}", err=True)
