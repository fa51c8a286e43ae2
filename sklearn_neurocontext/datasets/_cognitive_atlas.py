"""Load and download the Cognitive Atlas, an ontology of tasks and mental concepts."""

import html
import re

import pandas as pd
from sklearn.utils import Bunch

from ._files import fetch_files, find_files, read_json

_URL = (
    "https://raw.githubusercontent.com/CognitiveAtlas/legacy_cogat_linkml/"
    "15052add1197c38edd7aa3ec79bf300448390779/src/data/"
)
_CLASSES = "ConceptClassCollection.json"
_CONCEPTS = "ConceptCollection.json"
_TASKS = "TaskCollection.json"
_DISORDERS = "DisorderCollection.json"
_CONTRASTS = "ContrastCollection.json"
# Size in bytes and SHA-256 of each file, as of the commit in `_URL`.
COGNITIVE_ATLAS_FILES = {
    _CONCEPTS: (
        648284,
        "fa682fee0e603b14b710541110cee9048d27255ef3a10a11818d94a7d3c4a164",
    ),
    _CLASSES: (
        2179,
        "2b205056215e56ee1b64c6755c059c60be0b71260ca2b87e99af12f9f85e28aa",
    ),
    _TASKS: (
        894322,
        "8e3b7d75967dcf4d5c4df8ccfda9528264bb91001ca07a9b5f2917a99aef3e8a",
    ),
    _DISORDERS: (
        91701,
        "c28687101a55ad65f6b62f182dae09d9215fbe21483c6d6c865222fbbdbdb76b",
    ),
    _CONTRASTS: (
        393491,
        "546ec94c35504d7ec09cd5f4c888572816a15be99ffbdcdbcb4356873683cf65",
    ),
}
# Pattern of characters that occur if UTF-8 is read as Latin-1, for example "â\x80\x9c"
# in place of a quotation mark.
_GARBLED = re.compile(r"[\xc2-\xf4][\x80-\xbf]+")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>")


def load_cognitive_atlas(directory) -> Bunch:
    """Load the Cognitive Atlas from a folder.

    The Cognitive Atlas describes tasks, mental concepts and disorders, and states which
    tasks measure which concepts. Its concepts belong to ten classes, which are called
    domains here, for example Perception and Language.

    Parameters
    ----------
    directory : path-like
        Folder with the JSON files that are in the folder ``src/data`` of the repository
        ``legacy_cogat_linkml``.

    Returns
    -------
    ontology : Bunch
        Bunch with the following fields:

        - ``concepts``, ``tasks``, ``disorders`` : DataFrames with the columns ``id``,
          ``name``, ``definition`` and ``aliases`` (a list of str). ``concepts`` also
          has the column ``domain``, the name of the domain of the concept. It is an
          empty string if the Cognitive Atlas does not state a domain.
        - ``domains`` : DataFrame with the columns ``id`` and ``name``.
        - ``task_concepts`` : DataFrame with one row per link between a task and a
          concept, and the columns ``task`` and ``concept`` (their ids), ``source`` and
          ``contrast``. If ``source`` is "asserts", the link is stated in the entry of
          the task, and ``contrast`` is empty. If ``source`` is "measured_by", the entry
          of the concept names a contrast of the task, and ``contrast`` is the name of
          this contrast.
        - ``description`` : str with the numbers of entries and the license.

    Raises
    ------
    FileNotFoundError
        If the folder or a file is missing.
    ValueError
        If a file does not contain a list of entries with ids and names.

    See Also
    --------
    fetch_cognitive_atlas : Download the files.

    References
    ----------
    Poldrack et al., The Cognitive Atlas: toward a knowledge foundation for cognitive
    neuroscience, Frontiers in Neuroinformatics 2011; https://www.cognitiveatlas.org (CC
    BY-SA 3.0).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import load_cognitive_atlas
    >>> ontology = load_cognitive_atlas("src/data")  # doctest: +SKIP
    """
    source = "the JSON files of the Cognitive Atlas"
    return _read(find_files(directory, [*COGNITIVE_ATLAS_FILES], source))


def fetch_cognitive_atlas(data_home=None) -> Bunch:
    """Load the Cognitive Atlas; download its files if they are missing.

    The total size of the files is 2 MB. They are downloaded from a fixed commit of the
    repository ``CognitiveAtlas/legacy_cogat_linkml``, and their SHA-256 is verified.

    Parameters
    ----------
    data_home : path-like or None, default=None
        Download folder. If None, the folder ``sklearn_neurocontext`` in the user's data
        folder is used (on Linux, ``~/.local/share/sklearn_neurocontext``). If the
        environment variable ``NEUROCONTEXT_DATA`` names a folder, the files in its
        subfolder ``cognitive_atlas`` are used instead, without verification.

    Returns
    -------
    ontology : Bunch
        The same fields as for `load_cognitive_atlas`, and ``files``, a dict that maps
        each file name to ``"verified"`` or ``"local, unverified"``.

    Raises
    ------
    OSError
        If a file cannot be downloaded, or if its SHA-256 differs from that of the
        published file.
    ValueError
        If a local file does not contain a list of entries with ids and names.

    References
    ----------
    Poldrack et al., The Cognitive Atlas: toward a knowledge foundation for cognitive
    neuroscience, Frontiers in Neuroinformatics 2011; https://www.cognitiveatlas.org (CC
    BY-SA 3.0).

    Examples
    --------
    >>> from sklearn_neurocontext.datasets import fetch_cognitive_atlas
    >>> ontology = fetch_cognitive_atlas()  # doctest: +SKIP
    >>> ontology.domains["name"].tolist()  # doctest: +SKIP
    ['Perception', 'Attention', 'Reasoning and Decision Making', ...]
    """
    files = fetch_files("cognitive_atlas", _URL, COGNITIVE_ATLAS_FILES, data_home)
    ontology = _read(list(files))
    ontology.files = {path.name: state for path, state in files.items()}
    return ontology


def _read(paths) -> Bunch:
    """Read the files of the Cognitive Atlas."""
    entries = {path.name: _read_entries(path) for path in paths}
    domains = {one["id"]: _clean(one["name"]) for one in entries[_CLASSES]}
    concepts = _make_table(entries[_CONCEPTS], "definition_text")
    # For some concepts the file states no class, or a class that does not exist.
    classes = {one["id"]: one.get("id_concept_class") for one in entries[_CONCEPTS]}
    concepts["domain"] = [domains.get(classes[one], "") for one in concepts["id"]]
    tasks = _make_table(entries[_TASKS], "definition_text")
    disorders = _make_table(entries[_DISORDERS], "definition")
    n_without = int((concepts["domain"] == "").sum())
    return Bunch(
        concepts=concepts,
        tasks=tasks,
        disorders=disorders,
        domains=pd.DataFrame({"id": list(domains), "name": list(domains.values())}),
        task_concepts=_link_tasks(entries, tasks["id"], concepts["id"]),
        description=(
            "Cognitive Atlas (https://www.cognitiveatlas.org, CC BY-SA 3.0): "
            f"{len(tasks):,} tasks, {len(concepts):,} concepts and {len(disorders):,} "
            f"disorders. {len(concepts) - n_without:,} concepts belong to one of "
            f"{len(domains)} domains. The other {n_without:,} concepts have no domain."
        ),
    )


def _read_entries(path) -> list:
    """Return the entries of a file as a list of dict."""
    content = read_json(path)
    entries = content.get("entries") if isinstance(content, dict) else None
    if not isinstance(entries, list) or not all(
        isinstance(one, dict) and {"id", "name"} <= one.keys() for one in entries
    ):
        raise ValueError(
            f"{str(path)!r} must contain a list with the key 'entries', in which each "
            "entry has the keys 'id' and 'name'. Pass the folder src/data of the "
            "Cognitive Atlas."
        )
    return entries


def _make_table(entries, definition) -> pd.DataFrame:
    """Return a table of the entries that have a name."""
    rows = [
        {
            "id": one["id"],
            "name": _clean(one["name"]),
            "definition": _clean(one.get(definition, "")),
            "aliases": [
                alias.strip()
                for alias in _clean(one.get("alias", "")).split(",")
                if alias.strip()
            ],
        }
        for one in entries
    ]
    table = pd.DataFrame(rows, columns=["id", "name", "definition", "aliases"])
    return table[table["name"] != ""].reset_index(drop=True)


def _link_tasks(entries, task_ids, concept_ids) -> pd.DataFrame:
    """Return the links between tasks and concepts, one row per link."""
    contrast_names = {one["id"]: _clean(one["name"]) for one in entries[_CONTRASTS]}
    tasks_of = {}
    rows = []
    for task in entries[_TASKS]:
        for contrast in task.get("has_contrast", ()):
            tasks_of.setdefault(contrast, []).append(task["id"])
        for concept in task.get("asserts", ()):
            rows.append((task["id"], concept, "asserts", ""))
    for concept in entries[_CONCEPTS]:
        for contrast in concept.get("measured_by", ()):
            name = contrast_names.get(contrast, "")
            for task in tasks_of.get(contrast, ()):
                rows.append((task, concept["id"], "measured_by", name))
    links = pd.DataFrame(rows, columns=["task", "concept", "source", "contrast"])
    known = links["task"].isin(task_ids) & links["concept"].isin(concept_ids)
    return links[known].drop_duplicates(ignore_index=True)


def _clean(text) -> str:
    """Remove markup and repeated spaces from a text; repair garbled characters."""
    text = _GARBLED.sub(_repair, html.unescape(text or ""))
    return " ".join(_MARKUP.sub(" ", text).split())


def _repair(match) -> str:
    """Decode a run of Latin-1 characters as UTF-8 if that is possible."""
    try:
        return match[0].encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return match[0]
