"""Public downloads of corpora."""

from ._bunch import say_spaces
from ._download import RemoteFile, find_files
from ._neuroquery import FILES as NEUROQUERY_FILES
from ._neuroquery import read_neuroquery
from ._neurosynth import FILES as NEUROSYNTH_FILES
from ._neurosynth import read_neurosynth

_GITHUB = "https://raw.githubusercontent.com/"
_NEUROQUERY = (
    f"{_GITHUB}neuroquery/neuroquery_data/"
    "4580f86267fb7c14ac1f601e298cbed898d79f2d/data/"
)
_NEUROSYNTH = (
    f"{_GITHUB}neurosynth/neurosynth-data/209c33cd009d0b069398a802198b41b9c488b9b7/"
)
# Bytes and SHA-256 of the public files at these commits, in the order of the names.
_NEUROQUERY_FACTS = (
    (2758923, "b97cf50346dc8a6f78b3c02c8a19680679d7dbdf35f760a1032e46c2cad3666c"),
    (495821, "d84d2c7b2e2ca1692381419833fde043fb42d279014104c3c957feeeece140ea"),
    (259468, "ce0f1aa8453531bbe9f9132ddc645648a9c59edac5583bb8f29a4255e74bdf31"),
    (177873, "dcdef30aa83e794cde4ff04a554d76446ca1599f1c304eb45286ad201479a2e1"),
    (2927907, "1afb653a7c638377dae3ac9785e0e7ba04d62d89ecbd4c2b2dee8514365138c8"),
    (1392309, "54a768ac2cd266f38a3010a20fd8b10abb107677776c8bda7060c8f9a4517793"),
)
_NEUROSYNTH_FACTS = (
    (3587167, "17135be3e08a0ab045896c77217e8463086543a0817d52a6a88c8e32c1161616"),
    (1175486, "8acde7de2a14ee2a12b406e50a8805e83288b0bc78924ddb36879d496dfb757b"),
)


def fetch_neuroquery(data_home=None):
    """Download NeuroQuery's corpus once, and read it.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Where downloads are kept; None is ``~/sklearn_neurocontext_data``. The folder
        that the environment variable ``NEUROCONTEXT_DATA`` names is looked in first,
        for ``neuroquery/<public file name>``; its files are not verified.

    Returns
    -------
    corpus : Bunch
        As `load_neuroquery` gives it, and ``files`` (dict of file name to
        ``"verified"`` or ``"local, unverified"``).

    Raises
    ------
    OSError
        If a file cannot be downloaded, or is not the published one.

    References
    ----------
    https://github.com/neuroquery/neuroquery_data, at a fixed commit (BSD-3-Clause).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_neuroquery
    >>> corpus = fetch_neuroquery()  # doctest: +SKIP
    """
    files = _remote_files(_NEUROQUERY, NEUROQUERY_FILES, _NEUROQUERY_FACTS)
    return say_spaces(_read("neuroquery", files, read_neuroquery, data_home))


def fetch_neurosynth(data_home=None):
    """Download Neurosynth's corpus, version 7, once, and read it.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Where downloads are kept; None is ``~/sklearn_neurocontext_data``. The folder
        that the environment variable ``NEUROCONTEXT_DATA`` names is looked in first,
        for ``neurosynth/<public file name>``; its files are not verified.

    Returns
    -------
    corpus : Bunch
        As `load_neurosynth` gives it, and ``files`` (dict of file name to
        ``"verified"`` or ``"local, unverified"``).

    Raises
    ------
    OSError
        If a file cannot be downloaded, or is not the published one.

    References
    ----------
    https://github.com/neurosynth/neurosynth-data, at a fixed commit (ODbL).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_neurosynth
    >>> corpus = fetch_neurosynth()  # doctest: +SKIP
    """
    files = _remote_files(_NEUROSYNTH, NEUROSYNTH_FILES, _NEUROSYNTH_FACTS)
    return say_spaces(_read("neurosynth", files, read_neurosynth, data_home))


def _remote_files(base, names, facts):
    return [
        RemoteFile(name, base + name, n_bytes, sha256)
        for name, (n_bytes, sha256) in zip(names, facts, strict=True)
    ]


def _read(corpus, remote_files, reader, data_home):
    found = find_files(corpus, remote_files, data_home)
    bunch = reader([file.path for file in found])
    bunch.files = {
        file.path.name: "verified" if file.verified else "local, unverified"
        for file in found
    }
    states = sorted(set(bunch.files.values()))
    bunch.description += f" Files: {' and '.join(states)}."
    return bunch
