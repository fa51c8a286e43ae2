"""Peaks of meta-analyses in the text form of BrainMap's Sleuth and of GingerALE."""

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from .._utils.coordinate_spaces import mni_to_talairach
from ._bunch import make_bunch, say_spaces
from ._sleuth_lines import SPACE_NAMES, is_statement, parse_sleuth, read_text

# "Chochon F, 1999: Multiplication", "Liu et al., 2018; Self vs other", "24814646-1"
_GROUP = re.compile(r"(.+?)\s*(?:[:;].*|-\d+)?")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


def load_sleuth(path):
    r"""Read the peaks of a meta-analysis from a text file of Sleuth or GingerALE.

    The file lists experiments: lines that begin with ``//`` name one (a name may go on
    over several lines, up to a blank one) and give its number of subjects, the lines
    below hold one peak each (BrainMap calls them foci). ``// Reference=…`` states the
    space of all peaks below it, up to the next such line. Ends of lines may be of any
    system, numbers apart by blanks, tabs, commas or semicolons.

    Parameters
    ----------
    path : path-like
        The file, in UTF-8, in UTF-16 with a byte order mark, or else in Windows-1252.

    Returns
    -------
    corpus : Bunch
        One row per experiment: ``studies`` (the experiment's name is the title),
        ``peaks``, ``space_counts``, ``description`` as every loader gives them;
        ``groups`` names the study of each experiment, the part of its name before a
        colon or semicolon; ``n_subjects`` (Int64 array of shape (n_experiments,),
        missing where the file does not say). Without a reference, peaks are of unknown
        space.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a line is neither a comment nor three numbers, states no known space or
        number of subjects, or if the reference changes among the peaks of an experiment
        or its subjects stand below them; the message names the line.

    Warns
    -----
    CoordinateSpaceWarning
        If peaks are not in MNI space.
    UserWarning
        If peaks lie further from the origin than any head reaches; they are kept.

    See Also
    --------
    write_sleuth : The way back.

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
            f"{str(path)!r} is no file. Expected a text file of Sleuth or GingerALE."
        )
    experiments = parse_sleuth(read_text(path), path.name)
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
    return say_spaces(corpus)


def write_sleuth(corpus, path, *, space="MNI") -> Path:
    """Write the peaks of a corpus as a text file for Sleuth and GingerALE.

    Parameters
    ----------
    corpus : Bunch
        What a loader of this package gave. Each row becomes an experiment, named by its
        title, or by its id where it has none. ``n_subjects`` is written where the
        corpus knows it; GingerALE wants it.
    path : path-like
        The file; an older one is replaced.
    space : {"MNI", "TAL"}, default="MNI"
        Space to write in; peaks are converted for ``"TAL"`` (Lancaster).

    Returns
    -------
    path : Path
        The file. Coordinates are rounded to four decimals; rows without a peak are left
        out, with a warning.

    Raises
    ------
    ValueError
        If the space is unknown, no row has a peak, or a title would be read as
        something else.

    See Also
    --------
    load_sleuth : Reads the file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn_neurocontext.datasets import make_studies, write_sleuth
    >>> corpus = make_studies(2, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(write_sleuth(corpus, folder + "/peaks.txt").read_text()[:15])
    // Reference=MN
    """
    if space not in SPACE_NAMES:
        raise ValueError(f"space={space!r} is unknown; expected 'MNI' or 'TAL'.")
    subjects = corpus.get("n_subjects", [None] * len(corpus.peaks))
    blocks = [
        _format_experiment(name, n_subjects, peaks, space)
        for name, n_subjects, peaks in zip(
            _names(corpus.studies), subjects, corpus.peaks, strict=True
        )
        if len(peaks)
    ]
    if not blocks:
        raise ValueError("No row of the corpus has a peak: nothing to write.")
    if len(blocks) < len(corpus.peaks):
        warnings.warn(
            f"{len(corpus.peaks) - len(blocks)} of {len(corpus.peaks)} rows have no "
            "peak and were left out.",
            UserWarning,
            stacklevel=2,
        )
    path = Path(path).expanduser()
    text = f"// Reference={SPACE_NAMES[space]}\n" + "\n".join(blocks)
    path.write_text(text, encoding="utf-8", newline="\n")
    return path


def _names(studies) -> list:
    """Name each experiment in one line that is read as a name."""
    titles = studies["title"].fillna("")
    names = titles.where(titles != "", studies["study_id"])
    names = [" ".join(name.split()).lstrip("/ ") for name in names]
    for name in names:
        if not name or is_statement(name):
            raise ValueError(
                f"The title {name!r} cannot name an experiment: it would be read as "
                "something else. Change this title."
            )
    return names


def _format_experiment(name, n_subjects, peaks, space) -> str:
    peaks = mni_to_talairach(peaks) if space == "TAL" else peaks
    lines = [f"// {name}"]
    if n_subjects is not None and not pd.isna(n_subjects):
        lines.append(f"// Subjects={int(n_subjects)}")
    # Adding zero turns -0.0 into 0.0.
    rows = np.round(peaks, 4) + 0.0
    lines += ["\t".join(map(_number, row)) for row in rows]
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")
