"""
Commands that are imported when they are called, for each needs other parts of the service.

`up` starts a process for each role, and all of them together take seconds to import what none of
them needs whole.  This is the one place that imports late.
"""

import importlib

import click


class Elsewhere(click.Command):
    """
    What a group tells of a command without importing it: its name and its short help.

    ``place`` is ``MODULE:NAME`` in ``service.commands``.
    """

    def __init__(self, name: str, place: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self._place = place

    def load(self) -> click.Command:
        """Import the command itself."""
        module, name = self._place.split(":")
        imported = importlib.import_module(f"service.commands.{module}")
        command: click.Command = getattr(imported, name)
        return command


class LazyGroup(click.Group):
    """A group that imports the command that is called, and no other."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; see click."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, Elsewhere) else command, rest
