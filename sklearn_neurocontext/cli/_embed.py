"""``neurocontext embed`` and ``merge-stores``: texts of a corpus to embeddings."""

import time
from contextlib import contextmanager, nullcontext
from pathlib import Path

import click

from ._common import (
    CORPUS_HELP,
    Count,
    OutputPath,
    corpus_argument,
    make_console,
    model_name_option,
    note,
    notes_for_warnings,
    text_field_option,
)

# Of the table beside the array.
_COLUMNS = ["study_id", "pmid", "pmcid", "title"]


@click.command(epilog=CORPUS_HELP)
@corpus_argument
@click.option(
    "--output",
    "-o",
    type=OutputPath(".npy", dir_okay=False),
    help="File of the array (.npy), with one row for each study of the table of the "
    "same name (.csv).",
)
@click.option(
    "--cache",
    type=OutputPath(dir_okay=False),
    help="File of the store of embeddings, on a local disk.",
)
@text_field_option("title+abstract")
@model_name_option
@click.option("--revision", help="Commit of the language model on the hub.")
@click.option(
    "--chunk-size",
    type=Count(),
    show_default="limit of the model",
    help="Tokens in a chunk.",
)
@click.option(
    "--batch-tokens",
    type=Count(),
    show_default="fastest for MiniLM on two cores",
    help="Tokens in a batch; GPUs need more than the default.",
)
@click.option("--device", default="auto", help="cpu, cuda:0, …, or auto.")
@click.option(
    "--dtype",
    type=click.Choice(("auto", "float32", "bfloat16", "float16")),
    default="auto",
    help="Precision of the language model.",
)
@click.option(
    "--n-jobs",
    type=Count(),
    help="Number of processes on this machine.",
)
@click.option(
    "--shards",
    type=OutputPath(file_okay=False),
    help="Folder in which each process keeps a store of its own, too.",
)
def embed(corpus, output, cache, text_field, model_name, **options):
    """Embed the texts of a corpus.

    Embeddings are written to an array, to a store, or to both. With a store, a run that
    was stopped resumes when the command is repeated.

    \b
    Examples:
      neurocontext embed nimare -o X.npy
      neurocontext embed neuroquery --text-field abstract --cache store.sqlite
    """
    from ..datasets import load_corpus, study_texts
    from ..experiments import make_embedder

    if cache is None and output is None:
        raise click.UsageError("Pass --output FILE.npy, --cache FILE, or both.")
    if output is not None:
        _check_table(output.with_suffix(".csv"))
    with notes_for_warnings():
        loaded = load_corpus(corpus)
    texts = study_texts(loaded, text_field)
    rows = [row for row, text in enumerate(texts) if text.strip()]
    note(f"{len(rows):,} of {len(texts):,} studies have a text ({text_field})")
    given = {name: value for name, value in options.items() if value is not None}
    embedder = make_embedder(model_name).set_params(cache=cache, **given)
    n_tokens = _embed(embedder.fit(), [texts[row] for row in rows], output)
    if output is not None:
        table = output.with_suffix(".csv")
        loaded.studies.iloc[rows][_COLUMNS].to_csv(table, index=False)
        click.echo(f"{output}: {len(rows):,} embeddings; {table}: studies of its rows")
    if cache is not None:
        click.echo(f"{cache}: store of the embeddings")
    click.echo(f"{n_tokens:,} tokens went through the model")


@click.command("merge-stores")
@click.argument("store", type=OutputPath(dir_okay=False))
@click.argument(
    "shards",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def merge_stores(store, shards):
    """Merge stores of embeddings into one.

    STORE receives the embeddings of all SHARDS, stores that embed wrote with --cache or
    --shards.

    \b
    Example:
      neurocontext merge-stores all.sqlite first.sqlite second.sqlite
    """
    from ..text import EmbeddingStore

    with EmbeddingStore(store) as merged, notes_for_warnings():
        for shard in shards:
            note(f"{shard}: {merged.merge(shard):,} new embeddings")
        click.echo(f"{store} holds {len(merged):,} embeddings")


def _check_table(path):
    """Check that a table is missing or was written by this command."""
    if not path.exists():
        return
    with path.open(errors="replace") as file:
        header = file.readline().strip()
    if header != ",".join(_COLUMNS) or not path.with_suffix(".npy").exists():
        raise FileExistsError(
            f"{path} exists and was not written by neurocontext embed, which would "
            "write the studies of the array's rows there. Pass another --output."
        )


def _embed(embedder, texts, output) -> int:
    """Embed texts with a progress bar, into an array that appears when complete."""
    import numpy as np

    from .._utils.files import atomic_write

    array = None
    with nullcontext() if output is None else atomic_write(output) as temporary:
        if temporary is not None:
            shape = (len(texts), embedder.embedding_dim_)
            array = np.lib.format.open_memmap(temporary, "w+", np.float32, shape)
        with _token_bar(len(texts), sum(map(len, texts))) as bar:
            for block in embedder.embed_blocks(texts, bar.advance):
                last_row = block.first_row + len(block.vectors)
                if array is not None:
                    array[block.first_row : last_row] = block.vectors
                bar.finish(last_row)
        if array is not None:
            array.flush()
    return bar.n_tokens


class _TokenBar:
    """Progress of an embedder: texts done, tokens per second, by characters."""

    def __init__(self, progress, n_texts, n_characters):
        self.n_tokens = 0
        self._progress, self._started = progress, time.monotonic()
        self._task = progress.add_task(
            "embedding", total=n_characters, n_done=0, n_texts=n_texts, rate="–"
        )

    def advance(self, n_tokens, n_characters):
        """Add tokens that went through the model, and characters that are done."""
        self.n_tokens += n_tokens
        rate = self.n_tokens / max(time.monotonic() - self._started, 1e-3)
        self._progress.update(self._task, advance=n_characters, rate=f"{rate:,.0f}")

    def finish(self, n_done):
        """Set the number of texts that are done."""
        self._progress.update(self._task, n_done=n_done)


@contextmanager
def _token_bar(n_texts, n_characters):
    """Show texts done, tokens per second and the remaining time."""
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TextColumn("{task.percentage:.0f} %", markup=False),
        progress.TextColumn("{task.fields[n_done]:,}/{task.fields[n_texts]:,} texts"),
        progress.TextColumn("{task.fields[rate]} tokens/s", markup=False),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left", markup=False),
        progress.TimeRemainingColumn(),
    )
    console = make_console(stderr=True)
    options = {"console": console, "speed_estimate_period": 300}
    with progress.Progress(*columns, **options) as bar:
        yield _TokenBar(bar, n_texts, n_characters)
