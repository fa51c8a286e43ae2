"""Command ``serve``, which runs a local web page for a model."""

from functools import partial

import click

from ._common import load_with_notes, model_options, note, notes_for_warnings


@click.command()
@click.option(
    "--corpus",
    help="Name, file or folder of a corpus, as in neurocontext fit. The page lists its "
    "studies. Their titles are embedded when the corpus is first used.",
)
@click.option(
    "--tasks",
    is_flag=True,
    help="Also rank the tasks of the Cognitive Atlas, which is downloaded if needed "
    "(2 MB).",
)
@click.option(
    "--host",
    default="127.0.0.1",
    help="Address on which the server listens. With the default, only this machine can "
    "connect.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    help="Port on which the server listens; 0 chooses a free port.",
)
@click.option(
    "--open", "open_browser", is_flag=True, help="Open the page in a browser."
)
@model_options
def serve(corpus, tasks, host, port, open_browser, model, allow_download):
    """Serve a local web page for texts and brain maps.

    The page predicts the brain map of any text, and lists the terms and studies that
    match a map. It loads nothing from other machines. Stop the server with Ctrl+C.

    \b
    Examples:
      neurocontext serve --open
      neurocontext serve --model fit_output --corpus neuroquery
    """
    from ..datasets import fetch_cognitive_atlas
    from ..server import run_server

    if host not in ("127.0.0.1", "localhost"):
        note(
            f"Warning: the server listens on {host}. Other machines may be able to "
            "connect to it, without a password and without encryption."
        )
    run_server(
        partial(_load_model, model, corpus, allow_download),
        load_ontology=fetch_cognitive_atlas if tasks else None,
        host=host,
        port=port,
        open_browser=open_browser,
        on_start=lambda address: click.echo(f"{address} (stop with Ctrl+C)"),
    )


def _load_model(model, corpus, allow_download, notify):
    """Load a model, and index a corpus if one is given."""
    from ..inference import NeuroContextModel

    loaded = NeuroContextModel.from_pretrained(model, allow_download=allow_download)
    if corpus is None:
        return loaded
    notify("Loading the corpus …")
    with notes_for_warnings():
        loaded.index_corpus(load_with_notes(corpus))
        n_studies = len(loaded.studies.titles)
        notify(f"Embedding the titles of {n_studies:,} studies …")
        # The first call of decode embeds the titles, which can take minutes.
        loaded.decode(loaded.predict_img(["brain"]), "studies", k=1)
    return loaded
