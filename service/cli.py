"""The command line: the group of all commands, and what a refusal looks like."""

import asyncio
import sys

import click

import service
from service.commands import (
    auditing,
    calling_back,
    hooking,
    keeping,
    operating,
    platforms,
    policy,
    probing,
    releases,
    running,
    sending,
    spending,
    trying,
)
from service.errors import InputRefused, ServiceError, StartRefused

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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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


for command in (
    running.up,
    running.serve,
    running.work,
    running.deliver,
    running.local,
    running.migrate,
    sending.submit,
    keeping.tokens_group,
    platforms.platforms_group,
    calling_back.endpoints_group,
    calling_back.callbacks_group,
    policy.rulesets_group,
    spending.costs_command,
    spending.budgets_group,
    probing.upstream_group,
    hooking.hooks_group,
    auditing.audit_group,
    operating.fsck,
    operating.doctor,
    operating.monitoring,
):
    commands.add_command(command)


for command in (releases.rulesets_publish, releases.rulesets_rollback, trying.rulesets_test):
    policy.rulesets_group.add_command(command)


def _complain(error: ServiceError) -> None:
    click.echo(f"moderation: {error}", err=True)
    faults = error.errors if isinstance(error, InputRefused) else None
    for fault in faults or []:
        place = ":".join(str(fault[key]) for key in ("file", "line", "column") if key in fault)
        click.echo(f"  {place}: {fault.get('path', '')} {fault.get('message', '')}", err=True)
