"""Which text is personal data and which only looks like it."""

import pytest

from service.local import personal_data


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("mail maria.o+x@mail.example.com now", "email", "maria.o+x@mail.example.com"),
        ("maria @ example.org", "email", "maria @ example.org"),
        ("4111 1111 1111 1111", "payment_card", "4111 1111 1111 1111"),
        ("No 5500-0000-0000-0004 05/29", "payment_card", "5500-0000-0000-0004"),
        ("DE89 3704 0044 0532 0130 00", "iban", "DE89 3704 0044 0532 0130 00"),
        ("IBAN GB82 WEST 1234 5698 7654 32 BIC", "iban", "GB82 WEST 1234 5698 7654 32"),
        ("Tel. +44 20 7946 0958", "phone", "+44 20 7946 0958"),
        ("020 7946 0018", "phone", "020 7946 0018"),
        ("(202) 555-0143", "phone", "(202) 555-0143"),
        ("(11) 98765-4321", "phone", "(11) 98765-4321"),
        ("Call 2025550143", "phone", "2025550143"),
        ("see @maria.oliveira_1 there", "handle", "@maria.oliveira_1"),
        ("https://www.example.com/maria", "url", "https://www.example.com/maria"),
        ("example.org/a?b=1", "url", "example.org/a?b=1"),
        ("SSN 078-05-1120", "national_id", "078-05-1120"),
        ("SSN: 219099999", "national_id", "219099999"),
        ("AB12 CDE", "plate", "AB12 CDE"),
        ("B-MW 1234", "plate", "B-MW 1234"),
    ],
)
def test_personal_data_is_found(text: str, kind: str, found: str) -> None:
    """Each kind is found, once, with its exact extent."""
    spans = personal_data.find(text)

    assert [(span.kind, text[span.start : span.end]) for span in spans] == [(kind, found)]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",
        "0000 0000 0000 0000",
        "DE89 3704 0044 0532 0130 01",
        "GB82 WEST 1234 5698 7654 33",
        "12.03.2024",
        "2024-01-15 10:30:00",
        "03/12/2024 - 05/12/2024",
        "Order 4500123456",
        "1,234,567.89",
        "Total 123 456 7890",
        "100 200 300 400",
        "4006381333931",
        "ISBN 978-3-16-148410-0",
        "3 @ 5.00",
        "icon@2x",
        "@2x",
        "e.g. this one",
        "900-12-3456",
        "000-12-3456",
        "ISO 9001",
        "MAY 2024",
        "COVID-19",
        "AB12 CDE is a plate",
        "",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Failed check digits, dates, amounts, order numbers and names of standards are not found."""
    assert personal_data.find(text) == []


def test_regions_decide_what_a_national_number_is() -> None:
    """A British number without its country code is found only if Britain is looked at."""
    assert personal_data.find("020 7946 0018", ("US",)) == []
    assert [span.kind for span in personal_data.find("020 7946 0018", ("GB",))] == ["phone"]


def test_masked_text_keeps_no_personal_data() -> None:
    """Every item is replaced by the name of its kind; the rest stays as it was."""
    text = "ask a@b.org or +44 20 7946 0958 today"

    assert personal_data.mask(text) == "ask [e-mail address] or [phone number] today"


@pytest.mark.parametrize(
    ("text", "title", "coded"),
    [
        ("PASSPORT", True, False),
        ("PASSPORT / PASSEPORT", True, False),
        ("REPUBLIC OF UTOPIA PASSPORT", True, False),
        ("DRIVING LICENCE", True, False),
        ("IDENTITY CARD", True, False),
        ("PASSPORT CONTROL THIS WAY", False, False),
        ("Bring your passport", False, False),
        ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", False, True),
        ("L898902C36UTO7408122F1204159ZE184226B<<<<<10", False, True),
        ("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH", False, False),
    ],
)
def test_documents_are_told_by_title_or_machine_readable_line(
    text: str,
    *,
    title: bool,
    coded: bool,
) -> None:
    """A title counts as a whole row only; a machine readable line has fillers."""
    assert personal_data.names_document(text) is title
    assert personal_data.is_machine_readable(text) is coded
