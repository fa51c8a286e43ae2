"""Read and write the text files of Sleuth and GingerALE, two BrainMap programs."""

import codecs
import math
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import mni_to_talairach, normalize_spaces
from .._utils.files import expand_path, write_text
from ._bunch import make_bunch, warn_about_spaces

_SPACE_NAMES = {"MNI": "MNI", "TAL": "Talairach"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_REFERENCE = re.compile(r"reference\s*[=:]\s*(.*)", re.IGNORECASE)
_SUBJECTS = re.compile(r"subjects?\s*[=:]\s*(.*)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_MINUS_SIGNS = str.maketrans("−–", "--")
# Pattern of the name of an experiment. The first group matches the name of the study,
# for example "Chochon F, 1999" in "Chochon F, 1999: Multiplication", "Liu et al., 2018"
# in "Liu et al., 2018; Self vs other", or "24814646" in "24814646-1".
_GROUP = re.compile(r"(.+?)\s*(?:[:;].*|-\d+)?")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
# A peak with a coordinate beyond this distance from zero is outside the brain, both in
# MNI space and in Talairach space.
_MAX_DISTANCE_MM = 200
_EXAMPLE = "Expected a line like '// Author, year: contrast'"


def load_sleuth(path):
    r"""Load the peaks of a meta-analysis from a text file of Sleuth or GingerALE.

    The file is a list of experiments. Each experiment begins with lines that start
    with ``//``. The first of these lines contain the name of the experiment; a name may
    span several lines, and a blank line ends it. The line ``// Subjects=…`` contains
    the number of subjects. Each of the following lines contains the coordinates of one
    peak, separated by spaces, tabs, commas or semicolons. A line ``// Reference=…``
    states the coordinate space of all peaks between this line and the next line
    ``// Reference=…``. Line ends of all operating systems are accepted.

    Parameters
    ----------
    path : path-like
        Path of the file. Its encoding must be UTF-8, UTF-16 with a byte order mark, or
        Windows-1252.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`, with one row per
        experiment. The title of a row is the name of the experiment. The group of a row
        is the name of the study, which is the text before the first colon or semicolon
        of the title. The additional field ``n_subjects`` is an Int64 array of shape
        (n_experiments,); an unknown number is NA. The space of peaks above the first
        line ``// Reference=…`` is UNKNOWN.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the line of a peak does not contain exactly three numbers, if a space or a
        number of subjects is invalid, if the space changes between two peaks of an
        experiment, or if a number of subjects is not between the name of an experiment
        and its first peak. The message contains the line number.

    Warns
    -----
    CoordinateSpaceWarning
        If at least one peak is not reported in MNI space.
    UserWarning
        If the absolute value of a coordinate is larger than 200 mm. The peak is kept.

    See Also
    --------
    write_sleuth : Write a file in this format.

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
    path = expand_path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"The file {str(path)!r} does not exist. Pass a text file of Sleuth or "
            "GingerALE."
        )
    experiments = _parse(_read_text(path), path.name)
    names = [" ".join(experiment.names) for experiment in experiments]
    years = [_YEAR.search(name) for name in names]
    studies = pd.DataFrame(
        {
            "study_id": [f"{path.stem}-{row:04d}" for row in range(1, len(names) + 1)],
            "title": names,
            "year": [int(year[0]) if year else None for year in years],
            "coordinate_space": [experiment.space for experiment in experiments],
        }
    )
    rows = np.repeat(
        np.arange(len(names)), [len(experiment.peaks) for experiment in experiments]
    )
    corpus = make_bunch(
        studies,
        rows,
        [peak for experiment in experiments for peak in experiment.peaks],
        studies["coordinate_space"].to_numpy(dtype=object)[rows],
        description=f"{len(names):,} experiments of {path.name}.",
        groups=[_GROUP.fullmatch(name)[1] for name in names],
        n_subjects=pd.array(
            [experiment.n_subjects for experiment in experiments], dtype="Int64"
        ),
    )
    return warn_about_spaces(corpus)


def write_sleuth(corpus, path, *, space="MNI") -> Path:
    """Write the peaks of a corpus to a text file for Sleuth and GingerALE.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package. Each row is written as an
        experiment. The name of an experiment is its title, or its study id if the title
        is empty. If the corpus has the field ``n_subjects``, the known numbers of
        subjects are also written, because GingerALE needs these numbers.
    path : path-like
        Path of the output file. An existing file is replaced.
    space : {"MNI", "TAL"}, default="MNI"
        Coordinate space of the output file. With ``"TAL"``, peaks are converted to
        Talairach space by the Lancaster transform.

    Returns
    -------
    path : Path
        Path of the output file. In this file, coordinates are rounded to four decimals,
        and rows without a peak are omitted.

    Raises
    ------
    ValueError
        If `space` is invalid, if no row has a peak, or if a title has the form
        ``Reference=…`` or ``Subjects=…``, because it would not be read as a name.

    Warns
    -----
    UserWarning
        If rows without a peak are omitted.

    See Also
    --------
    load_sleuth : Load a file in this format.

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
    path = expand_path(path)
    text = f"// Reference={_SPACE_NAMES[space]}\n" + "\n".join(blocks)
    write_text(path, text)
    return path


def _experiment_names(studies) -> list[str]:
    """Return the name of each experiment, without line breaks."""
    titles = studies["title"].fillna("")
    names = titles.where(titles != "", studies["study_id"])
    names = [" ".join(name.split()).lstrip("/ ") for name in names]
    for name in names:
        if not name or _is_statement(name):
            raise ValueError(
                f"The title {name!r} cannot be the name of an experiment, because it "
                "is empty or would be read as a reference or a number of subjects. "
                "Change the title."
            )
    return names


def _format_experiment(name, n_subjects, peaks, space) -> str:
    """Format an experiment as lines of the file."""
    peaks = mni_to_talairach(peaks) if space == "TAL" else peaks
    lines = [f"// {name}"]
    if n_subjects is not None and not pd.isna(n_subjects):
        lines.append(f"// Subjects={int(n_subjects)}")
    # The addition of zero replaces -0.0 with 0.0.
    for row in np.round(peaks, 4) + 0.0:
        lines.append("\t".join(f"{x:.4f}".rstrip("0").rstrip(".") for x in row))
    return "\n".join(lines) + "\n"


def _read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, UTF-16 (with BOM) or Windows-1252."""
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
    """Return the experiments of a file; errors state the file name and line number."""
    parser = _Parser()
    for number, line in enumerate(_LINE_END.split(text), start=1):
        try:
            parser.read_line(line.strip(), number)
        except ValueError as error:
            raise ValueError(f"{source}, line {number}: {error}") from None
    if not parser.experiments:
        raise ValueError(
            f"{source} does not contain the name of an experiment. {_EXAMPLE} above "
            "the peaks."
        )
    if parser.distant_lines:
        first, n = parser.distant_lines[0], len(parser.distant_lines)
        warnings.warn(
            f"{source}: {n} {'peaks have' if n > 1 else 'peak has'} a coordinate "
            f"beyond {_MAX_DISTANCE_MM} mm. The first is in line {first}. Expected "
            "coordinates in mm. Check for a missing space or decimal point.",
            UserWarning,
            stacklevel=3,
        )
    return parser.experiments


@dataclass
class _Experiment:
    """Name (a list of lines), space, number of subjects and peaks of an experiment."""

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
        """Parse a line without surrounding blanks; `number` is its line number."""
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
                "its first peak; got a number of subjects below the peaks of "
                f"{last.names[0]!r}."
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
            # The line with the reference may be between the name and the first peak.
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
    """Return whether a line states a coordinate space or a number of subjects."""
    return bool(_REFERENCE.fullmatch(comment) or _SUBJECTS.fullmatch(comment))


def _parse_space(word: str) -> str:
    """Return MNI or TAL; raise ValueError for other spaces."""
    space = normalize_spaces([word])[0]
    if space not in _SPACE_NAMES:
        raise ValueError(f"the reference must be MNI or Talairach; got {word!r}.")
    return space


def _parse_peak(line: str) -> list[float]:
    """Return the coordinates [x, y, z] in a line."""
    words = re.split(r"[\s,;]+", line.translate(_MINUS_SIGNS).rstrip(" \t,;"))
    if len(words) == 3 and all(map(_NUMBER.fullmatch, words)):
        peak = [float(word) for word in words]
        if all(map(math.isfinite, peak)):
            return peak
    raise ValueError(
        "a peak must be three numbers, which are x, y, z in mm, without further "
        f"columns; got {line[:60]!r}. Decimals must be written with a point, and "
        "comments must begin with //."
    )
