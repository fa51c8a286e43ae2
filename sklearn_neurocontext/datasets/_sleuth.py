"""Read and write text files of BrainMap's Sleuth and of GingerALE."""

import codecs
import math
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import mni_to_talairach, normalize_spaces
from ._bunch import make_bunch, warn_about_spaces

_SPACE_NAMES = {"MNI": "MNI", "TAL": "Talairach"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_REFERENCE = re.compile(r"reference\s*[=:]\s*(.*)", re.IGNORECASE)
_SUBJECTS = re.compile(r"subjects?\s*[=:]\s*(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_MINUS_SIGNS = str.maketrans("−–", "--")
# The study in the name of an experiment, for example "Chochon F, 1999" in "Chochon F,
# 1999: Multiplication", "Liu et al., 2018" in "Liu et al., 2018; Self vs other", or
# "24814646" in "24814646-1".
_GROUP = re.compile(r"(.+?)\s*(?:[:;].*|-\d+)?")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
# Larger than the distance of any brain voxel from the origin of MNI or Talairach space.
_MAX_DISTANCE_MM = 200
_EXAMPLE = "Expected a line like '// Author, year: contrast'"


def load_sleuth(path):
    r"""Load the peaks of a meta-analysis from a text file of Sleuth or GingerALE.

    The file is a list of experiments. Lines that begin with ``//`` contain the name of
    an experiment (which ends at a blank line) and its number of subjects. Each line
    below them contains one peak. ``// Reference=…`` states the coordinate space of all
    peaks below it, up to the next such line. Numbers may be separated by blanks, tabs,
    commas or semicolons, and line ends may be those of any system.

    Parameters
    ----------
    path : path-like
        Path of the file, in UTF-8, UTF-16 with a byte order mark, or Windows-1252.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`, with one row per
        experiment. The title is the name of the experiment, and the group is the study:
        the part of the name before a colon or semicolon. The additional field
        ``n_subjects`` is an Int64 array of shape (n_experiments,), NA if unknown.
        Without a reference, the space of peaks is unknown.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If a line is neither a comment nor three numbers, if it states an invalid space
        or number of subjects, if the reference changes between the peaks of an
        experiment, or if the number of subjects is below its peaks. The message
        contains the line number.

    Warns
    -----
    CoordinateSpaceWarning
        If peaks are not in MNI space.
    UserWarning
        If peaks are more than 200 mm from the origin; they are kept.

    See Also
    --------
    write_sleuth : Write such a file.

    References
    ----------
    Laird et al., The BrainMap strategy for standardization, sharing, and meta-analysis
    of neuroimaging data, BMC Research Notes 2011. Eickhoff et al., Human Brain Mapping
    2009 (GingerALE).

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_neurocontext.datasets import load_sleuth
    >>> lines = ["//Reference=MNI", "//Ito, 2003: tap > rest", "//Subjects=9"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tapping.txt"
    ...     _ = path.write_text("\n".join([*lines, "-42 -22 54", "4 0 60"]))
    ...     corpus = load_sleuth(path)
    >>> corpus.studies["title"].tolist(), corpus.peaks[0].shape, corpus.groups.tolist()
    (['Ito, 2003: tap > rest'], (2, 3), ['Ito, 2003'])
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"The file {str(path)!r} does not exist. Pass a text file of Sleuth or "
            "GingerALE."
        )
    experiments = _parse(_read_text(path), path.name)
    names = [" ".join(one.names) for one in experiments]
    years = [_YEAR.search(name) for name in names]
    studies = pd.DataFrame(
        {
            "study_id": [f"{path.stem}-{row:04d}" for row in range(1, len(names) + 1)],
            "title": names,
            "year": [int(year[0]) if year else None for year in years],
            "coordinate_space": [one.space for one in experiments],
        }
    )
    rows = np.repeat(np.arange(len(names)), [len(one.peaks) for one in experiments])
    corpus = make_bunch(
        studies,
        rows,
        [peak for one in experiments for peak in one.peaks],
        studies["coordinate_space"].to_numpy(dtype=object)[rows],
        description=f"{len(names):,} experiments of {path.name}.",
        groups=[_GROUP.fullmatch(name)[1] for name in names],
        n_subjects=pd.array([one.n_subjects for one in experiments], dtype="Int64"),
    )
    return warn_about_spaces(corpus)


def write_sleuth(corpus, path, *, space="MNI") -> Path:
    """Write the peaks of a corpus to a text file for Sleuth and GingerALE.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package. Each row is an experiment; its
        name is the title, or the study id if the title is empty. Known ``n_subjects``
        are written, as GingerALE needs them.
    path : path-like
        Path of the file; an existing file is replaced.
    space : {"MNI", "TAL"}, default="MNI"
        Coordinate space of the file; for ``"TAL"``, peaks are converted (Lancaster).

    Returns
    -------
    path : Path
        Path of the file. Coordinates are rounded to four decimals; rows without a peak
        are omitted.

    Raises
    ------
    ValueError
        If the space is unknown, no row has a peak, or a title cannot be the name of an
        experiment.

    Warns
    -----
    UserWarning
        If rows without a peak are omitted.

    See Also
    --------
    load_sleuth : Read such a file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_neurocontext.datasets import make_studies, write_sleuth
    >>> corpus = make_studies(2, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_sleuth(corpus, folder + "/peaks.txt").read_text()[:15])
    // Reference=MN
    """
    if space not in _SPACE_NAMES:
        raise ValueError(f"space must be 'MNI' or 'TAL'; got {space!r}.")
    subjects = corpus.get("n_subjects", [None] * len(corpus.peaks))
    blocks = [
        _format_experiment(name, n_subjects, peaks, space)
        for name, n_subjects, peaks in zip(
            _experiment_names(corpus.studies), subjects, corpus.peaks, strict=True
        )
        if len(peaks)
    ]
    if not blocks:
        raise ValueError("The corpus must have at least one peak; got none.")
    if len(blocks) < len(corpus.peaks):
        warnings.warn(
            f"{len(corpus.peaks) - len(blocks)} of {len(corpus.peaks)} rows have no "
            "peak and were omitted.",
            UserWarning,
            stacklevel=2,
        )
    path = Path(path).expanduser()
    text = f"// Reference={_SPACE_NAMES[space]}\n" + "\n".join(blocks)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _experiment_names(studies) -> list[str]:
    """Return the name of each experiment, without line breaks."""
    titles = studies["title"].fillna("")
    names = titles.where(titles != "", studies["study_id"])
    names = [" ".join(name.split()).lstrip("/ ") for name in names]
    for name in names:
        if not name or _is_statement(name):
            raise ValueError(
                f"The title {name!r} cannot be the name of an experiment: it would be "
                "read as a statement. Change the title."
            )
    return names


def _format_experiment(name, n_subjects, peaks, space) -> str:
    """Format an experiment as lines of the file."""
    peaks = mni_to_talairach(peaks) if space == "TAL" else peaks
    lines = [f"// {name}"]
    if n_subjects is not None and not pd.isna(n_subjects):
        lines.append(f"// Subjects={int(n_subjects)}")
    # Adding zero replaces -0.0 by 0.0.
    for row in np.round(peaks, 4) + 0.0:
        lines.append("\t".join(f"{x:.4f}".rstrip("0").rstrip(".") for x in row))
    return "\n".join(lines) + "\n"


def _read_text(path: Path) -> str:
    """Read a file in UTF-8, in UTF-16 with a byte order mark, or in Windows-1252."""
    content = path.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", errors="replace")
    if b"\0" in content:
        raise ValueError(
            f"{path.name} is not a text file: it contains zero bytes. Save it as "
            "UTF-8, or as UTF-16 with a byte order mark."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def _parse(text: str, source: str) -> list:
    """Parse the experiments of a file; errors name the file and the line."""
    parser = _Parser()
    for number, line in enumerate(_LINE_END.split(text), start=1):
        try:
            parser.read_line(line.strip(), number)
        except ValueError as error:
            raise ValueError(f"{source}, line {number}: {error}") from None
    if not parser.experiments:
        raise ValueError(
            f"{source} contains no name of an experiment. {_EXAMPLE} above the peaks."
        )
    if parser.distant_lines:
        first, n = parser.distant_lines[0], len(parser.distant_lines)
        warnings.warn(
            f"{source}: {n} {'peaks are' if n > 1 else 'peak is'} more than "
            f"{_MAX_DISTANCE_MM} mm from the origin, the first in line {first}. "
            "Expected mm; check for a missing sign or decimal point.",
            UserWarning,
            stacklevel=3,
        )
    return parser.experiments


@dataclass
class _Experiment:
    """An experiment: lines of the name, space, number of subjects, and peaks in mm."""

    names: list
    space: str | None
    n_subjects: int | None = None
    peaks: list = field(default_factory=list)


class _Parser:
    """Parser that collects experiments line by line."""

    def __init__(self):
        self.experiments = []
        self.distant_lines = []
        self._space = None
        self._in_name = False

    def read_line(self, line: str, number: int) -> None:
        """Read a stripped line; `_parse` adds the line number to errors."""
        comment = line.lstrip("/").strip()
        if not line:
            self._in_name = False
        elif not line.startswith("/"):
            self._read_peak(line, number)
        elif found := _REFERENCE.fullmatch(comment):
            self._space, self._in_name = _parse_space(found[1]), False
        elif found := _SUBJECTS.fullmatch(comment):
            self._read_subjects(found[1])
        elif comment and self._in_name:
            self.experiments[-1].names.append(comment)
        elif comment:
            self.experiments.append(_Experiment([comment], self._space))
            self._in_name = True

    def _read_subjects(self, word):
        self._in_name = False
        if not (word.isascii() and word.isdecimal()):
            raise ValueError(
                f"the number of subjects must be an integer; got {word!r}."
            )
        last = self.experiments[-1] if self.experiments else None
        if last is None or last.n_subjects is not None:
            raise ValueError(
                "a number of subjects must follow the name of an experiment. "
                f"{_EXAMPLE} above it."
            )
        if last.peaks:
            raise ValueError(
                "a number of subjects must be between the name of an experiment and "
                f"its first peak; got it below the peaks of {last.names[0]!r}."
            )
        last.n_subjects = int(word)

    def _read_peak(self, line, number):
        self._in_name = False
        if _is_statement(line):
            raise ValueError(f"{line[:60]!r} must begin with //.")
        if not self.experiments:
            raise ValueError(
                f"{line[:60]!r} is above the name of the first experiment. {_EXAMPLE} "
                "above the peaks."
            )
        peak, last = _parse_peak(line), self.experiments[-1]
        if not last.peaks:
            # A reference between the name and the first peak also applies.
            last.space = self._space
        elif last.space != self._space:
            raise ValueError(
                "the reference above this line changes the space between the peaks of "
                f"{last.names[0]!r}. Repeat the experiment's name below the reference."
            )
        last.peaks.append(peak)
        if max(map(abs, peak)) > _MAX_DISTANCE_MM:
            self.distant_lines.append(number)


def _is_statement(comment: str) -> bool:
    """Return whether a comment states a reference or a number of subjects."""
    return bool(_REFERENCE.fullmatch(comment) or _SUBJECTS.fullmatch(comment))


def _parse_space(word: str) -> str:
    """Return MNI or TAL; raise for other spaces."""
    space = normalize_spaces([word])[0]
    if space not in _SPACE_NAMES:
        raise ValueError(f"the reference must be MNI or Talairach; got {word!r}.")
    return space


def _parse_peak(line: str) -> list[float]:
    """Return x, y, z of a line with a peak."""
    words = re.split(r"[\s,;]+", line.translate(_MINUS_SIGNS).rstrip(" \t,;"))
    if len(words) == 3 and all(map(_NUMBER.fullmatch, words)):
        peak = [float(word) for word in words]
        if all(map(math.isfinite, peak)):
            return peak
    raise ValueError(
        f"a peak must be three numbers, x, y, z in mm, with decimal points and no "
        f"further column; got {line[:60]!r}. Begin a comment with //."
    )
