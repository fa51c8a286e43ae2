r"""Maps predicted from words, compared with meta-analyses.

    python -m benchmarks.encoding.run META_ANALYSES --cache STORE --output FOLDER \
        [--abstracts FILE]
    python -m benchmarks.encoding.run development --cache STORE --output FOLDER \
        --methods "mean map;ridge, words;ridge, words, 8 mm, 0.5 on the mean map"

META_ANALYSES contains ``descriptions.tsv`` (columns name, file, description) and the
files named there, in Sleuth's text form. Files with the same description are one topic.
Training studies that share peaks with an experiment are excluded for all methods.
``development`` is for choosing settings: its topics are phrases and the peaks of
development studies that use them. Figure 3 of the paper is computed by
``neurocontext reproduce figure3``.

All methods run unless ``--methods`` names some; names may end in steps, see
``steps.py``. Maps are kept in FOLDER: a run that was stopped continues, and maps are
computed again if studies, settings or code have changed. NeuroQuery is trained on
the same studies; its counts of terms in descriptions need ``pip install neuroquery``.
"""

import argparse
from importlib.metadata import version
from pathlib import Path

from benchmarks.encoding.features import add_abstracts
from benchmarks.encoding.figures import draw
from benchmarks.encoding.methods import CHOSEN, DENSITIES, MAPS, Z_MAPS, prepare
from benchmarks.encoding.steps import METHODS, read_name, read_names, run
from benchmarks.encoding.tables import score, write
from benchmarks.encoding.topics import load_development, load_meta_analyses
from sklearn_neurocontext.datasets import load_corpus
from sklearn_neurocontext.experiments import make_masker, provenance


def main():
    arguments = _parse()
    arguments.output.mkdir(parents=True, exist_ok=True)
    masker = make_masker(arguments.atlas, arguments.n_components).fit()
    topics = None
    if arguments.topics != "development":
        try:
            topics = load_meta_analyses(Path(arguments.topics), masker)
        except (OSError, ValueError) as error:
            raise SystemExit(f"error: {error}") from error
    corpus = load_corpus("neuroquery")
    n_abstracts = 0
    if arguments.abstracts:
        n_abstracts = add_abstracts(corpus, arguments.abstracts)
    if arguments.topics == "development":
        topics = load_development(corpus, masker)
    task = prepare(
        corpus,
        masker,
        topics,
        cache=arguments.cache,
        output=arguments.output,
        random_state=arguments.random_state,
    )
    results = {name: run(name, task) for name in arguments.methods}
    table = score(results, topics.observed, task.mean_map)
    write(
        table,
        topics.names,
        _metadata(arguments, task, results, n_abstracts),
        arguments.output,
    )
    draw(table, results, topics, masker, arguments.output)


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("topics", help="folder of meta-analyses, or development")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True, help="file of embeddings")
    parser.add_argument(
        "--abstracts", type=Path, help="TSV with columns id and abstract"
    )
    parser.add_argument(
        "--methods",
        type=read_names,
        default="all",
        help=f"all, or names separated by semicolons: {'; '.join(METHODS)}",
    )
    parser.add_argument("--atlas", default="geometric-soft")
    parser.add_argument("--n-components", type=int, default=512)
    parser.add_argument("--random-state", type=int, default=0)
    return parser.parse_args()


def _metadata(arguments, task, results, n_abstracts) -> dict:
    """Return data, settings and versions behind the tables."""
    metadata = {
        "n_topics": len(task.topics.names),
        "n_training": len(task.studies),
        "n_excluded": task.n_sharing,
        "n_abstracts": n_abstracts,
        "atlas": arguments.atlas,
        "n_components": arguments.n_components,
        "random_state": arguments.random_state,
        "recipe": f"{CHOSEN}, {MAPS}",
        "seconds": {
            read_name(name).base: round(float(result["seconds"]), 1)
            for name, result in results.items()
        },
        **provenance(),
    }
    if any(read_name(name).base in (*DENSITIES, *Z_MAPS) for name in results):
        metadata["versions"]["neuroquery"] = version("neuroquery")
    return metadata


if __name__ == "__main__":
    main()
