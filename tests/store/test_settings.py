"""Settings: where they come from, which one wins, and what is said of those that are refused."""

from pathlib import Path

import pytest

from service import settings
from tests.store.configuring import SECRET, refusal, written


def test_defaults_need_nothing() -> None:
    """An empty environment is enough."""
    read = settings.read({}, {"PATH": "/bin", "moderation_port": "1"})
    assert (read.host, read.port, read.workers, read.log) == ("127.0.0.1", 8080, 1, "console")
    assert read.database_url is None


def test_command_line_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    """Each source overrides those behind it; an empty variable and a None override nothing."""
    environ = written(tmp_path, 'port = 1\nhost = "file"\nworkers = 2\nruleset = "file"\n')
    environ |= {"MODERATION_PORT": "3", "MODERATION_HOST": "environment", "MODERATION_RULESET": ""}
    read = settings.read({"port": 4, "host": None}, environ)
    assert (read.port, read.host, read.workers, read.ruleset) == (4, "environment", 2, "file")
    assert read.concurrency == settings.Settings.model_fields["concurrency"].default


@pytest.mark.parametrize(
    "name", ["lease_s", "LEASE_S", "MODERATION_LEASE_S", "moderation_lease_s", "Moderation_Lease_S"]
)
def test_names_in_the_file_are_those_of_the_environment_too(name: str, tmp_path: Path) -> None:
    """Lower-case names and names with the prefix mean the same."""
    assert settings.read({}, written(tmp_path, f"{name} = 7.5")).lease_s == 7.5


UNKNOWN = {
    "MODERATION_PROT": "MODERATION_PROT is not a setting; did you mean MODERATION_PORT?",
    "MODERATION_UPSTREAM_KYE": "did you mean MODERATION_UPSTREAM_KEY?",
    "MODERATION_ZZZ": "MODERATION_ZZZ is not a setting",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_name_is_refused_with_a_hint(name: str, tmp_path: Path) -> None:
    """A misspelt setting stops the start wherever it stands, and its value is not shown."""
    for said in (
        refusal({name: SECRET}),
        refusal(written(tmp_path, f'{name} = "{SECRET}"')),
        refusal(written(tmp_path, f'{name.removeprefix("MODERATION_").lower()} = "{SECRET}"')),
    ):
        assert UNKNOWN[name] in said
        assert SECRET not in said


def test_every_fault_is_named_at_once() -> None:
    """All unknown names, and all values that are not allowed, are in one message."""
    said = refusal({"MODERATION_ONE": "1", "MODERATION_TWO": "2"})
    assert "MODERATION_ONE" in said
    assert "MODERATION_TWO" in said
    said = refusal({"MODERATION_PORT": "http", "MODERATION_LOG": "loud", "MODERATION_LEASE_S": "1"})
    for part in ("MODERATION_PORT=http: ", "MODERATION_LOG=loud: ", "MODERATION_LEASE_S=1: "):
        assert part in said
    assert "greater than or equal to 2" in said
    assert "'console' or 'json'" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "-1"),
        ("port", "65536"),
        ("workers", "0"),
        ("concurrency", "0"),
        ("decoders", "0"),
        ("lease_s", "61"),
        ("lease_s", "nan"),
        ("grace_s", "-1"),
        ("public_url", "example.org"),
    ],
)
def test_value_that_is_not_allowed_is_named(name: str, value: str) -> None:
    """The message holds the setting and the value, from the environment and the command line."""
    assert f"MODERATION_{name.upper()}={value}: " in refusal({f"MODERATION_{name.upper()}": value})
    assert f"MODERATION_{name.upper()}={value}: " in refusal({}, **{name: value})


FAULTY = {
    "key that is a list": f'upstream_key = ["{SECRET}"]',
    "address with a password": f'upstream_url = "htp://user:{SECRET}@example.org"',
    "address with a key": f'upstream_url = "htp://example.org/v1?key={SECRET}"',
    "variable of another type": f'upstream_key_env = ["{SECRET}"]',
    "misspelt key of the single one": f'upstream_kye = "{SECRET}"',
    "table without url": f'[[upstream]]\nname = "a"\nkey = "{SECRET}"',
    "misspelt key": f'[[upstream]]\nname = "a"\nurl = "http://x"\npasword = "{SECRET}"',
    "key of another type": f'[[upstream]]\nname = "a"\nurl = "http://x"\nkey = {{a = "{SECRET}"}}',
    "table that is a list": f'upstream = [["{SECRET}"]]',
    "table that is a text": f'upstream = ["{SECRET}"]',
    "text instead of tables": f'upstream = "{SECRET}"',
    "one table instead of a list": f'[upstream]\nkey = "{SECRET}"',
    "table as a setting": f'[port]\nkey = "{SECRET}"',
    "same name twice": f'[[upstream]]\nname = "a"\nurl = "http://x"\nkey = "{SECRET}"\n' * 2,
    "token of another type": f'token = ["{SECRET}"]',
    "database that is a list": f'database_url = ["{SECRET}"]',
    "broken file": f'upstream_key = "{SECRET}',
}


@pytest.mark.parametrize("name", FAULTY)
def test_secret_is_never_shown(name: str, tmp_path: Path) -> None:
    """However a file is wrong, the refusal says where and holds no secret of it."""
    said = refusal(written(tmp_path, FAULTY[name]))
    assert said.startswith(("MODERATION_", "[[upstream]]"))
    assert SECRET not in said


def test_secrets_are_not_shown_by_repr(tmp_path: Path) -> None:
    """Settings can be printed."""
    text = f'[[upstream]]\nname = "a"\nurl = "http://x"\nkey = "{SECRET}"'
    environ = written(tmp_path, text) | {
        "MODERATION_UPSTREAM_KEY": SECRET,
        "MODERATION_DATABASE_URL": f"postgresql://me:{SECRET}@127.0.0.1/db",
        "MODERATION_OWNER_DATABASE_URL": f"postgresql://me:{SECRET}@127.0.0.1/db",
        "MODERATION_TOKEN": SECRET,
    }
    read = settings.read({}, environ)
    assert SECRET not in f"{read!r} {read} {read.model_dump_json()}"


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file, a folder and a file that is not TOML are told apart."""
    assert "none.toml: No such file" in refusal({"MODERATION_CONFIG": str(tmp_path / "none.toml")})
    assert "Is a directory" in refusal({"MODERATION_CONFIG": str(tmp_path)})
    assert "line 1" in refusal(written(tmp_path, "port: 1"))
    (tmp_path / "moderation.toml").write_bytes(b"\xff\xfe")
    assert "codec" in refusal({"MODERATION_CONFIG": str(tmp_path / "moderation.toml")})


def test_upstream_tables_stand_in_the_file_only() -> None:
    """The environment cannot hold tables and says where they go."""
    assert "[[upstream]] in the TOML file" in refusal({"MODERATION_UPSTREAM": "http://x"})
