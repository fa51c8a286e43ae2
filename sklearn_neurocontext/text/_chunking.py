"""Pure functions: tokens to windows, chunks to batches, states to vectors."""

import numpy as np

# A batch of one length is closed, rather than filled up with shorter chunks and
# padding, once it holds this share of its budget.
_FULL_ENOUGH = 0.25


def choose_chunk_size(wanted, overlap: int, language_model) -> int:
    """Choose the size of chunks and check that something fits into them.

    Parameters
    ----------
    wanted : int or None
        Tokens, special ones included; None takes the model's limit.
    overlap : int
        Tokens that neighbouring chunks share.
    language_model : LanguageModel
        Its limit, and the number of its special tokens.

    Returns
    -------
    chunk_size : int
        Tokens, special ones included.

    Raises
    ------
    ValueError
        If it is above the limit, or leaves no token beside special ones and overlap.
    """
    limit = language_model.max_tokens
    chunk_size = wanted or limit
    if chunk_size > limit:
        raise ValueError(
            f"chunk_size={wanted} is more than the {limit} tokens that the model "
            "takes. Lower it, or pass None."
        )
    window = chunk_size - language_model.n_special
    if window < 1 or overlap >= window:
        raise ValueError(
            f"chunk_size={chunk_size} leaves {window} tokens beside the special ones; "
            f"expected more than chunk_overlap={overlap}. Raise chunk_size or lower "
            "chunk_overlap."
        )
    return chunk_size


def split_windows(n_tokens: int, window: int, overlap: int = 0) -> tuple:
    """Cut a text's tokens into windows; with no overlap, each token is in exactly one.

    Parameters
    ----------
    n_tokens : int
        Tokens of the text, without special ones.
    window : int
        Tokens in each window but the last, which may hold fewer.
    overlap : int, default=0
        Tokens that neighbouring windows share, below `window`.

    Returns
    -------
    starts, sizes : ndarray of shape (n_windows,), int64
        First token and number of tokens of each window. At least one window; a text
        without tokens gives one that is empty.

    Examples
    --------
    >>> from sklearn_neurocontext.text._chunking import split_windows
    >>> split_windows(5, 2)
    (array([0, 2, 4]), array([2, 2, 1]))
    >>> split_windows(5, 3, overlap=1)
    (array([0, 2]), array([3, 3]))
    """
    starts = np.arange(0, max(n_tokens - overlap, 1), window - overlap)
    return starts, np.minimum(window, n_tokens - starts)


def batches_by_tokens(lengths, batch_tokens: int) -> list:
    """Group chunks of similar length so that no padded batch exceeds a budget.

    Chunks of one length stay among themselves where they are many, which needs neither
    padding nor mask.

    Parameters
    ----------
    lengths : sequence of int
        Tokens in each chunk, special ones included.
    batch_tokens : int
        Tokens in a padded batch at most; a longer chunk is a batch by itself.

    Returns
    -------
    batches : list of ndarray of int
        Indices of chunks, the shortest first and equal ones in their order: the full
        chunks of a long text come last and side by side, so texts finish one by one.

    Examples
    --------
    >>> from sklearn_neurocontext.text._chunking import batches_by_tokens
    >>> [batch.tolist() for batch in batches_by_tokens([2, 5, 3], 12)]
    [[0, 2], [1]]
    """
    lengths = np.asarray(lengths)
    order = np.argsort(lengths, kind="stable")
    batches, start = [], 0
    ordered = lengths[order]
    while start < len(order):
        # Lengths rise, so the widest chunk of a batch is its last.
        padded = ordered[start:] * np.arange(1, len(order) - start + 1)
        size = max(1, int(np.searchsorted(padded, batch_tokens, side="right")))
        same = int(np.searchsorted(ordered[start:], ordered[start], side="right"))
        if same < size and same * ordered[start] >= _FULL_ENOUGH * batch_tokens:
            size = same
        batches.append(order[start : start + size])
        start += size
    return batches


def pool_states(states, lengths, pooling: str):
    """Reduce the hidden states of each chunk to one vector.

    Parameters
    ----------
    states : tensor of shape (n_chunks, n_tokens, embedding_dim)
        Last hidden states.
    lengths : tensor of shape (n_chunks,), int
        Tokens of each chunk; what stands to their right is padding.
    pooling : {"mean", "cls", "last"}
        Mean over the tokens, first token, or last token that is not padding.

    Returns
    -------
    vectors : tensor of shape (n_chunks, embedding_dim)
        One vector per chunk.
    """
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[range(len(states)), lengths - 1]
    states = states.float()
    positions = lengths.new_ones(states.shape[1]).cumsum(0)
    # The states of padding may be anything, even NaN: they are left out, not weighted.
    padding = positions > lengths[:, None]
    if padding.any():
        states = states.masked_fill(padding.unsqueeze(-1), 0)
    return states.sum(1) / lengths[:, None]


def weigh_chunks(sizes, owners, weighting: str) -> np.ndarray:
    """Weigh the chunks of each text; a text's weights add up to one.

    Parameters
    ----------
    sizes : ndarray of shape (n_chunks,), int
        Tokens of each chunk, without special ones.
    owners : ndarray of shape (n_chunks,), int
        Text that each chunk belongs to, every one from 0 to the highest.
    weighting : {"uniform", "tokens"}
        Alike, or in proportion to tokens.

    Returns
    -------
    weights : ndarray of shape (n_chunks,), float64
        In [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_neurocontext.text._chunking import weigh_chunks
    >>> weigh_chunks(np.array([3, 1, 2]), np.array([0, 0, 1]), "tokens")
    array([0.75, 0.25, 1.  ])
    """
    raw = np.ones(len(sizes)) if weighting == "uniform" else np.maximum(sizes, 1.0)
    return raw / np.bincount(owners, weights=raw)[owners]
