"""Coordinates that stand in a text would give away its map."""

import re

# A sign stands close to its number, or after "=" with a space between.
_SIGN = r"[+\-\u2212\u2013\u2012]"
_NUMBER = rf"(?:{_SIGN}\s?)?\d{{1,3}}(?:\.\d+)?"
_CLOSE = rf"{_SIGN}?\d{{1,3}}(?:\.\d+)?"
_UNIT = r"\s*(?:mm)?"
_BETWEEN = r"\s*[,;/]?\s*(?:and\s+)?"
# x = -46, y = -56 mm; z = -18
_NAMED = _BETWEEN.join(rf"{axis}\s*[=:]?\s*{_NUMBER}{_UNIT}" for axis in "xyz")
# x, y, z = -46, -56, -18
_LISTED = (
    r"[\[(]?x\s*[,;/]\s*y\s*[,;/]\s*z[\])]?\s*[=:]?\s*[\[({]?\s*"
    + r"\s*[,;/\s]\s*".join([_NUMBER] * 3)
)
# [-46 -56 -18] and (46, 56, 18)
_BRACKETED = r"[\[(]\s*" + r"\s*[,;/\s]\s*".join([_CLOSE] * 3) + rf"{_UNIT}\s*[\])]"
_WORDED = re.compile(rf"(?<!\w)(?:{_NAMED}|{_LISTED})|{_BRACKETED}", re.IGNORECASE)
# Rows of tables: three numbers and more, one of them negative.
_RUN = re.compile(rf"(?<![\w.]){_CLOSE}(?:[\s,;/|]+{_CLOSE}){{2,}}(?![\w.])")
_NEGATIVE = re.compile(r"[\-\u2212\u2013\u2012]\d")


def strip_coordinates(text: str) -> str:
    """Remove coordinates of peaks from a text, so that it cannot tell its own map.

    Taken out are ``x = −46, y = −56, z = −18``, ``x, y, z = 4, 8, 50``, three numbers
    in brackets, and rows of tables: three numbers and more in a row, one of them
    negative. Numbers of more than three digits are no coordinates.

    Parameters
    ----------
    text : str
        Title, abstract or body.

    Returns
    -------
    stripped : str
        The text with a space in the place of each.

    Examples
    --------
    >>> from sklearn_neurocontext.text import strip_coordinates
    >>> strip_coordinates("the fusiform gyrus (x = -46, y = -56, z = -18) at p < 0.05")
    'the fusiform gyrus ( ) at p < 0.05'
    >>> strip_coordinates("insula L 4.2 -36 18 2, Neuroimage 2005 24 1225")
    'insula L  , Neuroimage 2005 24 1225'
    """
    text = _WORDED.sub(" ", text)
    return _RUN.sub(_without_negatives, text)


def _without_negatives(run):
    return " " if _NEGATIVE.search(run.group()) else run.group()
