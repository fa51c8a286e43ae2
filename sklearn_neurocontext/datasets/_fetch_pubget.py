"""Articles of a PubMed Central query, through pubget."""

import warnings
from pathlib import Path

from ._bunch import say_spaces
from ._pubget import read_pubget


def fetch_pubget(query: str, data_home=None, *, n_docs=None, api_key=None, n_jobs=1):
    """Download the articles of a PubMed Central query and extract texts and peaks.

    Drives pubget: download, extraction of articles, extraction of data. Each step takes
    up what is there, so an interrupted call is simply repeated.

    Parameters
    ----------
    query : str
        A query as PubMed Central's advanced search builds it, for example
        ``"fMRI[abstract] AND (2020[PubDate])"``.
    data_home : path-like or None, default=None
        Where downloads are kept, in ``pubget``; None is
        ``~/sklearn_neurocontext_data``.
    n_docs : int or None, default=None
        About as many articles at most; None takes all.
    api_key : str or None, default=None
        Key of the Entrez utilities, for more requests per second.
    n_jobs : int, default=1
        Processes that extract.

    Returns
    -------
    corpus : Bunch
        As `load_pubget` gives it, of the articles that report peaks.

    Raises
    ------
    ValueError
        If the query is empty, or no article that it finds reports peaks.
    OSError
        If a step of pubget fails.

    Warns
    -----
    UserWarning
        If a step of pubget was not complete; call again to complete it.

    References
    ----------
    Dockès et al., Mass analysis of the biomedical literature with pubget, eLife 2024.

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_pubget
    >>> corpus = fetch_pubget("fMRI[title] AND pain[title]")  # doctest: +SKIP
    """
    import pubget

    if not isinstance(query, str) or not query.strip():
        raise ValueError(
            f"query must be a PubMed Central query; got {query!r}. For example "
            "'fMRI[title] AND pain[title]'."
        )
    folder = Path(data_home or "~/sklearn_neurocontext_data").expanduser() / "pubget"
    folder.mkdir(parents=True, exist_ok=True)
    codes = {}
    articlesets, codes["download"] = pubget.download_query_results(
        query, folder, n_docs=n_docs, api_key=api_key
    )
    _check_step(pubget, codes, "download")
    articles, codes["extraction of articles"] = pubget.extract_articles(
        articlesets, n_jobs=n_jobs
    )
    _check_step(pubget, codes, "extraction of articles")
    extracted, codes["extraction of data"] = pubget.extract_data_to_csv(
        articles, articles_with_coords_only=True, n_jobs=n_jobs
    )
    _check_step(pubget, codes, "extraction of data")
    return say_spaces(read_pubget(Path(extracted)))


def _check_step(pubget, codes: dict, step: str):
    """Raise where a step failed; warn where it is the first that is incomplete."""
    if codes[step] == pubget.ExitCode.ERROR:
        raise OSError(
            f"pubget's {step} failed; its log says why. What came is kept: call again "
            "when the network or the query is mended."
        )
    incomplete = [s for s, code in codes.items() if code == pubget.ExitCode.INCOMPLETE]
    if incomplete == [step]:
        warnings.warn(
            f"pubget's {step} is not complete (n_docs, or a broken connection). Call "
            "again to go on.",
            UserWarning,
            stacklevel=3,
        )
