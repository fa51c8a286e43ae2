"""Rows of the same article."""

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components


def group_articles(studies) -> pd.Series:
    """Name the article of each row, by the study id of the article's first row.

    Two rows are of the same article where they have the same PMID, or where both title
    and abstract are known and the same; a leading "Reprint of", capitals, blanks and
    punctuation do not count.

    Parameters
    ----------
    studies : DataFrame
        With ``study_id``, ``pmid``, ``title`` and ``abstract``.

    Returns
    -------
    groups : Series of str
        One per row.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_neurocontext.datasets._articles import group_articles
    >>> titles = ["Pain", 'Reprint of "Pain"', "Faces"]
    >>> abstracts = ["We heated.", "We heated.", "We heated."]
    >>> table = {"study_id": ["a", "b", "c"], "title": titles, "abstract": abstracts}
    >>> group_articles(pd.DataFrame(table).assign(pmid=pd.NA)).tolist()
    ['a', 'a', 'c']
    """
    studies = studies.reset_index(drop=True)
    titles, abstracts = _letters(studies["title"]), _letters(studies["abstract"])
    texts = (titles + "\n" + abstracts).where((titles != "") & (abstracts != ""))
    rows = pd.Series(np.arange(len(studies)))
    links = [rows.groupby(key).transform("first") for key in (studies["pmid"], texts)]
    # A row that lacks the key is linked with itself.
    first = pd.concat([link.fillna(rows) for link in links]).to_numpy(dtype=int)
    edges = (np.ones(len(first)), (np.tile(rows, 2), first))
    graph = sparse.coo_array(edges, shape=(len(rows), len(rows)))
    _, articles = connected_components(graph, directed=False)
    return studies["study_id"].groupby(articles).transform("first")


def _letters(texts) -> pd.Series:
    texts = texts.astype("string").fillna("").str.lower()
    texts = texts.str.replace(r"^\W*reprint of\b", "", regex=True)
    return texts.str.replace(r"[\W_]+", "", regex=True)
