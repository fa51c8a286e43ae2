"""Check texts, numbers, peaks and similarities; import scikit-learn's helpers.

Private functions of scikit-learn are imported only in this file. If a release of
scikit-learn moves a private function, only this file must be changed.
"""

import inspect
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from numbers import Integral, Real

import numpy as np
from sklearn import config_context, get_config
from sklearn.base import _fit_context as fit_context
from sklearn.metrics._scorer import _BaseScorer
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing as select_rows
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Hidden, Interval, Options, StrOptions
from sklearn.utils._set_output import _get_output_config as get_output_config
from sklearn.utils.metaestimators import _BaseComposition as BaseComposition
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_feature_names_in as check_feature_names_in
from sklearn.utils.validation import check_is_fitted, validate_data

from .files import replace_surrogates
from .spelling import AMERICAN_RULES, AMERICAN_WORDS, KEPT_WORDS

__all__ = [
    "TERM_PATTERN",
    "BaseComposition",
    "Hidden",
    "Integral",
    "Interval",
    "Options",
    "Real",
    "StrOptions",
    "american_spelling",
    "array_output",
    "available_if",
    "calling_regression_metric",
    "check_feature_names_in",
    "check_is_fitted",
    "check_numbers",
    "check_peaks",
    "check_random_state",
    "check_similarity",
    "check_texts",
    "check_words",
    "fit_context",
    "get_output_config",
    "innermost_model",
    "normalize_text",
    "read_numbers",
    "select_rows",
    "validate_data",
]

# A term starts with a letter and has at least two characters. Numbers are excluded,
# because they may be coordinates.
TERM_PATTERN = r"(?u)\b[^\W\d_]\w+\b"
_MAX_ROWS_NAMED = 5
# Control characters that are white space, such as the form feed between the pages of a
# PDF file, are replaced by spaces. Other control characters are removed. Tokenizers
# would remove all of them, and join the words around a form feed.
_CONTROLS = {
    code: " " if chr(code).isspace() else None
    for code in (*range(32), *range(127, 160))
    if chr(code) not in "\t\n\r"
}
# Matches zero-width spaces and joiners, marks of the writing direction, and variation
# selectors.
_ZERO_WIDTH = re.compile(
    "[\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# White space after a soft hyphen is also removed, because in the texts of PDF files,
# soft hyphens divide words at the end of lines.
_SOFT_HYPHEN = re.compile("\u00ad\\s*")
# The normalization form NFKC converts non-breaking hyphens to U+2010, which is then
# replaced by "-". U+02BC, another form of the apostrophe, is replaced by "'".
_HYPHENS = str.maketrans("\u2010\u02bc", "-'")
_LETTERS = re.compile(r"[^\W\d_]{4,}")
_PER_CENT = re.compile(r"\b(per)\s+(cent)\b", re.IGNORECASE)
_LIGATURES = str.maketrans({"æ": "ae", "œ": "oe"})
# Matches numbers with a decimal point or a decimal comma. White space may follow the
# sign. A comma before exactly three digits may separate thousands, so 12,345 does not
# match.
_NUMBER = re.compile(
    r"([+-]?)\s*("
    r"(?:[0-9]+\.?[0-9]*|\.[0-9]+|(?![1-9][0-9]{0,2},[0-9]{3}(?![0-9]))[0-9]*,[0-9]+)"
    r"(?:e[+-]?[0-9]+)?)",
    re.IGNORECASE,
)
# Converts characters of numbers to ASCII: hyphens, dashes and minus signs (also
# superscript, small and full-width ones), raised dots and low quotes that some journals
# use as decimal signs, and full-width digits and signs.
_NUMBER_SIGNS = str.maketrans(
    "\u02d7\u207b\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2796\ufe63\uff0d"
    "\ufe62\uff0b\uff0e\u00b7\uff0c\u201a\ufe50\uff25\uff45"
    "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19",
    "-------------++..,,,ee0123456789",
)
# Pattern of quotes, equals signs and white space around a number. Cells of Excel are
# sometimes exported as ="42".
_AROUND_NUMBERS = re.compile(r"^[\s=\"'`´‘’“”]+|[\s\"'`´‘’“”]+$")


def _name_rows(rows) -> str:
    """Format at most `_MAX_ROWS_NAMED` row numbers for an error message."""
    shown = ", ".join(str(row) for row in rows[:_MAX_ROWS_NAMED])
    hidden = len(rows) - _MAX_ROWS_NAMED
    return shown + (f" and {hidden} more" if hidden > 0 else "")


def normalize_text(text: str) -> str:
    r"""Convert a text to a normal form, so that equivalent Unicode texts become equal.

    Soft hyphens and characters of zero width are removed. Form feeds become spaces, and
    other control characters are removed. The remaining characters are converted to
    Unicode's normalization form NFKC: for example, ligatures become letters, full-width
    characters become ordinary ones, and letters with separate accents become single
    characters. Unpaired surrogates become U+FFFD.

    >>> normalize_text("\ufb01ber hip\u00adpo\u200bcampus")
    'fiber hippocampus'
    """
    text = text.translate(_CONTROLS)
    if text.isascii():
        return text
    text = _SOFT_HYPHEN.sub("", _ZERO_WIDTH.sub("", replace_surrogates(text)))
    text = unicodedata.normalize("NFKC", text)
    return text.translate(_HYPHENS)


def american_spelling(text: str) -> str:
    """Replace the British spellings in a text by American ones.

    Words that the lists and rules in `spelling.py` do not contain are kept. The new
    spelling of a word has the same capitalization.

    >>> american_spelling("Haemodynamic changes, OEDEMA and odour exercises")
    'Hemodynamic changes, EDEMA and odor exercises'
    """
    text = _PER_CENT.sub(r"\1\2", text)
    return _LETTERS.sub(lambda word: _american_word(word[0]), text)


@lru_cache(maxsize=2**16)
def _american_word(word: str) -> str:
    """Return the American spelling of a word that consists of letters."""
    british = word.lower().translate(_LIGATURES)
    if KEPT_WORDS.fullmatch(british):
        return word
    american = AMERICAN_WORDS.get(british)
    if american is None:
        american = british
        for pattern, replacement in AMERICAN_RULES:
            american = pattern.sub(replacement, american)
    if american == british:
        return word
    if word.isupper():
        return american.upper()
    return american.capitalize() if word[0].isupper() else american


def check_texts(texts, name: str = "texts", first_row: int = 0) -> list[str]:
    """Check that texts are non-empty strings, and return them normalized, as a list."""
    # In error messages, the first text has the row number `first_row`.
    if isinstance(texts, str | bytes):
        raise TypeError(
            f"{name} must be a sequence of strings, one per study; got a single "
            f"{type(texts).__name__}. Put it into a list: [text]."
        )
    if isinstance(texts, Mapping):
        raise TypeError(
            f"{name} must be a sequence of strings, one per study; got a "
            f"{type(texts).__name__} with the keys {_name_rows(list(texts))}. For a "
            "corpus, pass study_texts(corpus, 'title'). For a dictionary of texts, "
            "pass a list of its values."
        )
    if getattr(texts, "ndim", 1) != 1:
        raise ValueError(
            f"{name} must be one-dimensional, with one string per study; got shape "
            f"{texts.shape}. Pass a single column, for example frame['title']."
        )
    if not isinstance(texts, Iterable):
        raise TypeError(
            f"{name} must be a sequence of strings, one per study; got "
            f"{type(texts).__name__}."
        )
    rows = list(texts)
    if not rows:
        raise ValueError(f"{name} is empty; expected at least one string.")
    numbered = list(enumerate(rows, first_row))
    wrong = [row for row, text in numbered if not isinstance(text, str)]
    if wrong:
        kinds = sorted({type(rows[row - first_row]).__name__ for row in wrong})
        raise TypeError(
            f"{name} must contain only strings; got {', '.join(kinds)} in row "
            f"{_name_rows(wrong)}. Drop these rows, or fill in their text."
        )
    texts = [normalize_text(str(text)) for text in rows]
    blank = [row for row, text in enumerate(texts, first_row) if not text.strip()]
    if blank:
        raise ValueError(
            f"{name} must not be empty or blank; got no text in row "
            f"{_name_rows(blank)}. Drop these rows, or fill in their text."
        )
    return texts


def check_words(texts, name: str = "texts") -> list[str]:
    """Check texts by `check_texts`, and check that each has a letter or a digit."""
    checked = check_texts(texts, name)
    wrong = [row for row, text in enumerate(checked) if not any(map(str.isalnum, text))]
    if wrong:
        raise ValueError(
            f"{name} must contain words; got {checked[wrong[0]][:60]!r} in row "
            f"{_name_rows(wrong)}. Drop these rows, or fill in their text."
        )
    return checked


def check_numbers(name: str, numbers, accept, expected: str) -> np.ndarray:
    """Return a number or a sequence of numbers as a new 1D float64 array.

    ValueError is raised if a number is not finite, or if ``accept(array)`` is False.
    `expected` describes the accepted numbers in the message of this error.
    """
    try:
        array = np.atleast_1d(np.asarray(numbers))
        if array.dtype.kind in "biufO" and array.ndim == 1 and array.size:
            array = array.astype(np.float64)
            if np.isfinite(array).all() and accept(array):
                return array
    except (TypeError, ValueError):
        pass  # for example rows of different lengths
    raise ValueError(f"{name} must be {expected}; got {numbers!r}.")


def read_numbers(values) -> np.ndarray:
    """Convert numbers, and texts that contain a number, to float64.

    A text may have any kind of minus sign, a plus sign, quotes and white space around
    the number, and a decimal comma. If it is unclear whether a comma is a decimal
    comma, because it may separate thousands or the values of a list, the result is NaN.
    Other texts and values also become NaN.

    >>> read_numbers(["\u221242,5", "+4", "1,234", "left"]).tolist()
    [-42.5, 4.0, nan, nan]
    """
    array = np.asarray(values)
    if array.dtype.kind in "iuf":
        return array.astype(np.float64, copy=False)
    if array.dtype.kind not in "OUST":  # Booleans and dates are not numbers.
        return np.full(array.shape, np.nan)
    numbers = [_read_number(value) for value in array.ravel().tolist()]
    return np.array(numbers, dtype=np.float64).reshape(array.shape)


def _read_number(value) -> float:
    """Convert a number, or a text that contains a number, to float; NaN for others."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        is_number = isinstance(value, Real | Decimal) and not isinstance(value, bool)
        return float(value) if is_number else np.nan
    # Soft hyphens are not removed, because in numbers they may stand for minus signs.
    word = _ZERO_WIDTH.sub("", value)
    word = _AROUND_NUMBERS.sub("", word.translate(_NUMBER_SIGNS))
    found = _NUMBER.fullmatch(word)
    return float(found[1] + found[2].replace(",", ".")) if found else np.nan


def _check_peak_row(row: int, coordinates) -> np.ndarray:
    """Check the peaks of one study; return them with shape (n_peaks, 3)."""
    try:
        array = read_numbers(coordinates)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The peaks of study {row} cannot be read as numbers ({error}). Expected "
            "an array of shape (n_peaks, 3) with x, y, z in mm."
        ) from error
    if array.size == 0:
        return array.reshape(0, 3)
    if array.ndim != 2 or array.shape[1] != 3:
        raise ValueError(
            f"The peaks of study {row} have shape {array.shape}; expected (n_peaks, 3) "
            "with x, y, z in mm. Write a single peak as [[x, y, z]]."
        )
    if not np.isfinite(array).all():
        wrong = np.asarray(coordinates)[~np.isfinite(array)].tolist()[0]
        raise ValueError(
            f"The peaks of study {row} must be finite numbers; got {wrong!r}. Correct "
            "or drop these peaks."
        )
    return array


def check_peaks(peaks) -> list[np.ndarray]:
    """Check peaks; return a list with a float64 array (n_peaks, 3) for each study."""
    if isinstance(peaks, str | bytes) or not isinstance(peaks, Iterable):
        raise TypeError(
            "peaks must be a sequence with one (n_peaks, 3) array per study; got "
            f"{type(peaks).__name__}."
        )
    if isinstance(peaks, np.ndarray) and peaks.dtype != object and peaks.ndim == 2:
        raise ValueError(
            "peaks must be a sequence with one (n_peaks, 3) array per study; got one "
            f"array of shape {peaks.shape}. For a single study, pass [peaks]."
        )
    checked = [_check_peak_row(row, study) for row, study in enumerate(peaks)]
    if not checked:
        raise ValueError("peaks is empty; expected at least one study.")
    return checked


def check_similarity(similarity, *, square: bool = True) -> np.ndarray:
    """Check a similarity matrix, and return it as a float32 or float64 array."""
    try:
        array = np.asarray(similarity)
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"similarity cannot be read as numbers ({error}). Expected a matrix of "
            "shape (n_texts, n_maps)."
        ) from error
    if array.ndim != 2 or array.size == 0:
        raise ValueError(
            f"similarity has shape {array.shape}; expected (n_texts, n_maps) with at "
            "least one row and one column."
        )
    if square and array.shape[0] != array.shape[1]:
        raise ValueError(
            f"similarity has shape {array.shape}; expected a square matrix with true "
            "pairs on the diagonal. Pass texts and maps of the same studies, in the "
            "same order."
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "similarity holds NaN or infinity. Check whether the inputs of the model "
            "contain NaN or infinity."
        )
    return array


@contextmanager
def array_output(ignore_names: bool = False):
    """Make transformers return NumPy arrays inside a ``with`` block.

    Inside the block, scikit-learn's setting ``transform_output`` is ``"default"``. A
    transformer whose method ``set_output`` was called is not affected, so the caller
    must convert its output. If `ignore_names` is True, an estimator that was fitted to
    a DataFrame does not warn when it receives an array.
    """
    is_default = get_config()["transform_output"] == "default"
    if is_default and not ignore_names:
        yield
        return
    with config_context(transform_output="default"), warnings.catch_warnings():
        names = "X (has|does not have valid) feature names"
        warnings.filterwarnings("ignore", names, UserWarning)
        yield


def calling_regression_metric() -> str | None:
    """Return the name of the regression metric whose scorer is running, or None."""
    # scikit-learn does not pass the metric to the estimator. Therefore, the scorer is
    # searched among the callers of this function.
    frame = inspect.currentframe()
    while frame is not None:
        scorer = frame.f_locals.get("self")
        if isinstance(scorer, _BaseScorer):
            metric = scorer._score_func
            is_regression = metric.__module__ == "sklearn.metrics._regression"
            return metric.__name__ if is_regression else None
        frame = frame.f_back
    return None


def innermost_model(estimator):
    """Return the model inside Pipelines, hyperparameter searches and other wrappers."""
    if isinstance(estimator, Pipeline):
        return innermost_model(estimator.steps[-1][1])
    if hasattr(estimator, "best_estimator_"):
        return innermost_model(estimator.best_estimator_)
    if getattr(estimator, "refit", False) and hasattr(estimator, "estimator"):
        return innermost_model(estimator.estimator)
    return estimator
