"""Rulesets through their versions: what the tests write, send and read."""

import textwrap
from typing import Any

from tests.conftest import Caller

YAML = {"Content-Type": "application/yaml"}
TOPICS = {
    "faces": "Faces of people who are not the subject of the picture",
    "plates": "Registration numbers on the plates of cars and motorcycles",
    "cards": "Payment cards with a readable number or expiry date",
    "signs": "Road signs that tell where exactly a child goes to school",
    "screens": "Computer screens that show mail, messages or documents",
    "keys": "Keys photographed so sharply that they could be copied",
    "letters": "Envelopes and parcels with the address of a private home",
    "badges": "Name badges and passes that open the doors of a company",
}


def source(*rules: str, name: str = "shop", title: str = "Shop", more: str = "") -> str:
    """Write a small ruleset of these topics; ``more`` are lines at its top."""
    head = f"name: {name}\ntitle: {title}\ngoal: Keep private what is private.\n{more}"
    return head + "rules:\n" + "".join(map(_rule, rules or ("faces",)))


def _rule(topic: str) -> str:
    return textwrap.indent(
        f"- id: {topic}\n"
        f"  title: {topic.capitalize()}\n"
        f"  policy: {TOPICS[topic]}.\n"
        f"  should_not:\n"
        f"    - {TOPICS[topic]}\n"
        "  severity: medium\n  edit: blur\n  verdict: allow_edited\n",
        "  ",
    )


async def add(caller: Caller, text: str | bytes, name: str = "shop", query: str = "") -> Any:
    """Send a ruleset that must be taken, new or known; give the version."""
    status, body, headers = await caller.ask(
        "POST", f"/v1/rulesets/{name}/versions{query}", data=text, headers=YAML
    )
    assert status in (200, 201), body
    assert headers["Location"] == f"/v1/rulesets/{name}/versions/{body['version']}"
    return body


async def publish(caller: Caller, version: int, name: str = "shop", **body: Any) -> Any:
    """Publish a version, which must succeed."""
    path = f"/v1/rulesets/{name}/versions/{version}/publish"
    status, done, headers = await caller.ask("POST", path, json=body)
    assert status == 200, done
    assert headers["ETag"] == f'"{version}"'
    return done


async def roll_back(caller: Caller, name: str = "shop", **body: Any) -> Any:
    """Roll back, which must succeed."""
    status, done, _ = await caller.ask("POST", f"/v1/rulesets/{name}/rollback", json=body)
    assert status == 200, done
    return done


async def get(caller: Caller, path: str, **request: Any) -> Any:
    """Read something that is there."""
    status, body, _ = await caller.ask("GET", f"/v1/rulesets{path}", **request)
    assert status == 200, body
    return body
