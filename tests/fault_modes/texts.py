"""Answers with a good image whose text is missing, not the model's, or no description."""

import json
from typing import Any

from tests.fault_modes import CLEAN, IMAGE, Mode, everywhere, merged
from tests.upstream import answered, description, echo, finding


def _mode(said: str | None, outcome: str, seen: str) -> Mode:
    return Mode(everywhere(answered(said, IMAGE)), outcome, seen)


def _invalid(said: str, seen: str = "hardening 4") -> Mode:
    return _mode(said, "invalid_description", seen)


def _changed(**changes: Any) -> Mode:
    return _invalid(json.dumps(description(**changes)), "hardening R6")


def _found(**changes: Any) -> Mode:
    return _changed(findings=[finding("bystander-faces", **changes)])


def _replaced(old: str, new: str) -> Mode:
    return _invalid(CLEAN.replace(old, new, 1))


_FACE = json.dumps(description(findings=[finding("bystander-faces")]))
MISSING = {
    "image_alone": _mode(None, "no_description", "CLIProxyAPI#57"),
    "text_empty": _mode("", "no_description", "rikkahub#899"),
    "text_blank": _mode(" \n\t", "no_description", "wire 2"),
    "text_is_a_picture": _mode("![image](https://x/a.png)", "no_description", "new-api"),
    **{
        name: Mode(everywhere(echo(made)), "no_description", seen)
        for name, made, seen in (
            ("echo", str, "llmgateway, wire 2"),
            ("echo_wrapped", "Edit the image as told: {}\nReturn one image.".format, "wire 2"),
            ("echo_truncated", lambda prompt: prompt[:500], "wire 2"),
            ("echo_of_the_end", lambda prompt: prompt[-800:], "wire 2"),
            ("echo_on_one_line", lambda prompt: " ".join(prompt.split()), "wire 2"),
            ("echo_before_a_description", lambda prompt: prompt + CLEAN, "wire 2"),
        )
    },
}
INVALID = {
    "prose": _invalid("A quiet street with two parked cars.", "wire 6"),
    "refusal_in_words": _invalid("I'm sorry, I can't describe this image.", "wire 2"),
    "verdict_in_words": _invalid("Verdict: allow. No findings.", "hardening 3"),
    "verdict_alone": _invalid('{"verdict": "allow"}', "hardening R6"),
    "cut_at_500": _invalid(json.dumps(description(summary="x" * 900))[:500], "wire 2"),
    "fence_open": _invalid("```json\n" + CLEAN[:-1], "wire 6"),
    "single_quotes": _invalid(str(description()), "models write Python"),
    "trailing_comma": _invalid(CLEAN[:-1] + ",}", "models write JavaScript"),
    "comment": _invalid(CLEAN[:-1] + " /* clean */}", "models write JavaScript"),
    "yaml": _invalid("summary: A plain picture.\nfindings: []", "models write YAML"),
    "text_array": _invalid("[]"),
    "text_array_of_it": _invalid(f"[{CLEAN}]"),
    "text_string": _invalid(json.dumps("clean")),
    "text_number": _invalid("-1.5e3"),
    "text_object_empty": _invalid("{}", "hardening R6"),
    "key_twice": _invalid(CLEAN[:-1] + ', "findings": []}'),
    "two_descriptions": _invalid(f"{CLEAN}\n{_FACE}", "drafts, wire 2"),
    "draft_and_final": _invalid(f"Draft: {CLEAN} Final: {_FACE}", "drafts, wire 2"),
    "draft_before_fence": _invalid(f"{CLEAN}\n```json\n{_FACE}\n```", "drafts, wire 2"),
    "key_twice_inside": _invalid(_FACE.replace('"severity": 2', '"severity": 2, "severity": 1')),
    "nan": _invalid(_FACE.replace("0.9", "NaN")),
    "infinity": _invalid(_FACE.replace("0.9", "Infinity")),
    "infinite_number": _invalid(_FACE.replace("0.9", "1e400")),
    "huge_integer": _invalid(_FACE.replace('"severity": 2', '"severity": ' + "9" * 5000)),
    "nul_escaped": _replaced("A plain", "A \\u0000 plain"),
    "nul": _replaced("A plain", "A \0 plain"),
    "nul_in_a_key": _invalid(CLEAN[:-1] + ', "\\u0000": 1}'),
    "surrogate_escaped": _replaced("A plain", "A \\ud83d plain"),
    "surrogate": _replaced("A plain", "A \ud83d plain"),
    "mark_first": _invalid("\ufeff" + CLEAN),
    "deep": _invalid(CLEAN[:-1] + ', "a": ' + "[" * 40 + "]" * 40 + "}"),
    "very_deep": _invalid('{"summary":' * 5000),
    "too_long": _invalid(json.dumps(description(summary="x" * 300_000))),
    "another_rulesets": _changed(findings=[finding("graphic-violence")]),
    "rule_unknown": _changed(findings=[finding("no-such-rule")]),
    "rule_unknown_not_assessed": _changed(not_assessed=["no-such-rule"]),
    "rule_missing": _changed(findings=[{"severity": 2}]),
    "severity_9": _found(severity=9),
    "severity_0": _found(severity=0),
    "severity_true": _found(severity=True),
    "severity_in_words": _found(severity="medium"),
    "confidence_in_percent": _found(confidence=90),
    "box_out_of_range": _found(box_2d=[0, 0, 1001, 1000]),
    "box_in_fractions": _found(box_2d=[0.25, 0.25, 0.75, 0.75]),
    "box_turned": _found(box_2d=[750, 250, 250, 750]),
    "box_flat": _found(box_2d=[5, 5, 5, 9]),
    "box_of_three": _found(box_2d=[0, 0, 1000]),
    "box_of_objects": _found(box_2d={"x": 0, "y": 0}),
    "finding_extra_key": _found(verdict="allow"),
    "findings_null": _changed(findings=None),
    "findings_object": _changed(findings={}),
    "finding_is_text": _changed(findings=["a face"]),
    "text_to_model_is_text": _changed(text_to_model="allow"),
    "extra_key": _changed(verdict="allow"),
    "missing_key": _invalid(
        json.dumps({"findings": [], "not_assessed": [], "text_to_model": []}), "hardening R6"
    ),
}
HARMLESS = {
    "fenced": _mode(f"```json\n{CLEAN}\n```", "described", "wire 6"),
    "fenced_without_a_name": _mode(f"```\n{CLEAN}\n```", "described", "wire 6"),
    "prose_around": _mode(f"Here you are: {CLEAN} Anything else?", "described", "wire 6"),
    "pretty": _mode(json.dumps(description(), indent=4), "described", "wire 6"),
    "picture_beside_it": _mode(
        f"![image](data:image/png;base64,{IMAGE})\n{CLEAN}", "described", "new-api, wire 2"
    ),
}
MODES = merged(MISSING, INVALID, HARMLESS)
