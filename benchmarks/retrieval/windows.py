"""Embeddings of texts, stored on disk, and windows of full texts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sklearn_neurocontext.experiments import make_embedder
from sklearn_neurocontext.text import strip_coordinates

# About 256 tokens, one chunk of MiniLM.
WINDOW_WORDS = 150


@dataclass
class Encoder:
    """Language model and the store of its embeddings.

    Attributes
    ----------
    name : str
        ``"minilm"``, or the name or folder of a language model.
    store : Path
        File of embeddings; must be on a local disk.
    n_windows : int
        Number of windows of a full text that are embedded.
    """

    name: str
    store: Path
    n_windows: int

    @property
    def label(self) -> str:
        """Name without the folder."""
        return "MiniLM" if self.name == "minilm" else Path(self.name).name

    def embed(self, texts) -> np.ndarray:
        """Embed texts, (n_texts, embedding_dim), float32."""
        self.store.parent.mkdir(parents=True, exist_ok=True)
        embedder = make_embedder(self.name).set_params(cache=str(self.store))
        return embedder.fit(texts[:1]).transform(texts)

    def embed_windows(self, windows) -> np.ndarray:
        """Embed windows of full texts and average them for each text."""
        flat = [window for of_text in windows for window in of_text]
        starts = np.cumsum([0, *map(len, windows)])[:-1]
        sums = np.add.reduceat(self.embed(flat), starts, axis=0)
        return sums / np.array([len(of_text) for of_text in windows])[:, None]


def tile(text) -> list:
    """Split a text into windows of `WINDOW_WORDS` words."""
    words = text.split()
    starts = range(0, len(words), WINDOW_WORDS)
    return [" ".join(words[start : start + WINDOW_WORDS]) for start in starts]


def spread_windows(text, n_windows) -> list:
    """Return evenly spaced windows of a text, from its first to its last."""
    tiles = tile(text)
    places = np.linspace(0, len(tiles) - 1, min(n_windows, len(tiles)))
    return [tiles[place] for place in places.round().astype(int)]


def richest_in_coordinates(text) -> list:
    """Return the window with most coordinates, or none if there are none."""
    lost = {one: len(one) - len(strip_coordinates(one)) for one in tile(text)}
    richest = max(lost, key=lost.get)
    return [richest] if lost[richest] else []
