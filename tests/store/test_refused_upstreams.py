"""Upstreams that are refused: exit 2, one line, and in it the name that the operator wrote."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.errors import StartRefused
from tests.store.configuring import HEAD, SECRET, read, refusal, written
from tests.up import driving

DIALECTS = "'openai-images', 'gemini' or 'openai-chat'"
# Values that are not allowed, and how it is said what is.
REFUSED: list[tuple[str, str | float, str]] = [
    ("name", "With Spaces", "pattern"),
    ("url", "ftp://example.org", "'http' or 'https'"),
    ("dialect", "carrier-pigeon", DIALECTS),
    ("dialect", "claude-messages", DIALECTS),
    ("price_usd", -1, "greater than or equal to 0"),
    ("price_usd", "inf", "finite"),
    ("price_usd", "nan", "finite"),
    ("weight", -1, "Input should be greater than"),
    ("weight", 1001, "less than or equal to 1000"),
    ("response_format", "perhaps", "boolean"),
    ("timeout_s", 0, "greater than 0"),
    ("timeout_s", "nan", "less than or equal to 600"),
    ("timeout_s", 601, "less than or equal to 600"),
    ("connect_timeout_s", 0, "greater than 0"),
    ("connect_timeout_s", 61, "less than or equal to 60"),
    ("read_timeout_s", 0, "greater than 0"),
    ("read_timeout_s", 121, "at most timeout_s, which is 120"),
    ("max_answer_mb", 0, "greater than or equal to 1"),
    ("max_answer_mb", 257, "less than or equal to 256"),
    ("max_in_flight", 0, "greater than or equal to 1"),
    ("max_in_flight", 1.5, "integer"),
    ("requests_per_minute", 0, "greater than 0"),
    ("requests_per_minute", "inf", "finite"),
    ("max_prompt_chars", 0, "greater than or equal to 1"),
    ("context_tokens", 0, "greater than or equal to 1"),
    ("repair", "twice", "'off', 'edit', 'openai-chat' or 'claude-messages'"),
    ("repair", "claude-messages", "needs repair_model"),
    ("repair_price_usd", 101, "less than or equal to 100"),
]


@pytest.mark.parametrize(("option", "value", "allowed"), REFUSED)
def test_value_that_is_not_allowed_is_named(
    option: str, value: str | float, allowed: str, tmp_path: Path
) -> None:
    """Option, value and what is allowed are told, also of an upstream that is not configured."""
    variable = f"MODERATION_UPSTREAM_{option.upper()}"
    said = refusal({variable: str(value)})
    assert said.startswith(f"{variable}={value}: ")
    assert allowed in said
    options = {"name": "fast", "url": "https://example.org", option: value}
    lines = [f"{name} = {json.dumps(it)}" for name, it in options.items()]
    said = refusal(written(tmp_path, "\n".join(["[[upstream]]", *lines])))
    table = "number 1" if option == "name" else "fast"
    assert said.startswith(f"[[upstream]] {table}: {option}={value}: ")
    assert allowed in said


@pytest.mark.parametrize("host", ["https://cdn.example.org", "cdn.example.org:8443", "*.org", "a,"])
def test_answer_host_is_a_name_alone(host: str) -> None:
    """Addresses, ports, wildcards and empty names are refused with an example of what is meant."""
    said = refusal({"MODERATION_UPSTREAM_ANSWER_HOSTS": host})
    assert said.startswith("MODERATION_UPSTREAM_ANSWER_HOSTS")
    assert "such as images.example.org" in said


# Misspelt options and the nearest ones that there are.
MISSPELT = {
    "modle": "model",
    "apikey": "key",
    "base_url": "url",
    "timeout": "timeout_s",
    "max_inflight": "max_in_flight",
    "request_per_minute": "requests_per_minute",
    "repair_modell": "repair_model",
}


@pytest.mark.parametrize("option", MISSPELT)
def test_misspelt_option_is_named_with_the_nearest(option: str, tmp_path: Path) -> None:
    """In the environment, at the file's top level, in a table; what was given is never shown."""
    nearest = MISSPELT[option]
    variable = f"MODERATION_UPSTREAM_{option.upper()}"
    wanted = f"{variable} is not a setting; did you mean MODERATION_UPSTREAM_{nearest.upper()}?"
    assert refusal({variable: SECRET}) == wanted
    assert refusal(written(tmp_path, f'upstream_{option} = "{SECRET}"')) == wanted
    said = refusal(written(tmp_path, f'{HEAD}{option} = "{SECRET}"'))
    assert said == f"[[upstream]] fast: {option} is not a setting; did you mean {nearest}?"


def test_table_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    """Counted from one, as the reader of the file does; so is one that is no table at all."""
    said = refusal(written(tmp_path, f'{HEAD}[[upstream]]\nurl = "http://x"\nMODEL = "x"\n'))
    assert "[[upstream]] number 2: name: " in said
    assert "[[upstream]] number 2: MODEL is not a setting; did you mean model?" in said
    assert "[[upstream]] number 1: " in refusal(written(tmp_path, "upstream = [1]"))
    assert refusal(written(tmp_path, "[upstream]\nx = 1\n")).startswith("[[upstream]]: ")


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    """Faults of other settings, of the single upstream and of each table are in one message."""
    text = f"{HEAD}modle = 1\nweight = -1\n{HEAD.replace('fast', 'slow')}max_answer_mb = 0\n"
    environ = {"MODERATION_PORT": "http", "MODERATION_ONE": "1", "MODERATION_UPSTREAM_TWO": "2"}
    said = refusal(written(tmp_path, text) | environ)
    for part in (
        "MODERATION_PORT=http: ",
        "MODERATION_ONE is not a setting",
        "MODERATION_UPSTREAM_TWO is not a setting",
        "[[upstream]] fast: modle is not a setting",
        "[[upstream]] fast: weight=-1: ",
        "[[upstream]] slow: max_answer_mb=0: ",
    ):
        assert part in said


def test_tables_must_differ_and_one_must_have_a_weight(tmp_path: Path) -> None:
    """The ledger tells upstreams apart by name, and somebody must be called first."""
    assert "upstream names must differ" in refusal(written(tmp_path, HEAD * 2))
    idle = f"{HEAD}weight = 0\n"
    said = refusal(written(tmp_path, idle + idle.replace("fast", "slow")))
    assert "one of ['fast', 'slow'] needs a weight above 0" in said
    said = refusal({"MODERATION_UPSTREAM_WEIGHT": "0"})
    assert "MODERATION_UPSTREAM_WEIGHT=0: Input should be greater than 0" in said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f'key_env = "{SECRET}"', "key_env names a variable that is not set"),
        (f'key = "{SECRET}\\n"', "key holds a line break"),
        ('model = "unheard-of"', "price_usd is not set and the price table has no 'unheard-of'"),
    ],
)
def test_upstream_that_could_not_be_called_is_refused(line: str, said: str, tmp_path: Path) -> None:
    """Named by table or by variable; a key is not shown, not even one in the place of its name."""
    for text, place in (
        (f"{HEAD}{line}", "[[upstream]] fast: "),
        (f'upstream_url = "http://x"\nupstream_{line}', "MODERATION_UPSTREAM_"),
    ):
        with pytest.raises(StartRefused) as refused:
            read(written(tmp_path, text))
        message = str(refused.value)
        option, _, rest = said.partition(" ")
        name = option if "[" in place else option.upper()
        assert message.startswith(f"{place}{name} {rest}")
        assert SECRET not in message


@pytest.mark.parametrize(
    ("command", "options", "table", "said"),
    [
        (
            ["work"],
            {"upstream_modle": SECRET},
            "",
            "MODERATION_UPSTREAM_MODLE is not a setting; did you mean MODERATION_UPSTREAM_MODEL?",
        ),
        (
            ["work"],
            {},
            f'{HEAD}modle = "{SECRET}"',
            "[[upstream]] fast: modle is not a setting; did you mean model?",
        ),
        (
            ["upstream", "probe"],
            {"upstream_dialect": "pigeon"},
            "",
            f"MODERATION_UPSTREAM_DIALECT=pigeon: Input should be {DIALECTS}",
        ),
        (
            ["up"],
            {},
            f"{HEAD}max_answer_mb = 1000",
            "[[upstream]] fast: max_answer_mb=1000: Input should be less than or equal to 256",
        ),
        (
            ["work"],
            {"upstream_timeout_s": 5, "upstream_read_timeout_s": 6},
            "",
            "MODERATION_UPSTREAM_READ_TIMEOUT_S=6: Input should be at most timeout_s, which is 5",
        ),
    ],
    ids=["misspelt variable", "misspelt in a table", "dialect", "out of range", "silence"],
)
def test_command_says_it_in_one_line(
    command: list[str], options: dict[str, Any], table: str, said: str, tmp_path: Path
) -> None:
    """Exit 2 and nothing else on stderr, whatever command it is and wherever the fault stands."""
    ended = driving.run(*command, cwd=tmp_path, **options, **_config(tmp_path, table))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"moderation: {said}\n"


def _config(tmp_path: Path, table: str) -> dict[str, Any]:
    return {"config": written(tmp_path, table)["MODERATION_CONFIG"]} if table else {}
