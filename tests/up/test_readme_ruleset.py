"""README takes a newcomer from an empty file to a published, tested ruleset."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.up import driving
from tests.up.driving import CHECKOUT, Up

README = (CHECKOUT / "README.md").read_text("utf-8")
NAME = "lost-and-found"


def shown(marker: str) -> str:
    """Give the block of commands that stands under a marker, exactly as README shows it."""
    (block,) = re.findall(rf"<!-- {marker} -->\n```sh\n(.*?)```", README, re.DOTALL)
    return str(block)


def typed(commands: str, folder: Path, up: Up) -> str:
    """Have a shell run the commands, with `moderation` on its PATH; gives what they printed."""
    environment = driving.environment(data_dir=up.data_dir)
    programs = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder,
        env=environment | {"PATH": f"{programs}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_of_readme_publish_a_tested_ruleset(service: Up, tmp_path: Path) -> None:
    """They work one after the other as they stand, and leave the first of two versions live."""
    shutil.copytree(CHECKOUT / "rulesets", tmp_path / "rulesets")

    first = typed(shown("ruleset"), tmp_path, service)
    assert f'<ruleset name="{NAME}" version="1"' in first
    assert re.search(r"2 of 2 examples", first)
    assert "redacted" in first
    assert "allow_edited" in first

    again = typed(shown("ruleset-again"), tmp_path, service)
    assert "medium" in again
    assert "high" in again
    listed = driving.run("rulesets", "list", "--json", "--data-dir", service.data_dir)
    (found,) = [one for one in json.loads(listed.out)["items"] if one["name"] == NAME]
    assert (found["live_version"], found["states"]["retired"]) == (1, 1)
