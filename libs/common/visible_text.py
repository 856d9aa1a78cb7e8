"""Names that people see: what hides in a text, or turns it round, is told from what belongs there.

Unicode's Default_Ignorable_Code_Point and its blank letters; kept are joiners and selectors where a
script or an emoji needs them (RFC 5892, appendix A; UTS #51).
"""

import unicodedata

#: Letters, marks and symbols that nobody sees: Hangul fillers, Khmer inherent vowels, Mongolian
#: selectors, the grapheme joiner and the empty Braille pattern.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
#: Control, format, half of a pair, private, unassigned; line and paragraph separators.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_EMOJI_STYLE = "\ufe0f"
_STYLES = frozenset({"\ufe0e", _EMOJI_STYLE})
_KEYCAP_BASES = frozenset("#*0123456789")
_KEYCAP = "\u20e3"
#: Arrows that are emoji too, as in "head shaking vertically".
_ARROWS = frozenset("\u2194\u2195")
_BLACK_FLAG = "\U0001f3f4"
#: Letters of the flags of regions, as Scotland's.
_TAGS = "".join(map(chr, range(0xE0020, 0xE0080)))
_VIRAMA = 9


def is_visible(text: str) -> bool:
    """Whether there is something to see, and nothing that is hidden or turns the rest round."""
    return any(_is_seen(one) for one in text) and not any(
        _hides(text, at) for at in range(len(text))
    )


def _is_seen(one: str) -> bool:
    return _is_emoji_base(one) or (unicodedata.category(one)[0] in "LNPS" and one not in _BLANK)


def _hides(text: str, at: int) -> bool:
    one = text[at]
    before, after = text[:at][-1:], text[at + 1 :][:1]
    if one == _JOINER and _is_emoji(before) and _is_emoji(after):
        return False
    if one in {_JOINER, _NON_JOINER}:
        return not _is_joined(before, after, is_non_joiner=one == _NON_JOINER)
    if one in _STYLES:
        return not (_is_emoji_base(before) or (before in _KEYCAP_BASES and after == _KEYCAP))
    if _is_selector(one):
        # Of ideographs, which have several forms in names.
        return not unicodedata.name(before or " ", "").startswith("CJK UNIFIED")
    if one in _TAGS:
        return text[:at].rstrip(_TAGS)[-1:] != _BLACK_FLAG
    if unicodedata.category(one) == "Cn" and _may_be_emoji(one):
        return False
    return one in _BLANK or unicodedata.category(one) in _HIDDEN_CATEGORIES


def without_selectors(text: str) -> str:
    """Return the text without what chooses one form of a character among several."""
    return "".join(one for one in text if not _is_selector(one))


def _is_selector(one: str) -> bool:
    return "\ufe00" <= one <= "\ufe0f" or "\U000e0100" <= one <= "\U000e01ef"


def _may_be_emoji(one: str) -> bool:
    """Blocks of emoji, of which phones know newer ones than we."""
    return "\U0001f300" <= one <= "\U0001faff"


def _is_emoji_base(one: str) -> bool:
    return bool(one) and (
        _may_be_emoji(one)
        or one in _ARROWS
        or (unicodedata.category(one) == "So" and one not in _BLANK)
    )


def _is_emoji(one: str) -> bool:
    return _is_emoji_base(one) or (bool(one) and (one == _EMOJI_STYLE or one in _TAGS))


def _is_joined(before: str, after: str, *, is_non_joiner: bool) -> bool:
    """Whether a joiner shapes what is beside it: in Indic scripts, or between Arabic letters."""
    if not before or not after or unicodedata.category(after)[0] not in "LM":
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return True
    return is_non_joiner and {unicodedata.bidirectional(one) for one in before + after} == {"AL"}
