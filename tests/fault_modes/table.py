"""The whole table of fault modes, by name."""

from typing import Final

from tests.fault_modes import Mode, dialects, merged, pictures, statuses, texts, transport

MODES: Final = merged(statuses.MODES, transport.MODES, pictures.MODES, texts.MODES, dialects.MODES)


def of(dialect: str) -> dict[str, Mode]:
    """Give the modes that a dialect can show."""
    return {name: mode for name, mode in MODES.items() if dialect in mode.answers}
