"""Finds text in a picture that speaks to the model or the reviewer instead of to a reader."""

import re
from collections.abc import Sequence
from itertools import pairwise

# Spaces match themselves only: lines are flattened before they are searched.
_ANY = re.compile(
    # Orders to set the instructions aside.
    r"(?:ignore|disregard|forget|override|bypass)"
    r"(?: (?:all|any|the|your|these|those|of|my|our|every))*"
    r" (?:previous|prior|above|earlier|preceding|other|system|safety|moderation"
    r"|instructions?|rules?|polic)"
    r"|\b(?:system|developer) (?:prompt|message|instructions?)\b"
    r"|\bjailbreak|\bprompt injection\b"
    # A reader who is spoken to by trade.
    r"|\b(?:as an?|you are an?|dear|attention|note to|hey|hello)"
    r" (?:ai|a\.i\.|llm|language model|chatbot|assistant|moderator"
    r"|moderation (?:model|bot|system)|reviewer|classifier)\b"
    # A verdict that is put into the reader's mouth.
    r"|\b(?:mark|label|classify|rate|report|treat|flag|describe|consider)"
    r"(?: (?:this|the|it|as|image|picture|photo|content))+"
    r" (?:safe|clean|allowed|approved|compliant|harmless|appropriate|sfw|not violating)\b"
    r"|\byou (?:must|should|have to|are required to) (?:always |now |only )?"
    r"(?:answer|approve|allow|respond|reply|output|return|say|classify|ignore)\b"
    r"|\b(?:do not|don't) (?:moderate|flag|report|redact|blur|block|edit) (?:this|the|any|it)\b"
    r"|\b(?:respond|reply|answer|output|return) (?:only )?with\b"
    r".{0,40}\b(?:json|safe|clean|findings|empty)\b"
    # The first of these in other languages.
    r"|ignorier(?:e|en sie) .{0,20}(?:anweisung|vorherig|regel)"
    r"|ignore[zr]? .{0,20}(?:instructions pr[ée]c[ée]dentes|consignes)"
    r"|ignor[ae][rd]? .{0,25}(?:instrucciones|instru[çc][õo]es|istruzioni)"
    r"|忽略.{0,8}(?:指令|指示|说明|规则)|(?:以前|上記|前)の?.{0,6}指示.{0,6}無視",
    re.IGNORECASE,
)


def find(lines: Sequence[str]) -> list[int]:
    """Return which lines address the model; a sentence may break over two lines."""
    flat = [" ".join(line.split()) for line in lines]
    found = {at for at, line in enumerate(flat) if _ANY.search(line)}
    for at, (line, following) in enumerate(pairwise(flat)):
        if at not in found and at + 1 not in found and _ANY.search(f"{line} {following}"):
            found |= {at, at + 1}
    return sorted(found)
