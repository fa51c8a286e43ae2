"""Read and write the text files of Sleuth and GingerALE, two BrainMap programs."""

import re
import warnings
from dataclasses import dataclass, field
from numbers import Integral
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import check_space, mni_to_talairach, normalize_spaces
from .._utils.files import expand_path, write_text
from .._utils.validation import normalize_text, read_numbers
from ._bunch import count_words, make_bunch, warn_about_spaces
from ._files import describe_encoding, find_encoding, read_text

_SPACE_NAMES = {"MNI": "MNI", "TAL": "Talairach"}
_LINE_END = re.compile(r"\r\n|\r|\n")
_REFERENCE = re.compile(r"reference\s*[=:]\s*(.*)", re.IGNORECASE)
_SUBJECTS = re.compile(
    r"(?:number of )?(?:subjects?|participants?(?=\s*[=:]\s*\d))\s*[=:]\s*(.*)",
    re.IGNORECASE,
)
_N_EQUALS = re.compile(
    r"n\s*[=:]\s*(\d+)(?:\s+(?:subjects|participants))?", re.IGNORECASE | re.ASCII
)
# Patterns of the columns in a line with a peak. In the first pattern, commas separate
# columns; in the second pattern, commas are decimal commas.
_CELLS = (r'"[^"]*"|[^\s,;"]+', r"[^\s;]+")
# Matches lines such as "// Reference=MNI,,". When Excel saves a text file, it adds
# separators until all lines have the same number of columns.
_PADDED = re.compile(r'^\W*(reference|subjects?)\s*[=:].*[,;][\s"]*$', re.I | re.M)
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
# The name of an experiment begins with the name of its study. This pattern matches the
# name of the study, which ends with the year. Examples are "Chochon F, 1999" in
# "Chochon F, 1999: Multiplication" and "Grossman et al., 2002a" in "Grossman et al.,
# 2002a nouns > verbs". Years after the first colon are ignored.
_STUDY = re.compile(
    rf"[^:]*?[^\W\d][^:]*?{_YEAR.pattern}(?:[a-z](?![a-z])|\s*\([a-z]\))?\)?", re.I
)
# A PMID or DOI at the beginning of the name of an experiment is the name of the study.
_ARTICLE_ID = re.compile(
    r"(?:pmid|doi)?[:=\s]*(\d{6,8}(?!\d)|10\.\d{4,}/[^\s:;]+)", re.IGNORECASE
)
# If the name of an experiment contains no year, the name of the study is the text
# before a colon or semicolon, or the number before a hyphen, for example "12" in
# "12-1".
_GROUP = re.compile(r"(.+?)\s*(?:[:;].*|-\d+)?")
# A peak with a coordinate beyond this distance from zero is outside the brain, both in
# MNI space and in Talairach space.
_MAX_DISTANCE_MM = 200
_EXAMPLE = "Expected a line like '// Author, year: contrast'"


def load_sleuth(path):
    r"""Load the peaks of a meta-analysis from a text file of Sleuth or GingerALE.

    The file is a list of experiments. Each experiment begins with lines that start
    with ``//``. The name of the experiment begins on the first of these lines, and may
    continue on the next lines until a blank line. The line ``// Subjects=…`` contains
    the number of subjects; ``// N=…`` below a name is read in the same way. Each of the
    following lines contains the coordinates of one peak, separated by spaces, tabs,
    commas or semicolons. A line ``// Reference=…`` states the coordinate space of all
    peaks between this line and the next line ``// Reference=…``. Line ends of all
    operating systems are accepted, as are quotes and separators added by Excel.

    A name without a number of subjects and without peaks is a comment. The following
    are also comments:

    - a line in which ``//`` precedes the coordinates of a peak;
    - a text that begins with ``//`` after the coordinates of a peak;
    - a line between the peaks of an experiment that begins with ``//`` and does not
      look like ``// Author, year: contrast``, for example the brain region of a peak.

    Parameters
    ----------
    path : path-like or list of path-like
        Path of the file, or paths of several files, whose names must differ. The
        encoding must be UTF-8, UTF-16 with a byte order mark, or Windows-1252.

    Returns
    -------
    corpus : Bunch
        The fields documented in `sklearn_neurocontext.datasets`, with one row per
        experiment. The title of a row is the name of the experiment. The group of a row
        is the name of the study. If the title begins with a PMID or DOI, the name of
        the study is this PMID or DOI. Otherwise, it is the title up to the year. If no
        year precedes the first colon, it is the title up to the first colon or
        semicolon. The additional field ``n_subjects`` is an Int64 array of shape
        (n_experiments,), in which an unknown number is NA. The space of peaks above the
        first line ``// Reference=…`` is UNKNOWN. The field ``description`` states the
        number of comments.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the line of a peak does not contain exactly three numbers, if a space or a
        number of subjects is invalid, if the space changes between two peaks of an
        experiment, if a number of subjects is not between the name of an experiment
        and its first peak, or if it is unclear whether a line is a name or a comment.
        The message contains the line number.

    Warns
    -----
    CoordinateSpaceWarning
        If the label of a coordinate space is unclear.
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
    paths = [path] if isinstance(path, str | PathLike) else list(path)
    paths = [expand_path(each) for each in paths]
    encodings = [_find_encoding(each) for each in paths]
    files = [
        _parse(read_text(each, encoding), each.name)
        for each, encoding in zip(paths, encodings, strict=True)
    ]
    experiments = [one for file in files for one in file.experiments]
    names = [experiment.name for experiment in experiments]
    study_ids = [
        f"{path.stem}-{row:04d}"
        for path, file in zip(paths, files, strict=True)
        for row in range(1, len(file.experiments) + 1)
    ]
    groups = [_find_group(experiment.names) for experiment in experiments]
    # Experiments of a study form a group even if their names differ in case, spaces,
    # commas or periods.
    spellings = {}
    groups = [spellings.setdefault(_group_key(group), group) for group in groups]
    years = [_YEAR.search(name) for name in names]
    studies = pd.DataFrame(
        {
            "study_id": study_ids,
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
        description=_describe(paths, files, len(spellings))
        + "".join(map(describe_encoding, paths, encodings)),
        groups=groups,
        n_subjects=pd.array(
            [experiment.n_subjects for experiment in experiments], dtype="Int64"
        ),
    )
    return warn_about_spaces(corpus)


def _group_key(group: str) -> str:
    """Return the name of a study in lowercase, without spaces, commas or periods."""
    return re.sub(r"[\s.,]+", "", normalize_text(group).casefold()) or group


def _describe(paths, files, n_groups) -> str:
    """Return a description of the files, their comments and the groups."""
    n_experiments = sum(len(file.experiments) for file in files)
    n_comments = sum(file.n_comments for file in files)
    source = paths[0].name if len(paths) == 1 else f"{len(paths)} files"
    text = f"{count_words(n_experiments, 'experiment', 'experiments')} of {source}."
    if n_comments:
        lines = "comment was" if n_comments == 1 else "comments were"
        text += f" {n_comments:,} {lines} skipped."
    return (
        f"{text} The experiments form {count_words(n_groups, 'group', 'groups')}. "
        "Experiments are in the same group if their names agree up to the year or, "
        "without a year, up to the colon. Case, spaces, commas and periods are ignored."
    )


def write_sleuth(corpus, path, *, space="MNI", default_n_subjects=None) -> Path:
    """Write the peaks of a corpus to a text file for Sleuth and GingerALE.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package. Each row is written as an
        experiment. The name of an experiment is its title, or its study id if the title
        is empty. If the corpus has the field ``n_subjects``, the known numbers of
        subjects are also written, because GingerALE and NiMARE need these numbers.
    path : path-like
        Path of the output file. An existing file is replaced.
    space : {"MNI", "TAL"}, default="MNI"
        Coordinate space of the output file. With ``"TAL"``, peaks are converted to
        Talairach space by the Lancaster transform.
    default_n_subjects : int or None, default=None
        Number of subjects to write for experiments whose number is unknown. If None,
        the line ``// Subjects=…`` of these experiments is omitted. NiMARE does not read
        a file in which such a line is missing.

    Returns
    -------
    path : Path
        Path of the output file. In this file, coordinates are rounded to four decimals,
        and rows without a peak are omitted.

    Raises
    ------
    ValueError
        If `space` is invalid, if `default_n_subjects` is not positive, if no row has a
        peak, or if a title has the form ``Reference=…``, ``Subjects=…`` or ``N=…``, or
        begins with three numbers, like the line of a peak. Such a title would not be
        read as a name.

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
    check_space(space, _SPACE_NAMES)
    subjects = fill_n_subjects(corpus, default_n_subjects)
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


def fill_n_subjects(corpus, default_n_subjects) -> list:
    """Return the number of subjects of each row; use the default if it is unknown."""
    if default_n_subjects is not None and (
        not isinstance(default_n_subjects, Integral) or default_n_subjects < 1
    ):
        raise ValueError(
            "default_n_subjects must be a positive integer or None; got "
            f"{default_n_subjects!r}."
        )
    known = corpus.get("n_subjects", [None] * len(corpus.peaks))
    return [default_n_subjects if pd.isna(n) else int(n) for n in known]


def _experiment_names(studies) -> list[str]:
    """Return the name of each experiment, without line breaks."""
    titles = studies["title"].fillna("")
    names = titles.where(titles != "", studies["study_id"])
    names = [" ".join(name.split()).lstrip("/ ") for name in names]
    for name in names:
        if not name or _is_statement(name) or _is_comment(name):
            raise ValueError(
                f"The title {name!r} cannot be the name of an experiment, because it "
                "is empty or would be read as a reference, a number of subjects or a "
                "comment. Change the title."
            )
    return names


def _format_experiment(name, n_subjects, peaks, space) -> str:
    """Format an experiment as lines of the file."""
    peaks = mni_to_talairach(peaks) if space == "TAL" else peaks
    lines = [f"// {name}"]
    if n_subjects is not None:
        lines.append(f"// Subjects={n_subjects}")
    # The addition of zero replaces -0.0 with 0.0.
    for row in np.round(peaks, 4) + 0.0:
        lines.append("\t".join(f"{x:.4f}".rstrip("0").rstrip(".") for x in row))
    return "\n".join(lines) + "\n"


def _find_encoding(path: Path) -> str:
    """Return the encoding of a file; raise FileNotFoundError if it does not exist."""
    if not path.is_file():
        raise FileNotFoundError(
            f"The file {str(path)!r} does not exist. Pass a text file of Sleuth or "
            "GingerALE."
        )
    return find_encoding(path)


def _parse(text: str, source: str):
    """Parse the text of a file; errors state the file name and the line number."""
    parser = _Parser(is_padded=bool(_PADDED.search(_LINE_END.sub("\n", text))))
    for number, line in enumerate(_LINE_END.split(text), start=1):
        try:
            parser.read_line(line, number)
        except ValueError as error:
            raise ValueError(f"{source}, line {number}: {error}") from None
    parser.drop_name()
    if not parser.experiments:
        raise ValueError(
            f"{source} does not contain the name of an experiment that is followed by "
            f"peaks or a number of subjects. {_EXAMPLE} above the peaks."
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
    return parser


@dataclass
class _Experiment:
    """Name (a list of lines), space, number of subjects and peaks of an experiment."""

    names: list
    line: int
    space: str | None
    # Whether a blank line or a line "// Reference=…" directly precedes the name.
    is_separate: bool = True
    n_equals: int | None = None
    n_subjects: int | None = None
    peaks: list = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return the text of all lines of the name."""
        return " ".join(self.names)


class _Parser:
    """Parser that collects experiments line by line."""

    def __init__(self, is_padded):
        self.experiments = []
        self.distant_lines = []
        self.n_comments = 0
        self._is_padded = is_padded
        self._space = None
        # The lines of the last name. If a number of subjects or a peak follows, these
        # lines are the name of an experiment; otherwise, they are comments.
        self._name = None
        self._name_ended = self._is_separate = True

    def read_line(self, line: str, number: int) -> None:
        """Parse a line; `number` is its line number."""
        line = _unquote(line)
        stripped = line.rstrip(" \t,;")
        text = stripped.lstrip("/ \t")
        if not text:
            self._name_ended = self._name_ended or not line.startswith("/")
            self._is_separate = self._is_separate or not line.startswith("/")
        elif not line.startswith("/"):
            self._read_peak(stripped, number)
        elif found := _REFERENCE.fullmatch(text):
            self._space = _parse_space(found[1])
            self._name_ended = self._is_separate = True
        elif found := _SUBJECTS.fullmatch(text):
            self._read_subjects(found[1])
        else:
            text = text if self._is_padded else line.lstrip("/ \t")
            self._read_text(text, number)

    def drop_name(self):
        """Drop the pending name, if there is one, and count its lines as comments."""
        if self._name:
            self.n_comments += len(self._name.names) + (self._name.n_equals is not None)
        self._name = None

    def _read_text(self, text, number):
        """Parse a line that may be the name of an experiment, or a comment."""
        if _is_comment(text):
            found = _N_EQUALS.fullmatch(text)
            if found and self._name and self._name.n_equals is None:
                self._name.n_equals = int(found[1])
            else:
                self.n_comments += 1
        elif self._name and not self._name_ended:
            self._name.names.append(text)
        else:
            self.drop_name()
            self._name = _Experiment([text], number, self._space, self._is_separate)
            self._name_ended = False

    def _read_subjects(self, word):
        n_subjects = read_numbers([word])[0]
        if not (n_subjects >= 0 and n_subjects.is_integer()):
            raise ValueError(
                f"the number of subjects must be an integer; got {word!r}."
            )
        if self._name is None:
            last = self.experiments[-1] if self.experiments else None
            if last and last.peaks:
                raise ValueError(
                    "a number of subjects must be between the name of an experiment "
                    "and its first peak; got a number of subjects below the peaks of "
                    f"{last.name!r}."
                )
            raise ValueError(
                "a number of subjects must follow the name of an experiment. "
                f"{_EXAMPLE} above it."
            )
        self.n_comments += self._name.n_equals is not None
        self._begin_experiment(int(n_subjects))

    def _begin_experiment(self, n_subjects):
        """Add an experiment with the pending name."""
        self._name.n_subjects = n_subjects
        self.experiments.append(self._name)
        self._name, self._is_separate = None, False

    def _read_peak(self, line, number):
        if _is_statement(line):
            raise ValueError(f"{line[:60]!r} must begin with //.")
        line, *comments = re.split(r"\s*//", line, maxsplit=1)
        peak = _parse_peak(line)
        self.n_comments += len(comments)
        if self._name and self._name_begins_experiment():
            self._begin_experiment(self._name.n_equals)
        self.drop_name()
        if not self.experiments:
            raise ValueError(
                f"{line[:60]!r} is above the name of the first experiment. {_EXAMPLE} "
                "above the peaks."
            )
        last = self.experiments[-1]
        if not last.peaks:
            # The line "// Reference=…" may be between the name and the first peak.
            last.space = self._space
        elif _space_of(last.space) != _space_of(self._space):
            raise ValueError(
                "the reference above this line changes the coordinate space in the "
                f"middle of the experiment {last.names[0]!r}. Repeat the experiment's "
                "name below the reference."
            )
        last.peaks.append(peak)
        self._is_separate = False
        if max(map(abs, peak)) > _MAX_DISTANCE_MM:
            self.distant_lines.append(number)

    def _name_begins_experiment(self) -> bool:
        """Return whether the pending name begins an experiment, not a comment."""
        name, last = self._name, self.experiments[-1] if self.experiments else None
        if (
            last is None
            or name.is_separate
            or name.n_equals is not None
            or _is_study_name(name.name)
        ):
            return True
        # Here, the pending name directly follows the lines of the previous experiment,
        # and has no number of subjects. If the previous experiment has neither a number
        # of subjects nor a name like "Author, year: contrast", the pending name begins
        # an experiment. The pending name is a comment, such as the brain region of a
        # peak, if three conditions hold: the previous experiment has a number of
        # subjects; its name contains a colon, a year or a PMID; the pending name
        # contains no year. Otherwise, an error is raised.
        if last.n_subjects is None and not _is_study_name(last.name):
            return True
        is_last_named = _is_study_name(last.name) or re.search(
            rf":|{_YEAR.pattern}", last.name
        )
        if (
            last.n_subjects is not None
            and is_last_named
            and not _YEAR.search(name.name)
        ):
            return False
        raise ValueError(
            f"line {name.line}, '// {name.name[:60]}', can be read as the name of an "
            "experiment or as a comment. If it is a name, add a line '// Subjects=…' "
            "below it or a blank line above it. If it is a comment, remove it."
        )


def _unquote(line: str) -> str:
    """Return a line without surrounding blanks and without the quotes of Excel."""
    line = line.strip()
    quoted = re.fullmatch(r'"((?:[^"]|"")*)"[\s,;]*', line)
    return quoted[1].replace('""', '"').strip() if quoted else line


def _is_statement(text: str) -> bool:
    """Return whether a line states a coordinate space or a number of subjects."""
    return bool(_REFERENCE.fullmatch(text) or _SUBJECTS.fullmatch(text))


def _is_comment(text: str) -> bool:
    """Return whether the text of a line with // begins with a peak, or is like N=12."""
    words = re.findall(_CELLS[0], text)[:3]
    is_peak = len(words) == 3 and np.isfinite(read_numbers(words)).all()
    return bool(is_peak or _N_EQUALS.fullmatch(text))


def _is_study_name(name: str) -> bool:
    """Return whether a name is like 'Author, year: contrast', or begins with a PMID."""
    return bool(re.match(rf"\d{{6,}}|{_STUDY.pattern}\s*[:;]", name, re.I))


def _find_group(names: list) -> str:
    """Return the name of the study, given the lines of the name of an experiment."""
    # Lines such as "Emotion studies", without author and year, may precede the name.
    begins = [i for i, line in enumerate(names) if _STUDY.match(line) or ":" in line]
    name = " ".join(names[begins[0] if begins else 0 :])
    if article := _ARTICLE_ID.match(name):
        return article[1]
    study = _STUDY.match(name)
    return study[0] if study else _GROUP.fullmatch(name)[1]


def _space_of(label) -> str:
    """Return the coordinate space that a line ``// Reference=…`` states."""
    return normalize_spaces([label])[0]


def _parse_space(label: str) -> str:
    """Return the text after "Reference="; raise ValueError if it is not a space."""
    if not label or _space_of(label) not in (*_SPACE_NAMES, "UNKNOWN"):
        raise ValueError(f"the reference must be MNI or Talairach; got {label!r}.")
    return label


def _parse_peak(line: str) -> list[float]:
    """Return the coordinates [x, y, z] in a line."""
    for cells in _CELLS:
        words = re.findall(cells, line)
        if len(words) == 3 and np.isfinite(peak := read_numbers(words)).all():
            return peak.tolist()
    raise ValueError(
        "a peak must be three numbers, which are x, y, z in mm, without further "
        f"columns; got {line[:60]!r}. Comments must begin with //."
    )
