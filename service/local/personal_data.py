"""Finds personal data in one row of text by pattern, check digit and numbering plan."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

# A number without a country code means something only in a region; these are tried in turn.
REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "BR", "IN", "AU", "JP")

NAMES = {
    "email": "e-mail address",
    "phone": "phone number",
    "handle": "account handle",
    "url": "web address",
    "payment_card": "payment card number",
    "iban": "bank account number (IBAN)",
    "national_id": "national id number",
    "document": "identity document",
    "plate": "vehicle plate",
}

# Recognition often sets a space beside the "@".
_EMAIL = re.compile(r"[\w.+-]{1,64} ?@ ?[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.[A-Za-z]{2,24}\b")
_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
# Source: https://www.ssa.gov/employer/randomization.html (000, 666 and 9xx are never issued).
_SSN = re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])")
_SSN_BARE = re.compile(
    r"\bSSN\W{0,3}((?!000|666|9)\d{3} ?(?!00)\d{2} ?(?!0000)\d{4})\b", re.IGNORECASE
)
_TLD = (
    "com|org|net|edu|gov|info|biz|io|dev|app|me|co|eu|uk|de|fr|es|it|pt|nl|be|ch|at|pl|se|no|dk"
    "|fi|ie|us|ca|br|mx|in|jp|cn|kr|au|nz|ru|ua|shop|site|online|xyz|link"
)
_URL = re.compile(
    rf"(?:https?:?//|www\.)[^\s<>\"]+|(?<![\w@.-])(?:[a-z0-9-]{{2,63}}\.)+(?:{_TLD})\b(?:/[^\s<>\"]*)?",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w@./])@(?=[\w.]*[A-Za-z]{2})[A-Za-z0-9_](?:[\w.]{1,28})\b")
_PHONE_LABEL = re.compile(
    r"\b(?:tel|phone|ph|mob|mobile|cell|call|text|fax|whatsapp|signal|sms)\b|[☎📞]", re.IGNORECASE
)
_PLATE = re.compile(
    r"[A-Z]{2}\d{2} ?[A-Z]{3}"  # GB
    r"|[A-Z]{2}[ -]?\d{3}[ -]?[A-Z]{2}"  # FR, IT
    r"|[A-ZÄÖÜ]{1,3}[ :·.-][A-Z]{1,2} ?\d{1,4}[EH]?"  # DE
    r"|\d{4}[ -]?[B-DF-HJ-NP-TV-Z]{3}"  # ES
    r"|[A-Z]{3}\d[A-Z]\d{2}"  # BR
    r"|[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{1,3}[ -]?\d{4}"  # IN
    r"|\d[A-Z]{3}\d{3}|[A-Z]{3}[ ·-]\d{4}|[A-Z]{3}[ ·-]?\d{3}"  # US and others
)
_NOT_A_PLATE = re.compile(
    r"(?:ISO|RFC|DIN|USB|SKU|REF|TEL|FAX|APT|BOX|PIN|ZIP|TAX|VAT|QTY|SUM|USD|EUR|GBP|JAN|FEB|MAR"
    r"|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC|MON|TUE|WED|THU|FRI|SAT|SUN|THE|AND|FOR|TOP)[ ·-]?\d"
)
# Source: ICAO Doc 9303 parts 4 to 6: lines of 30, 36 or 44 characters padded with "<".
_MRZ = re.compile(r"(?=[A-Z0-9<]{28,46}\Z)(?:[PIACV][A-Z<][A-Z<]{3}|[A-Z0-9]*\d).*<{2}.*")
_TITLE = re.compile(
    r"(?:[A-Z ]{0,30}\b)?(?:PASSPORT|PASSEPORT|REISEPASS|PASAPORTE|PASSAPORTE|PASSAPORTO"
    r"|DRIV(?:ING|ER'?S?) LICEN[CS]E|F[ÜU]HRERSCHEIN|PERMIS DE CONDUIRE|CARTEIRA DE MOTORISTA"
    r"|(?:NATIONAL )?IDENT(?:ITY|IFICATION) CARD|PERSONALAUSWEIS|CARTE D'IDENTIT[ÉE]"
    r"|DOCUMENTO NACIONAL DE IDENTIDAD|CARTEIRA DE IDENTIDADE|RESIDENCE PERMIT)"
    r"(?: ?[/-][A-Z/ -]{0,40})?"
)
_DIALLING_PREFIX = re.compile(r"\+?\(?\d{1,4}\)?[ .-]?\Z")


@dataclass(frozen=True, slots=True)
class Span:
    """One item found: its kind and the half-open range of characters it takes."""

    kind: str
    start: int
    end: int
    confidence: float


def find(text: str, regions: Sequence[str] = REGIONS) -> list[Span]:
    """
    Find what one row of text holds, surest kinds first; no two spans overlap.

    A vehicle plate has no check digit: it counts only as a whole row and with half the confidence.
    """
    taken: list[Span] = []
    for span in _candidates(text, regions):
        if not any(span.start < other.end and other.start < span.end for other in taken):
            taken.append(span)
    return sorted(taken, key=lambda span: span.start)


def mask(text: str) -> str:
    """Return the text with each item replaced by the name of its kind in brackets."""
    for span in reversed(find(text)):
        text = f"{text[: span.start]}[{NAMES[span.kind]}]{text[span.end :]}"
    return text


def names_document(text: str) -> bool:
    """Say whether a whole row is an identity document's title, such as "PASSPORT"."""
    return bool(_TITLE.fullmatch(text.strip()))


def is_machine_readable(text: str) -> bool:
    """Say whether a row is a line of a document's machine readable zone (ICAO Doc 9303)."""
    return bool(_MRZ.fullmatch(text.replace("«", "<<").replace(" ", "")))


def luhn(digits: str) -> bool:
    """Check the last digit of a payment card number.  Source: ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def iban(text: str) -> bool:
    """Check an account number without spaces by its remainder.  Source: ISO 13616-1, ISO 7064."""
    turned = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _candidates(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """Yield spans, those with a check digit or a telling shape before those that are guesses."""
    yield from (Span("email", *found.span(), 0.99) for found in _EMAIL.finditer(text))
    yield from (Span("url", *found.span(), 0.9) for found in _URL.finditer(text))
    yield from _ibans(text)
    yield from _cards(text)
    yield from (Span("national_id", *found.span(), 0.8) for found in _SSN.finditer(text))
    yield from (Span("national_id", *found.span(1), 0.8) for found in _SSN_BARE.finditer(text))
    yield from (Span("handle", *found.span(), 0.8) for found in _HANDLE.finditer(text))
    yield from _phones(text, regions)
    bare = text.strip()
    if _PLATE.fullmatch(bare) and not _NOT_A_PLATE.match(bare):
        start = text.index(bare)
        yield Span("plate", start, start + len(bare), 0.5)


def _ibans(text: str) -> Iterator[Span]:
    """Yield account numbers; words that follow on the row are cut off until the check holds."""
    for found in _IBAN.finditer(text):
        end = found.end()
        while end - found.start() >= 15:
            if iban(text[found.start() : end].replace(" ", "")):
                yield Span("iban", found.start(), end, 0.99)
                break
            end = text.rfind(" ", found.start(), end)


def _cards(text: str) -> Iterator[Span]:
    """Yield card numbers; groups that follow (a date, a code) are cut off until Luhn holds."""
    for found in _CARD.finditer(text):
        taken = found[0]
        while len(digits := re.sub(r"\D", "", taken)) >= 13:
            # Luhn holds for a row of one digit such as zeros, which is never issued.
            if luhn(digits) and len(set(digits)) > 1 and digits[0] in "23456":
                yield Span("payment_card", found.start(), found.start() + len(taken), 0.99)
                break
            taken = taken[: max(taken.rfind(" "), taken.rfind("-"), 0)]


def _phones(text: str, regions: Sequence[str]) -> Iterator[Span]:
    """
    Yield phone numbers: international ones, then national ones of each region.

    A national number must be grouped as its region prints it, unless the row says it is a phone
    number: otherwise dates, order numbers and amounts would count.
    """
    if sum(character.isdigit() for character in text) < 7:
        return
    for match in PhoneNumberMatcher(text, None, leniency=Leniency.VALID):
        yield Span("phone", match.start, match.end, 0.95)
    labelled = _PHONE_LABEL.search(text) is not None
    leniency = Leniency.VALID if labelled else Leniency.STRICT_GROUPING
    national = [
        match
        for region in regions
        for match in PhoneNumberMatcher(text, region, leniency=leniency)
        if labelled or _grouped(match)
    ]
    for match in sorted(national, key=lambda match: match.start - match.end):
        # One region's number may be the tail of another's: the area code before it belongs to it.
        prefix = _DIALLING_PREFIX.search(text[: match.start])
        start = prefix.start() if prefix else match.start
        yield Span("phone", start, match.end, 0.9 if labelled else 0.7)


def _grouped(match: phonenumbers.PhoneNumberMatch) -> bool:
    """Say whether the number is written in groups and is not a date or an amount."""
    groups = re.findall(r"\d+", match.raw_string)
    dated = re.fullmatch(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}", match.raw_string)
    return len(groups) >= 2 and sum(map(len, groups)) >= 9 and not dated
