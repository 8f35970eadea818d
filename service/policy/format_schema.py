"""The JSON Schema of the ruleset format, by which editors complete and check."""

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from service.policy.rulesets import Ruleset


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles of keys, which would only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # told by the base
        return False


def schema() -> dict[str, Any]:
    """
    Generate the schema (draft 2020-12) of a ruleset file.

    It tells keys, types, lengths, shapes and closed lists.  What parts must be to each other, and
    which texts would break the prompt, only ``rulesets.parse`` tells.
    """
    generated = Ruleset.model_json_schema(schema_generator=_Untitled)
    return {"$schema": GenerateJsonSchema.schema_dialect, **generated}


def text() -> str:
    """Write the schema as the file ``rulesets/ruleset.schema.json`` holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
