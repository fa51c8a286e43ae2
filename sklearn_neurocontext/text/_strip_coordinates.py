"""Remove coordinates of peaks from texts, because they reveal the map to predict."""

import re

from .._utils.validation import normalize_text

# The patterns of numbers, and of the separators between numbers, contain possessive
# quantifiers such as ``*+``. Possessive quantifiers do not backtrack, so the search
# time is linear in the length of a text.
# Minus signs and dashes that `normalize_text` keeps. It converts other hyphens to "-".
_MINUS = r"\-\u2012-\u2014\u2212"
_DIGITS = r"\d{1,3}+(?:\.\d++)?+(?!\d)"
_CLOSE = rf"[+{_MINUS}]?+{_DIGITS}"
# In _CLOSE, the sign directly precedes the digits. In _NUMBER, a space may follow the
# sign, as in "x = - 46".
_NUMBER = rf"(?:[+{_MINUS}]\s?+)?+{_DIGITS}"
_SPREAD = rf"(?:\s*+(?:±|\+/[{_MINUS}])\s*+{_DIGITS})?+"
_UNIT = r"\s*+(?:mm)?+"
# Tests what follows a number: it must be "mm", or it must begin neither with a word
# character nor with a decimal part.
_END = r"(?>\s*+mm\b|(?!\w|\.\d))"
_BETWEEN = r"(?>\s*+[,;/]\s*+|\s++)(?:and\s++)?+"
_TRIPLE = _BETWEEN.join([_NUMBER + _SPREAD] * 3)
# Matches "x = -46, y = -56 mm; z = -18" and "x = -46 (y = -56, z = -18)".
_VALUE = rf"\s*+(?:[=:]\s*+)?+{_NUMBER}{_SPREAD}{_UNIT}"
_NAMED = r"\s*+(?:[,;/(\[]\s*+)?+(?:and\s++)?+".join(
    ["x" + _VALUE, "y" + _VALUE, "z" + _VALUE]
)
# Matches "x, y, z = -46, -56, -18" and "xyz = -46 -56 -18".
_LISTED = (
    r"[\[(]?+x\s*+(?:[,;/]\s*+)?+y\s*+(?:[,;/]\s*+)?+z[\])]?+\s*+"
    rf"(?:[=:]\s*+)?+(?:[\[({{]\s*+)?+{_TRIPLE}"
)
# Matches the inside of "[-46 -56 -18]", "(46, 56, 18)" and "(- 46, - 56, - 18)".
_THREE = "(?:{}|{})".format(
    r"(?>\s*+[,;/]\s*+|\s++)".join([_CLOSE + _SPREAD] * 3),
    r"\s*+[,;]\s*+".join([_NUMBER + _SPREAD] * 3),
)
_BRACKETED = rf"[\[(]\s*+{_THREE}{_UNIT}\s*+[\])]"
# Matches "(46, 56, 18" in "(46, 56, 18; Z = 4.5)". The statistic is not part of the
# match and is kept in the text.
_WITH_STATISTIC = (
    rf"(?P<bracket>[\[(])\s*+{_THREE}{_UNIT}"
    r"(?=\s*+[,;]\s*+(?:[ZTFPQKR]|BA|max\w*)\b(?:\s*+[=:<>≥≤(]|\s++\d))"
)
# Matches "MNI coordinates 46, 56, 18". The words are kept in the text.
_PLACE = r"(?:MNI|Talairach|co-?ordinates?|coords?)"
_LABELED = (
    rf"(?<!\w)(?P<label>{_PLACE}(?:[\s=:,(\[]++(?:{_PLACE}|space|peaks?|at|of|in|is|was"
    rf"|are|were|mm)\b){{0,5}}+[\s=:,(\[]++)"
    rf"{_TRIPLE}(?:{_BETWEEN}{_TRIPLE})*+{_END}"
)
# The first lookahead tests whether a match can begin with the next character. Most
# characters fail this test, which makes the search three times faster.
_WORDED = re.compile(
    r"(?=[x(\[mtc])"
    rf"(?:(?<!\w)(?:{_NAMED}|{_LISTED})|{_BRACKETED}|{_WITH_STATISTIC}|{_LABELED})",
    re.IGNORECASE,
)
# Matches at least three consecutive numbers, as in the rows of tables. The word "and"
# may precede the last number. If a comma precedes a sign, a space may follow the sign.
# `_remove_coordinates` checks whether the numbers have signs.
_NEXT = rf"(?>\s*+[,;/|][\s,;/|]*+{_NUMBER}{_END}|\s++{_CLOSE}{_END})"
_LAST = rf"(?P<and>(?>\s*+[,;]\s*+|\s++)and\s++{_NUMBER}{_END})"
_RUN = re.compile(
    rf"(?<![\w.]){_CLOSE}{_END}{_NEXT}(?>{_NEXT}*+{_LAST}|{_NEXT}++)",
    re.IGNORECASE,
)
_SIGN = re.compile(rf"[+{_MINUS}]")
_NEGATIVE = re.compile(rf"[{_MINUS}]")
# Units that are not units of coordinates. If such a unit follows numbers, as in
# "-2, 0 and 4 dB", the numbers are not coordinates.
_OTHER_UNIT = re.compile(
    r"\s*+(?:[%°]|(?:[kM]?Hz|m?s|sec\w*|min\w*|h|hours?|days?|weeks?|months?|years?|dB"
    r"|[mμµ]?V|T|[ck]m|k?g|points?|trials?)\b)"
)


def strip_coordinates(text: str) -> str:
    """Remove coordinates of peaks from a text, because they reveal the map to predict.

    Numbers with at most three digits before the decimal point are removed if they are
    written in one of these notations:

    - named axes: ``x = −46, y = −56, z = −18``, ``x = 46 (y = 56, z = 18)``,
      ``x, y, z = 4, 8, 50``, ``xyz = 46 56 18``;
    - three numbers in brackets: ``(46, 56, 18)``, ``(46 ± 2, 56 ± 3, 18 ± 4)``,
      ``(46, 56, 18; Z = 4.5)``. In the last example the statistic is kept;
    - three numbers after words such as ``MNI coordinates 46, 56, 18``;
    - rows of tables: at least three consecutive numbers, of which at least one has a
      sign. If "and" precedes the last number, at least one number must be negative,
      and a unit such as "ms" or "%" must not follow the last number.

    Other triples of numbers are kept, because most of these triples are ages,
    frequencies or citations. Hyphens and dashes, including full-width hyphens, count as
    minus signs.

    Parameters
    ----------
    text : str
        Title, abstract or body.

    Returns
    -------
    stripped : str
        Text in Unicode normalization form NFKC, in which coordinates are replaced by
        spaces. Words or a bracket before the coordinates may be kept.

    Examples
    --------
    >>> from sklearn_neurocontext.text import strip_coordinates
    >>> strip_coordinates("the fusiform gyrus (x = -46, y = -56, z = -18) at p < 0.05")
    'the fusiform gyrus ( ) at p < 0.05'
    >>> strip_coordinates("insula L 4.2 -36 18 2, Neuroimage 2005 24 1225")
    'insula L  , Neuroimage 2005 24 1225'
    """
    # The text is normalized first, because the patterns do not match coordinates that
    # contain invisible characters.
    text = normalize_text(text)
    text = _WORDED.sub(_remove_numbers, text)
    return _RUN.sub(_remove_coordinates, text)


def _remove_numbers(match):
    """Return the replacement of a match: its bracket or label, if any, and a space."""
    return (match["bracket"] or match["label"] or "") + " "


def _remove_coordinates(run):
    """Return a space if the numbers are coordinates, else the unchanged numbers."""
    if run["and"]:
        other_unit = _OTHER_UNIT.match(run.string, run.end())
        is_peak = _NEGATIVE.search(run.group()) and not other_unit
    else:
        is_peak = _SIGN.search(run.group())
    return " " if is_peak else run.group()
