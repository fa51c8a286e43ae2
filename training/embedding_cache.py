"""Embeddings of many texts in blocks that outlive the process."""

from pathlib import Path

import joblib
import numpy as np

_BLOCK = 1000


def embed_kept(texts, embedder, folder: Path) -> np.ndarray:
    """Embed texts; a block that is in the folder is read, and a stopped run goes on.

    Parameters
    ----------
    texts : list of str
        Those that repeat are embedded once.
    embedder : LLMChunkEmbedder
        Fitted; one folder is for one embedder.
    folder : Path
        Where blocks are kept.

    Returns
    -------
    embeddings : ndarray of shape (n_texts, embedding_dim), float32
        In the order of the texts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    distinct = list(dict.fromkeys(texts))
    known = {}
    for start in range(0, len(distinct), _BLOCK):
        part = distinct[start : start + _BLOCK]
        path = folder / f"embeddings-{joblib.hash(part)}.npy"
        if not path.is_file():
            np.save(path, embedder.transform(part))
        known.update(zip(part, np.load(path), strict=True))
    return np.stack([known[text] for text in texts])
