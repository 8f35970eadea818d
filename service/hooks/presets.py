"""The presets: whose messages are understood, by the name in the path of a hook."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from service.errors import InputRefused
from service.hooks import Fault, HookRefused, Message, Result, cloudevents, generic, s3, tus
from service.hooks.settings import HookSettings

Preset: TypeAlias = Callable[[Message, HookSettings], Sequence[Result]]
PRESETS: Mapping[str, Preset] = {
    "s3": s3.read,
    "cloudevents": cloudevents.read,
    "tus": tus.read,
    "generic": generic.read,
}


def check(preset: str) -> None:
    """See that there is such a preset; InputRefused ``hook_unknown`` if not."""
    if preset not in PRESETS:
        raise InputRefused(
            "hook_unknown", f"there is no hook {preset[:80]!a}; allowed are {', '.join(PRESETS)}"
        )


def read(preset: str, message: Message, settings: HookSettings) -> Sequence[Result]:
    """
    Tell what a message is about: one result for each thing in it, in its order; maybe none.

    Raises:
        HookRefused: Nothing in it can be used; its ``errors`` name every place and why.
        InputRefused: ``hook_unknown``, there is no such preset.
    """
    check(preset)
    results = PRESETS[preset](message, settings)
    faults = [result for result in results if isinstance(result, Fault)]
    if faults and len(faults) == len(results):
        raise HookRefused(*faults)
    return results
