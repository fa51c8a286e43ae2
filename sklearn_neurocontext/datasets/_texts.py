"""Add texts from a file to the studies of a corpus."""

import pandas as pd

from .._utils.files import expand_path, replace_surrogates
from ._bunch import count_words
from ._corpus import Corpus
from ._files import ID_COLUMNS, read_columns, read_json_lines
from ._ids import join_rows, write_ids

_FIELDS = ("title", "abstract", "body")


def add_texts(corpus, text_field, path):
    r"""Return a copy of a corpus to which the texts of a file were added.

    Public corpora such as NeuroQuery contain peaks and titles, but no abstracts and no
    bodies, because publishers own the rights to these texts. If you have a file of
    abstracts or bodies, this function adds them to the studies with the same ids.

    Parameters
    ----------
    corpus : Bunch
        A corpus returned by a loader of this package. It is not changed.
    text_field : {"title", "abstract", "body"}
        Text field of the studies to which the texts are added.
    path : path-like
        File with a table (CSV or TSV) or JSON lines (``.jsonl``). The file may be
        compressed. It must have a column of ids with the name ``pmid``, ``pmcid``,
        ``doi``, ``study_id`` or ``id``, and a column of texts with the name ``text`` or
        with the value of `text_field` as its name. Ids in a column ``id`` must be
        PMIDs.

    Returns
    -------
    corpus : Bunch
        The corpus with the new texts. Studies whose ids are not in the file keep their
        text. Rows of the file without an id, or with a text that is not a string, are
        skipped. The field ``description`` of the corpus states how many studies
        received a text, and how many rows were skipped.

    Raises
    ------
    ValueError
        If `text_field` is not "title", "abstract" or "body", if the file has no column
        of ids, no column of texts or no row with both, or if no id in the file is the
        id of a study of the corpus.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from sklearn_neurocontext.datasets import add_texts, make_studies
    >>> corpus = make_studies(n_studies=3, random_state=0)
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abstracts.csv"
    ...     _ = path.write_text("study_id,abstract\nsynthetic-00000,We read.\n")
    ...     corpus = add_texts(corpus, "abstract", path)
    >>> corpus.studies["abstract"].iloc[0]
    'We read.'
    """
    if text_field not in _FIELDS:
        raise ValueError(
            f"text_field must be one of {', '.join(_FIELDS)}; got {text_field!r}."
        )
    path = expand_path(path)
    is_json = path.name.lower().split(".jsonl")[0] != path.name.lower()
    table = read_json_lines(path) if is_json else read_columns(path, dtype=str)
    id_column = _find_column(table, ID_COLUMNS, path)
    column = _find_column(table, (text_field, "text"), path)
    kind = "pmid" if id_column == "id" else id_column
    ids = write_ids(table[id_column], kind)
    has_id = ids.notna() & (ids != "")
    texts = table[column].reset_index(drop=True)
    # In JSON lines, a text may be a number or a list.
    has_text = texts.isna() | texts.map(lambda text: isinstance(text, str))
    skipped = _describe_skipped((~has_id).sum(), (has_id & ~has_text).sum())
    is_used = has_id & has_text
    if not is_used.any():
        raise ValueError(
            f"{path.name!r} must have a row with an id and a text; got none.{skipped}"
        )
    ids, texts = ids[is_used], texts[is_used].fillna("")
    texts = [replace_surrogates(text).strip() for text in texts]
    studies = corpus.studies.copy()
    join_rows(studies, kind, ids, path.name)  # raises an error if no id matches
    # If an id is repeated, its first text is used.
    pairs = [(key, text) for key, text in zip(ids, texts, strict=True) if text]
    text_of = dict(reversed(pairs))
    new = [text_of.get(key, "") for key in write_ids(studies[kind], kind)]
    old = studies[text_field]
    both = zip(new, old, strict=True)
    studies[text_field] = pd.Series([one or other for one, other in both], dtype=str)
    n_new = count_words(sum(map(bool, new)), "study has", "studies have")
    description = f"{corpus.description} {n_new} the {text_field} in {path.name}."
    description += skipped
    return Corpus(**corpus | {"studies": studies, "description": description})


def _describe_skipped(n_without_id, n_without_text) -> str:
    """Return a sentence with the numbers of skipped rows; "" if there are none."""
    counts = {"without an id": n_without_id}
    counts["with a text that is not a string"] = n_without_text
    parts = [
        f"{count_words(int(n), 'row', 'rows')} {problem}"
        for problem, n in counts.items()
        if n
    ]
    return f" Skipped {' and '.join(parts)}." if parts else ""


def _find_column(table, names, path) -> str:
    """Return the first of `names` that is a column of the table."""
    for name in names:
        if name in table:
            return name
    raise ValueError(
        f"{path.name!r} must have a column named {' or '.join(names)}; got "
        f"{', '.join(map(str, table.columns))}."
    )
