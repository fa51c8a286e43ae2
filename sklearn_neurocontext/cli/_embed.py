"""``neurocontext embed``: the texts of a corpus into a store or an array."""

from contextlib import nullcontext

import numpy as np

from .._utils.files import whole_file
from ..datasets import load_corpus, study_texts
from ..experiments import make_embedder
from ._console import note, notes_for_warnings, say, token_bar

# Of the table beside the array.
_COLUMNS = ["study_id", "pmid", "pmcid", "title"]


def run(arguments):
    """Run the command and say where its results are."""
    if arguments.merge:
        _merge(arguments)
    else:
        _embed(arguments)


def _merge(arguments):
    from ..text import EmbeddingStore

    if arguments.store is None:
        raise ValueError("--merge needs --store FILE, the store that takes all over.")
    with EmbeddingStore(arguments.store) as store, notes_for_warnings():
        for shard in arguments.merge:
            note(f"{shard}: {store.merge(shard):,} new embeddings")
        say(f"{arguments.store} holds {len(store):,} embeddings")


def _embed(arguments):
    if arguments.corpus is None:
        raise ValueError("Name a corpus to embed, or --merge SHARD … to join stores.")
    if arguments.store is None and arguments.output is None:
        raise ValueError("Say where embeddings go: --store FILE, --output FILE.npy.")
    output = arguments.output
    if output is not None and output.suffix != ".npy":
        raise ValueError(f"--output {output} should end in .npy, a NumPy array.")
    if output is not None:
        _check_table(output.with_suffix(".csv"))
    with notes_for_warnings():
        corpus = load_corpus(arguments.corpus)
    texts = study_texts(corpus, arguments.text)
    rows = [row for row, text in enumerate(texts) if text.strip()]
    note(f"{len(rows):,} of {len(texts):,} studies have a text ({arguments.text})")
    embedder = make_embedder(arguments.encoder).set_params(
        chunk_size=arguments.chunk_size,
        device=arguments.device,
        dtype=arguments.dtype,
        revision=arguments.revision,
        cache=arguments.store,
        n_jobs=arguments.jobs,
        shards=arguments.shards,
    )
    if arguments.batch_tokens is not None:
        embedder.set_params(batch_tokens=arguments.batch_tokens)
    texts = [texts[row] for row in rows]
    n_tokens = _run(embedder.fit(), texts, output)
    if output is not None:
        studies = output.with_suffix(".csv")
        corpus.studies.iloc[rows][_COLUMNS].to_csv(studies, index=False)
        say(f"{output}: {len(rows):,} embeddings; {studies}: the studies of its rows")
    if arguments.store is not None:
        say(f"{arguments.store}: the embeddings by content; the same command goes on")
    say(f"{n_tokens:,} tokens went through the model")


def _check_table(studies):
    """Refuse to write over a table that this command has not written."""
    if not studies.exists():
        return
    with studies.open(errors="replace") as file:
        header = file.readline().strip()
    if header != ",".join(_COLUMNS) or not studies.with_suffix(".npy").exists():
        raise ValueError(
            f"{studies} is there and not from this command, which writes the studies "
            "of the array's rows under that name. Pass another name as --output."
        )


def _run(embedder, texts, output) -> int:
    """Embed behind a bar; fill an array on disk that appears when it is whole."""
    array = None
    with nullcontext() if output is None else whole_file(output) as part:
        if part is not None:
            shape = (len(texts), embedder.embedding_dim_)
            array = np.lib.format.open_memmap(part, "w+", np.float32, shape)
        with token_bar(len(texts), sum(len(text) for text in texts)) as bar:
            for block in embedder.embed_blocks(texts, bar.advance):
                last_row = block.first_row + len(block.vectors)
                if array is not None:
                    array[block.first_row : last_row] = block.vectors
                bar.finish(last_row)
        if array is not None:
            array.flush()
    return bar.n_tokens
