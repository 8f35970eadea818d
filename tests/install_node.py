"""Finds Node for the tests that run README's JavaScript, or installs Debian's as root."""

import os
import shutil
import subprocess

import pytest


def node() -> str:
    """Give Node's path; only who is not root and has none may skip."""
    if shutil.which("node") is None:
        if os.geteuid() != 0:
            pytest.skip("there is no Node here, and only root can install Debian's")
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "nodejs"]):
            subprocess.run(["apt-get", *command], check=True, capture_output=True)
    found = shutil.which("node")
    assert found is not None
    return found
