"""The lines of Sleuth's text files, read into experiments; errors name the line."""

import codecs
import math
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from ._bunch import normalize_spaces

SPACE_NAMES = {"MNI": "MNI", "TAL": "Talairach"}

_LINE_END = re.compile(r"\r\n|\r|\n")
_REFERENCE = re.compile(r"reference\s*[=:]\s*(.*)", re.IGNORECASE)
_SUBJECTS = re.compile(r"subjects?\s*[=:]\s*(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_MINUS = str.maketrans("−–", "--")
# No head reaches further from the origin of MNI or Talairach space.
_FARTHEST_MM = 200


@dataclass
class Experiment:
    """One contrast of a study, as far as it was read.

    Attributes
    ----------
    names : list of str
        Lines of its name.
    n_subjects : int or None
        None until a line states it.
    space : str or None
        Of its peaks; until the first is read, that of the reference above its name.
    peaks : list of list of float
        In mm.
    """

    names: list
    space: str | None
    n_subjects: int | None = None
    peaks: list = field(default_factory=list)


def read_text(path: Path) -> str:
    """Read UTF-8, UTF-16 with a byte order mark, or else Windows-1252."""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise ValueError(
            f"{path.name} holds zero bytes, and is no text that can be read. Expected "
            "UTF-8, or UTF-16 with a byte order mark."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def is_statement(comment: str) -> bool:
    """Whether a comment states a reference or subjects and hence is no name."""
    return bool(_REFERENCE.fullmatch(comment) or _SUBJECTS.fullmatch(comment))


def parse_sleuth(text: str, source: str) -> list:
    """Read the experiments of a file.

    Parameters
    ----------
    text : str
        All of the file.
    source : str
        Its name, for messages.

    Returns
    -------
    experiments : list of Experiment
        At least one.

    Raises
    ------
    ValueError
        If a line cannot be read, or stands where it cannot be attached.
    """
    parser = _Parser()
    for number, line in enumerate(_LINE_END.split(text), start=1):
        try:
            parser.take(line.strip(), number)
        except ValueError as error:
            raise ValueError(f"{source}, line {number}: {error}") from None
    if not parser.experiments:
        raise ValueError(
            f"{source} names no experiment. Expected a text file of Sleuth or "
            "GingerALE, with lines like '// Author, year: contrast' above the peaks."
        )
    if parser.far_lines:
        first, n = parser.far_lines[0], len(parser.far_lines)
        warnings.warn(
            f"{source}: {n} {'peaks lie' if n > 1 else 'peak lies'} more than "
            f"{_FARTHEST_MM} mm from the origin, the first in line {first}. Expected "
            "mm; a sign or a point may be missing there.",
            UserWarning,
            stacklevel=3,
        )
    return parser.experiments


class _Parser:
    """Takes one line after the other."""

    def __init__(self):
        self.experiments = []
        self.far_lines = []
        self._space = None
        self._name_goes_on = False

    def take(self, line: str, number: int) -> None:
        """Read a stripped line; errors do not name it yet."""
        comment = line.lstrip("/").strip()
        if not line:
            self._name_goes_on = False
        elif not line.startswith("/"):
            self._take_peak(line, number)
        elif found := _REFERENCE.fullmatch(comment):
            self._space, self._name_goes_on = _read_space(found[1]), False
        elif found := _SUBJECTS.fullmatch(comment):
            self._take_subjects(found[1])
        elif comment:
            self._take_name(comment)

    def _take_name(self, comment):
        if self._name_goes_on:
            self.experiments[-1].names.append(comment)
            return
        self.experiments.append(Experiment([comment], self._space))
        self._name_goes_on = True

    def _take_subjects(self, word):
        self._name_goes_on = False
        if not (word.isascii() and word.isdecimal()):
            raise ValueError(
                f"the number of subjects is {word!r}; expected a whole number."
            )
        last = self.experiments[-1] if self.experiments else None
        if last is None or last.n_subjects is not None:
            raise ValueError(
                "a number of subjects without the name of an experiment above. "
                "Expected a line like '// Author, year: contrast'."
            )
        if last.peaks:
            raise ValueError(
                f"a number of subjects below peaks of {last.names[0]!r}: it may be "
                "meant for these or for those below. Expected it between the name of "
                "an experiment and its first peak."
            )
        last.n_subjects = int(word)

    def _take_peak(self, line, number):
        self._name_goes_on = False
        if is_statement(line):
            raise ValueError(
                f"{line[:60]!r} lacks the // that a statement begins with."
            )
        if not self.experiments:
            raise ValueError(
                f"{line[:60]!r} stands before the name of any experiment. Expected a "
                "line like '// Author, year: contrast' above the peaks."
            )
        peak, last = _read_peak(line), self.experiments[-1]
        if not last.peaks:
            last.space = self._space
        elif last.space != self._space:
            raise ValueError(
                "the reference above this line changes the space among the peaks of "
                f"{last.names[0]!r}. Name the experiment again below the reference."
            )
        last.peaks.append(peak)
        if max(map(abs, peak)) > _FARTHEST_MM:
            self.far_lines.append(number)


def _read_space(word: str) -> str:
    space = normalize_spaces([word])[0]
    if space not in SPACE_NAMES:
        raise ValueError(
            f"the reference {word!r} is unknown; expected MNI or Talairach."
        )
    return space


def _read_peak(line: str) -> list:
    words = re.split(r"[\s,;]+", line.translate(_MINUS).rstrip(" \t,;"))
    if len(words) == 3 and all(map(_NUMBER.fullmatch, words)):
        peak = [float(word) for word in words]
        if all(map(math.isfinite, peak)):
            return peak
    raise ValueError(
        f"{line[:60]!r} is no peak; expected three numbers, x, y, z in mm, with "
        "decimal points and no further column. A comment begins with //."
    )
