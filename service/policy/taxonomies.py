"""The closed lists of outside taxonomies that a rule may be mapped to."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

# Hazard uids of MLCommons AILuminate 1.0, README of mlcommons/ailuminate.
AILUMINATE: Final = frozenset(
    {
        *("vcr", "src", "cse", "ssh", "iwp", "ipv", "dfm", "ncr", "hte", "prv"),
        *("spc_ele", "spc_fin", "spc_hlt", "sxc_prn"),
    }
)

# The keys of CreateModerationResponse in openai/openai-openapi.
OPENAI: Final = frozenset(
    {
        *("hate", "hate/threatening", "harassment", "harassment/threatening"),
        *("illicit", "illicit/violent", "self-harm", "self-harm/intent", "self-harm/instructions"),
        *("sexual", "sexual/minors", "violence", "violence/graphic"),
    }
)

# Categories and the keywords that can concern a picture, from the schema of the EU's DSA
# Transparency Database in force since 2025-07-01 (digital-services-act/transparency-database,
# app/Models/Statement.php).
_DSA_CATEGORIES: Final = """
    ANIMAL_WELFARE CONSUMER_INFORMATION CYBER_VIOLENCE CYBER_VIOLENCE_AGAINST_WOMEN
    DATA_PROTECTION_AND_PRIVACY_VIOLATIONS ILLEGAL_OR_HARMFUL_SPEECH
    INTELLECTUAL_PROPERTY_INFRINGEMENTS NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS
    NOT_SPECIFIED_NOTICE OTHER_VIOLATION_TC PROTECTION_OF_MINORS RISK_FOR_PUBLIC_SECURITY
    SCAMS_AND_FRAUD SELF_HARM UNSAFE_AND_PROHIBITED_PRODUCTS VIOLENCE
"""
_DSA_KEYWORDS: Final = """
    ADULT_SEXUAL_MATERIAL NUDITY CHILD_SEXUAL_ABUSE_MATERIAL CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE
    GROOMING_SEXUAL_ENTICEMENT_MINORS AGE_SPECIFIC_RESTRICTIONS_MINORS
    NON_CONSENSUAL_IMAGE_SHARING NON_CONSENSUAL_IMAGE_SHARING_AGAINST_WOMEN
    NON_CONSENSUAL_MATERIAL_DEEPFAKE NON_CONSENSUAL_MATERIAL_DEEPFAKE_AGAINST_WOMEN
    BIOMETRIC_DATA_BREACH MISSING_PROCESSING_GROUND HATE_SPEECH DISCRIMINATION TERRORIST_CONTENT
    INCITEMENT_VIOLENCE_HATRED HUMAN_TRAFFICKING HUMAN_EXPLOITATION ANIMAL_HARM SELF_MUTILATION
    SUICIDE CONTENT_PROMOTING_EATING_DISORDERS UNSAFE_CHALLENGES PROHIBITED_PRODUCTS
    UNSAFE_PRODUCTS GOODS_SERVICES_NOT_PERMITTED COPYRIGHT_INFRINGEMENT TRADEMARK_INFRINGEMENT
    IMPERSONATION_ACCOUNT_HIJACKING PHISHING MISINFORMATION_DISINFORMATION
    CYBER_BULLYING_INTIMIDATION CYBER_HARASSMENT CYBER_STALKING RISK_PUBLIC_HEALTH OTHER
"""
DSA: Final = frozenset(
    {f"STATEMENT_CATEGORY_{name}" for name in _DSA_CATEGORIES.split()}
    | {f"KEYWORD_{name}" for name in _DSA_KEYWORDS.split()}
)


def _listed(name: str, known: frozenset[str], source: str) -> str:
    if name not in known:
        raise PydanticCustomError(
            "not_listed",
            "is {entry}, which is not in {source}; allowed are {known}.",
            {"entry": repr(name[:80]), "source": source, "known": ", ".join(sorted(known))},
        )
    return name


def _entry(known: frozenset[str], source: str) -> tuple[AfterValidator, FieldInfo]:
    """Refuse what is not in a list, with a sentence; editors are told the list."""
    told: Any = Field(json_schema_extra={"enum": [*sorted(known)]})
    return AfterValidator(lambda name: _listed(name, known, source)), told


AiluminateUid = Annotated[str, *_entry(AILUMINATE, "AILuminate 1.0")]
DsaName = Annotated[str, *_entry(DSA, "the DSA Transparency Database")]
OpenaiKey = Annotated[str, *_entry(OPENAI, "OpenAI's moderation categories")]
