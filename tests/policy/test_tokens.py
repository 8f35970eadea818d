"""Tokens: estimated rather too many than too few, and what does not fit is said in a sentence."""

import pytest

from service.policy import tokens
from service.policy.tokens import IMAGE_TOKENS, Size, Window

DEFAULT = "gemini-3.1-flash-image-preview"
# As o200k_base, cl100k_base (tiktoken 0.14.0) and DeepSeek's tokenizer (of 2026-11) count them.
COUNTED = [
    ("Pictures of adults must not be sexual or show nudity outside art or medicine.", (16, 15, 17)),
    ("Personen, die auf dem Bild zu sehen sind, müssen zugestimmt haben.", (17, 18, 17)),
    ("图片中不得出现个人信息,例如住址、电话号码、车牌号码或银行账户。", (20, 31, 18)),
    ("На изображениях не должны быть видны персональные данные.", (12, 18, 15)),  # noqa: RUF001  # Russian
    ("يجب ألا تظهر في الصور بيانات شخصية مثل العناوين وأرقام الهواتف.", (17, 42, 23)),
    ("चित्रों में पते, फ़ोन नंबर या बैंक खाते दिखाई नहीं देनी चाहिए।", (18, 64, 39)),
    ("😀🎉🔥👍🏽🇩🇪🧑🏿‍🚀", (19, 31, 19)),
    ('{"type":"integer","minimum":0,"maximum":1000},"minItems":4,"maxItems":4', (23, 23, 24)),
    ("4711 0815 2026-11-22 1234567890", (17, 17, 17)),
]


@pytest.mark.parametrize(("text", "counted"), COUNTED)
def test_no_tokenizer_counts_more(text: str, counted: tuple[int, ...]) -> None:
    """Each script, emoji, JSON and digits are estimated at no less than real tokenizers count."""
    assert tokens.measure(text).tokens >= max(counted)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", Size(0, 0)),
        ("a", Size(1, 1)),
        ("word " * 10, Size(50, 15)),
        ("7" * 10, Size(10, 10)),
        ("é" * 10, Size(10, 13)),
        ("中" * 10, Size(10, 23)),
        ("😀" * 10, Size(10, 33)),
    ],
)
def test_formula(text: str, size: Size) -> None:
    """Three tokens for ten characters, one a digit, and one for each further byte of UTF-8."""
    assert tokens.measure(text) == size


@pytest.mark.parametrize(
    ("window", "size", "said"),
    [
        (Window("a", DEFAULT), Size(9_000_000, 131_072 - IMAGE_TOKENS), None),
        (
            Window("a", DEFAULT),
            Size(400_000, 131_073 - IMAGE_TOKENS),
            f"upstream a ({DEFAULT}) takes at most 131072 tokens; the prompt has about 129953 and",
        ),
        (Window("a", DEFAULT), Size(1, 131_072), "about 131072 and the picture 1120"),
        (Window("a", "google/gemini-3.1-flash-image"), Size(1, 131_072), "at most 131072 tokens"),
        (Window("a", "gpt-image-1.5"), Size(32_000, 9_000_000), None),
        (
            Window("b", "gpt-image-1.5"),
            Size(32_001, 9_000),
            "upstream b (gpt-image-1.5) takes a prompt of at most 32000 characters; this one has",
        ),
        (Window("b", "openai/gpt-image-2"), Size(32_001, 1), "this one has 32001"),
        (Window("a", "gpt-image-1", max_prompt_chars=40_000), Size(40_000, 1), None),
        (Window("a", "gpt-image-1", max_prompt_chars=900), Size(901, 1), "at most 900 characters"),
        (Window("a", DEFAULT, context_tokens=262_144), Size(1, 261_024), None),
        (Window("a", DEFAULT, context_tokens=2_000), Size(1, 881), "at most 2000 tokens"),
        (Window("a", DEFAULT, max_prompt_chars=500), Size(501, 1), "at most 500 characters"),
        (Window("a", DEFAULT, max_prompt_chars=500), Size(1, 131_072), "at most 131072 tokens"),
        (Window("a", "gpt-image-1", context_tokens=8_000), Size(1, 6_881), "at most 8000 tokens"),
        (Window("a", "gemini-3.1-flash-lite-image"), Size(9_000_000, 9_000_000), None),
        (Window("a", "local-detectors"), Size(9_000_000, 9_000_000), None),
    ],
)
def test_what_fits(window: Window, size: Size, said: str | None) -> None:
    """The limit itself fits and one more does not; what is configured counts before the table."""
    reason = tokens.misfit(size, window)
    assert reason is None if said is None else said in (reason or "")
