"""
Finds text in a picture that speaks to the model or the reviewer instead of to a reader.

The patterns are meant to miss rather than to call posters, manuals and reminders so, since each
call takes a person's time.  Not covered: Cyrillic, Arabic, Hangul and other scripts that the
recogniser does not read, and orders in words that are not listed here.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

# Letters that look like Latin ones, and digits that are written for them ("1gn0re").  Small L is
# taken for I on both sides, since recognition confuses the two as well.
# Source: a part of https://www.unicode.org/Public/security/latest/confusables.txt
_LOOKS_LIKE = str.maketrans(
    "авеіјкмнорстухѕԁһӏαβεικνορτυχı01345789@$",  # noqa: RUF001
    "abeijkmhopctyxsdhiabeikvoptuxioieastbgas",
)
_SMALL_L = str.maketrans("l", "i")


def _any(words: str) -> str:
    return f"(?:{'|'.join(words.split())})"


# These patterns are matched where spaces and marks are taken out: recognition drops and adds them,
# and so does who spaces letters out.  No repetition stands in another, and each has a bound, so
# that the time grows with the length of the text only.
_PLACE = _any("image picture photo content upload post screenshot frame")
_GOOD = _any(
    "safe clean allowed approved compliant harmless appropriate acceptable sfw nonviolating"
)
_SET_ASIDE = _any(
    """ignore ignores ignoring disregard forget override overrule bypass
    ignoriere ignorieren ignorierensie vergiss vergessensie missachte missachtensie umgehe
    ignorez ignorer oublie oubliez netenezpascompte
    ignora ignorad olvida olvide olviden anula notengasencuenta
    esqueca desconsidere despreze dimentica dimenticate ignorate nontenereconto negeer"""
)
_WHICH = _any(
    """all any every and of the these those this your my our previous prior preceding earlier
    above following existing current given other safety system content moderation image original
    alle allen die den der diese deine ihre sicherheits vorherigen bisherigen vorigen obigen vorige
    toute toutes tous le les la de des du vos tes ces mes
    todo todos todas lo los las tus sus estas anteriores previas as os suas tuas
    tutte tutti i gli delle dei tue"""
)
_RULES = _any(
    """instructions rules ruleset rulesets guidelines policy policies prompt prompts directives
    directions commands restrictions anweisungen regeln vorgaben richtlinien consignes regles
    instrucciones reglas normas directrices instrucoes regras diretrizes istruzioni regole direttive
    instructies everythingabove everythingbefore allabove"""
)
_JUDGE = _any("mark label classify rate report treat flag describe consider rank score")
_LATIN = (
    # The rules do not hold.
    _SET_ASIDE + _WHICH + "{0,6}" + _RULES,
    _any("all your previous prior above alle bisherigen vorherigen")
    + _any("instructions rules guidelines policies anweisungen regeln richtlinien")
    + _any("are arenow arehereby above sind werden gelten")
    + "?"
    + _any(
        """void lifted suspended cancelled disabled obsolete aufgehoben ungultig nichtmehr
        ausserkraft ignorieren missachten vergessen"""
    ),
    _any("moderation contentpolicy safetypolicy safetyfilter safetyfilters contentfilter ruleset")
    + _any("is isnow are arenow hasbeen")
    + "?"
    + _any("disabled suspended switchedoff deactivated lifted bypassed"),
    _any("skip bypass disable") + _any("the all any content image") + "?moderation",
    # Judge it as I say.
    f"{_JUDGE}(?:this|the|that)?(?:{_PLACE}|it|this)(?:as|tobe|is){_GOOD}",
    _any("stuf klassifizier kennzeichn bewert markier beurteil")
    + ".{0,12}(?:bild|foto|inhalt).{0,6}als"
    + _any("unbedenklich sicher harmlos zulassig erlaubt sauber"),
    _any("classe classez classer marque marquez considere considerez juge jugez")
    + ".{0,6}(?:image|photo|contenu).{0,3}comme"
    + _any("sur inoffensi autorise conforme approuve acceptable"),
    _any("marc marqu clasifi classifi consider etiquet rotul trat valut")
    + ".{0,10}"
    + _any("imagen imagem immagine foto contenido conteudo contenuto")
    + ".{0,3}(?:como|come)"
    + _any("segur sicur limp pulit aprobad aprovad approvat permitid inofensiv innocu"),
    f"(?:approve|allow|permit)(?:this|the|all|any|every){_PLACE}",
    "you(?:must|should|will|shall|haveto)(?:always|now|only)?approve|youapprove(?:all|this)",
    _any("moderator moderators reviewer reviewers classifier")
    + "please"
    + _any("approve allow ignore accept skip mark"),
    _any("donot dont never")
    + _any("moderate flag report redact blur block censor edit alter pixelate")
    + "(?:or(?:blur|edit|flag|block|redact|alter))?"
    + f"(?:this|the|any|these)(?:{_PLACE}|face)",
    _any("respond reply answer")
    + "(?:only)?with(?:an|the|valid|only)?"
    + _any("json emptyjson emptylist emptyfindings nofindings noviolations"),
    "reportno(?:violations|findings)|findings?(?:must|should)beempty",
    f"saythat(?:it|this{_PLACE}?|the{_PLACE})is{_GOOD}",
    "(?:verdict|moderationresult|classification)(?:is)?(?:allow|safe|clean|approved)",
    # It has been judged.
    f"(?:this|the){_PLACE}(?:is|was|hasbeen|hasalreadybeen)(?:already)?"
    + _any("preapproved reviewedand checkedand verifiedand clearedand"),
    f"this{_PLACE}(?:complieswith|doesnotviolate|violatesno)(?:any|the|your|all)?"
    + _any("policy policies rules guidelines"),
    # You who judge.
    _any("dear attention noteto hey hello messageto messagefor")
    + "(?:the|all|any|our|every)?"
    + "(?:ai|automated|content|image|human){0,2}"
    + _any(
        """moderator reviewer classifier languagemodel contentfilter visionmodel aimodel aisystem
        moderationmodel moderationsystem moderationbot moderationteam aiassistant chatbot chatgpt"""
    ),
    _any("cher chere estimado estimada querido querida prezado caro cara gentile liebe lieber")
    + "moderat",
    "you(?:are|act)(?:now)?(?:an?|as|the)(?:ai|llm|languagemodel|contentmoderator)"
    + _any("model assistant without withno you moderator"),
    _any("eresun eresuna seiun seiuna voceeum voceeuma tuesun tuesune dubisteine siesindeine")
    + _any("inteligenciaartificial intelligenzaartificiale intelligenceartificielle ia ki"),
    # Talk of the machinery, which no sign needs.
    _any("systemprompt doanythingnow jailbreakmode developermodeenabled"),
)
_HAN_AND_KANA = (
    _any("忽略 忽视 忽視 无视 無視 忘记 忘掉 绕过")
    + ".{0,2}"
    + _any("之前 以上 上述 先前 前面 所有 一切 任何 全部 你的 系统 系統")
    + ".{0,8}"
    + _any("指令 指示 规则 規則 提示词 政策"),
    _any("指示 命令 指令 ルール 規則 プロンプト ガイドライン") + ".{0,8}(?:無視(?!され)|忘れ|破棄)",
    _any("图片 图像 照片 内容 圖片")
    + ".{0,4}"
    + _any("标记 标为 判定 归类 视为 分类 標記")
    + ".{0,2}(?:安全|合规|无害|通过)",
    "(?:批准|通过|允许)(?:这|此|该|本).{0,3}(?:图|照片|内容)",
    "(?:画像|写真|内容).{0,4}(?:安全|問題なし|健全|無害).{0,3}(?:判定|分類|マーク|報告|回答|みな)",
    "(?:審査員|審査担当|モデレータ)ー?(?:の方|の皆)?(?:様|さん|へ)|(?:致|尊敬的|亲爱的)(?:审核|ai)",
)
# Short words, which letters without spaces would hide in others.
_SPACED = (
    r"\b(?:dear|hey|hello|attention|note to|you are) (?:the |all |an? )?(?:ai|llm|gpt|chatgpt)s?\b",
    r"\b(?:to|for) (?:the |any |all )?(?:ai|llm)s? (?:reading|seeing|viewing|reviewing)\b",
    r"\b(?:if you are|wenn du) (?:an? |eine )?(?:ai|llm|bot|ki)\b",
    r"\bas an? (?:ai|llm|language model)\b.{0,20}\byou\b",
)
# Messages and tags of a chat with a model, where the marks tell them from prose.
_MARKED = (
    r"</?(?:ruleset|system|description-schema|instructions|prompt|im_start)\b",
    r"<\|?im_(?:start|end)|\[/?inst\]|<<sys>>|\[system message|#{2,} ?system ?:",
    r"<\|(?:system|user|assistant)",
    r"[\"“”'](?:findings|not_assessed|text_to_model)[\"“”'] ?:",
    r"[\"“”']role[\"“”'] ?: ?[\"“”'](?:system|assistant)",
)


def _folded(text: str) -> str:
    """Return small letters without accents and without marks that do not show."""
    parts = unicodedata.normalize("NFKD", text).casefold()
    shown = (mark for mark in parts if unicodedata.category(mark) not in {"Mn", "Cf"})
    return "".join(shown).translate(_SMALL_L)


def _either(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(_folded, patterns)))


_IN_LETTERS = _either(_LATIN + _HAN_AND_KANA)
_IN_WORDS = _either(_SPACED)
_IN_MARKS = re.compile("|".join(_MARKED))


def find(lines: Sequence[str]) -> list[int]:
    """Return which lines address the model; a sentence may break over lines in this order."""
    folded = [_folded(line).translate(_LOOKS_LIKE) for line in lines]
    views = (
        (_IN_LETTERS, ["".join(filter(str.isalnum, line)) for line in folded]),
        (_IN_WORDS, [" ".join([*re.findall(r"\w+", line), ""]) for line in folded]),
        (_IN_MARKS, [f"{unicodedata.normalize('NFKC', line).casefold()} " for line in lines]),
    )
    return sorted({at for pattern, parts in views for at in _touched(pattern, parts)})


def _touched(pattern: re.Pattern[str], parts: Sequence[str]) -> Iterator[int]:
    """Yield the places of the parts in which matches of the joined parts lie."""
    starts = [0, *accumulate(map(len, parts))]
    for match in pattern.finditer("".join(parts)):
        first = bisect_right(starts, match.start()) - 1
        last = bisect_right(starts, match.end() - 1) - 1
        yield from (at for at in range(first, last + 1) if parts[at].strip())
