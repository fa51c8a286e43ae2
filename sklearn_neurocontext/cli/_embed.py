"""Commands ``embed`` and ``merge-stores``, which compute and merge embeddings."""

import time
from contextlib import ExitStack
from pathlib import Path

import click

from .._utils.files import atomic_output, write_table
from .._utils.progress import progress_bar
from ._common import (
    CORPUS_HELP,
    POSITIVE_INTEGER,
    OutputPath,
    corpus_argument,
    load_with_notes,
    model_name_option,
    note,
    notes_for_warnings,
    text_field_option,
)

# Columns of the CSV file, which has one row per embedding.
_COLUMNS = ["study_id", "pmid", "pmcid", "title"]


@click.command(epilog=CORPUS_HELP)
@corpus_argument
@click.option(
    "--output",
    "-o",
    type=OutputPath(".npy", dir_okay=False),
    help="Output file (.npy) for the array of embeddings. A CSV file with the same "
    "name lists the study of each row.",
)
@click.option(
    "--cache",
    type=OutputPath(dir_okay=False),
    help="Embedding store (SQLite file); must be on a local disk.",
)
@text_field_option(default="title+abstract")
@model_name_option
@click.option(
    "--revision",
    help="Commit, tag or branch of the model on the Hugging Face Hub.",
)
@click.option(
    "--chunk-size",
    type=POSITIVE_INTEGER,
    show_default="limit of the model",
    help="Maximum number of tokens in a chunk; longer texts are divided into chunks.",
)
@click.option(
    "--batch-tokens",
    type=POSITIVE_INTEGER,
    show_default="fastest for MiniLM on two CPU cores",
    help="Maximum number of tokens in a batch; use a larger number on a GPU.",
)
@click.option(
    "--device", default="auto", help="auto or a torch device, such as cpu or cuda:0."
)
@click.option(
    "--dtype",
    type=click.Choice(("auto", "float32", "bfloat16", "float16")),
    default="auto",
    help="Precision of the language model.",
)
@click.option("--n-jobs", type=POSITIVE_INTEGER, help="Number of processes.")
@click.option(
    "--shards",
    type=OutputPath(file_okay=False),
    help="Folder in which each process also saves its embeddings to an embedding "
    "store; must be on a local disk.",
)
def embed(corpus, output, cache, text_field, model_name, **options):
    """Embed the texts of a corpus.

    Embeddings are written to an array file (--output), an embedding store (--cache),
    or both. To resume an interrupted run that uses a store, repeat the command.

    \b
    Examples:
      neurocontext embed nimare -o X.npy
      neurocontext embed neuroquery --text-field abstract --cache store.sqlite
    """
    from ..datasets import study_texts
    from ..experiments import make_embedder

    if cache is None and output is None:
        raise click.UsageError("Pass --output FILE.npy, --cache FILE, or both.")
    if output is not None:
        table = output.with_suffix(".csv")
        _check_table(table)
    loaded = load_with_notes(corpus)
    texts = study_texts(loaded, text_field)
    rows = [row for row, text in enumerate(texts) if text.strip()]
    note(f"{len(rows):,} of {len(texts):,} studies have a text ({text_field})")
    given = {name: value for name, value in options.items() if value is not None}
    embedder = make_embedder(model_name).set_params(cache=cache, **given)
    listed = loaded.studies.iloc[rows][_COLUMNS]
    n_tokens = _embed(embedder.fit(), [texts[row] for row in rows], output, listed)
    if output is not None:
        click.echo(f"Wrote {len(rows):,} embeddings to {output}")
        click.echo(f"Wrote the table of studies to {table}")
    if cache is not None:
        click.echo(f"Stored the embeddings in {cache}")
    click.echo(f"The model processed {n_tokens:,} tokens")


@click.command("merge-stores")
@click.argument("store", type=OutputPath(dir_okay=False))
@click.argument(
    "shards",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
def merge_stores(store, shards):
    """Merge embedding stores.

    SHARDS are stores written by embed with --cache or --shards. Their embeddings are
    copied to STORE.

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
    """Check that a CSV file does not exist or was written by this command."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        header = file.readline().strip()
    if header != ",".join(_COLUMNS) or not path.with_suffix(".npy").exists():
        raise FileExistsError(
            f"{path} exists and was not written by neurocontext embed. The table of "
            "studies would replace this file. Pass another --output."
        )


def _embed(embedder, texts, output, listed) -> int:
    """Embed texts, and return the number of tokens.

    If `output` is not None, the array of embeddings is written to this file, and
    `listed`, the table of studies, is written to a CSV file with the same name.
    """
    import numpy as np

    from .._utils.disk_cache import NpyWriter

    n_tokens = n_characters = n_done = 0
    n_all = sum(map(len, texts))
    started = time.monotonic()

    def show(new_tokens=0, new_characters=0):
        nonlocal n_tokens, n_characters
        n_tokens += new_tokens
        n_characters += new_characters
        rate = n_tokens / max(time.monotonic() - started, 1e-3)
        label = f"embedding {n_done:,}/{len(texts):,} texts, {rate:,.0f} tokens/s"
        update(n_characters, n_all, label)

    with ExitStack() as stack:
        array = None
        if output is not None:
            # The array and the table replace older files together, because each row of
            # the table describes the same row of the array.
            table = stack.enter_context(atomic_output(output.with_suffix(".csv")))
            write_table(table, listed)
            temporary = stack.enter_context(atomic_output(output))
            row_shape = (embedder.embedding_dim_,)
            array = stack.enter_context(NpyWriter(temporary, np.float32, row_shape))
        update = stack.enter_context(progress_bar("embedding", show_counts=False))
        for block in embedder.embed_blocks(texts, show):
            n_done += len(block.vectors)
            if array is not None:
                array.append(block.vectors)
            show()
    return n_tokens
