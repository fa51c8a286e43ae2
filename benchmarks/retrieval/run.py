"""Retrieval over the 15 splits of `paper_splits`: the tables of docs/results.md.

    python -m benchmarks.retrieval.run methods titles
    python -m benchmarks.retrieval.run methods counts

Corpora are downloaded, or read from the folder that `NEUROCONTEXT_DATA` names. A run
that was stopped continues; fits that two tables share are made once. Tables:

losses       paper recipe, and joint losses of encoders and decoder (embeddings only)
methods      estimators with the paper settings and the best settings (paper: Table 1)
text         best settings, and a language model alone (paper: Figure 2)
sizes        best settings on 1,000 to all training studies (paper: appendix)
encoders     language models (--model-name) and atlas sizes (--n-components; Table 2)
candidates   similarities corrected by all candidates, CSLS: transductive
coordinates  full texts with their coordinates and without
settings     alternatives compared on development studies
neuroquery   NeuroQuery's own model on the first split: most of an hour
"""

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.retrieval.corpora import CORPORA, load_task
from benchmarks.retrieval.figures import plot_sizes
from benchmarks.retrieval.rows import PAPER, TABLES
from benchmarks.retrieval.windows import Encoder
from sklearn_neurocontext.experiments import BenchmarkResult, run_benchmark
from sklearn_neurocontext.plotting import plot_recall_curves


def main():
    """Compute one table and write it."""
    arguments = _parse()
    task = load_task(arguments.corpus, arguments.file, arguments.n_components)
    task.splits = task.splits[: arguments.n_splits]
    output = arguments.output / arguments.corpus
    store = arguments.output / "embeddings.sqlite"
    encoder = Encoder(arguments.model_name, store, arguments.n_windows)
    if arguments.table == "neuroquery":
        from benchmarks.retrieval.neuroquery_rows import neuroquery_records

        task.splits = task.splits[:1]
        result = run(TABLES["methods"](task, encoder), task, output)
        result.records += neuroquery_records(task, output / "neuroquery")
        name = "neuroquery_split"
    else:
        rows = TABLES[arguments.table](task, encoder)
        if arguments.rows:
            rows = [row for row in rows if row.name in arguments.rows]
        result = run(rows, task, output)
        name = arguments.table
    if name == "encoders":
        name += f"_{encoder.label}_{arguments.n_components}"
    write(result, output / name, task)


def _parse():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=(*TABLES, "neuroquery"))
    parser.add_argument("corpus", choices=CORPORA)
    parser.add_argument("--file", type=Path, help="file of abstracts or full texts")
    parser.add_argument("--model-name", default="minilm", help="name or folder")
    parser.add_argument("--n-components", type=int, default=512, help="atlas maps")
    parser.add_argument(
        "--n-windows", type=int, default=4, help="windows of each full text"
    )
    parser.add_argument("--rows", nargs="+", help="names of rows to run")
    parser.add_argument("--n-splits", type=int, default=15, help="number of splits")
    parser.add_argument("--output", type=Path, default=Path("retrieval_output"))
    return parser.parse_args()


def run(rows, task, output) -> BenchmarkResult:
    """Fit and score rows unless an earlier run did; return their records."""
    results, records, origins = [], [], []
    for row in rows:
        result = run_benchmark(
            {row.name: row.estimator},
            row.X() if callable(row.X) else row.X,
            task.y,
            row.splits,
            output=output,
            on_progress=_show,
            groups=task.groups,
            settings=task.metadata,
        )
        for record in result.records:
            origin = len(origins) + record["run"]
            records.append(record | {"estimator": row.label or row.name, "run": origin})
        origins += result.provenance
        results.append(result)
    names = [row.label or row.name for row in rows]
    reference = PAPER if PAPER in names else names[-1]
    # Rows can have fewer splits than others, but the test set of a split is the same.
    longest = max(results, key=lambda one: len(one.studies))
    return replace(longest, records=records, reference=reference, provenance=origins)


def _show(n_done, n_total, record):
    shown = ("recall_at_10", "recall_at_100", "mix_match", "fit_seconds")
    figures = [round(record[key], 4) for key in shown if key in record]
    print(record["estimator"], n_done, n_total, *figures, flush=True)


def write(result, folder, task):
    """Write tables and figures; print the table and its wall-clock time."""
    result.write(folder)
    table = result.table()
    seconds = table["fit_seconds"].sum() + table["score_seconds"].sum()
    print(result.to_markdown())
    print(f"{len(table)} fits with their scores: {seconds / 60:.1f} minutes")
    title = f"{task.name}, {task.metadata['n_studies']:,} studies"
    ax = plot_recall_curves(result.recall_curves(), title=title)
    ax.figure.savefig(folder / "recall_curves.png", dpi=150)
    if folder.name == "sizes":
        plot_sizes(result, title).savefig(folder / "sizes.png", dpi=150)


if __name__ == "__main__":
    main()
