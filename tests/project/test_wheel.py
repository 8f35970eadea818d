"""What an installed wheel carries."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_wheel_carries_all_that_runs_without_a_checkout(tmp_path: Path) -> None:
    """Every migration, every ruleset and every picture of the demo is inside the package."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    carried = set(zipfile.ZipFile(wheel).namelist())
    for folder, place in (
        ("migrations", "service/bundled/migrations"),
        ("rulesets", "service/bundled/rulesets"),
        ("service/demo_pictures", "service/demo_pictures"),
    ):
        files = [path.name for path in (ROOT / folder).iterdir() if path.is_file()]
        assert files
        assert {f"{place}/{name}" for name in files} <= carried
