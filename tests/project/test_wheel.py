"""What an installed wheel carries."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_wheel_carries_all_that_runs_without_a_checkout(tmp_path: Path) -> None:
    """Every migration, ruleset, picture of the demo and file of the console is inside it."""
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
        ("service/web/console", "service/web/console"),
    ):
        inside = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        files = [path.relative_to(ROOT / folder).as_posix() for path in inside]
        assert files
        assert {f"{place}/{name}" for name in files} <= carried
