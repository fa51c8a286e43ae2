"""Pure functions: tokens to windows, hidden states to vectors."""

import numpy as np


def split_tokens(tokens: list, window: int, overlap: int = 0) -> list:
    """Cut a text's tokens into windows; with no overlap, each token is in exactly one.

    Parameters
    ----------
    tokens : list of int
        Without special tokens.
    window : int
        Tokens in each window but the last, which may hold fewer.
    overlap : int, default=0
        Tokens that neighbouring windows share, below `window`.

    Returns
    -------
    windows : list of list of int
        At least one; a text without tokens gives one empty window.

    Examples
    --------
    >>> from sklearn_neurocontext.text._chunking import split_tokens
    >>> split_tokens([1, 2, 3, 4, 5], 2)
    [[1, 2], [3, 4], [5]]
    >>> split_tokens([1, 2, 3, 4, 5], 3, overlap=1)
    [[1, 2, 3], [3, 4, 5]]
    """
    step = window - overlap
    last = max(len(tokens) - overlap, 1)
    return [tokens[start : start + window] for start in range(0, last, step)]


def batches_by_tokens(lengths, batch_tokens: int) -> list:
    """Group chunks of similar length so that no padded batch exceeds a budget.

    Parameters
    ----------
    lengths : sequence of int
        Tokens in each chunk.
    batch_tokens : int
        Tokens in a padded batch at most; a longer chunk is a batch by itself.

    Returns
    -------
    batches : list of ndarray of int
        Indices of chunks, the longest first.

    Examples
    --------
    >>> from sklearn_neurocontext.text._chunking import batches_by_tokens
    >>> [batch.tolist() for batch in batches_by_tokens([2, 5, 3], 6)]
    [[1], [2, 0]]
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    batches, start = [], 0
    while start < len(order):
        size = max(1, batch_tokens // max(1, lengths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return batches


def pool_states(states, attention, pooling: str):
    """Reduce the hidden states of each chunk to one vector.

    Parameters
    ----------
    states : tensor of shape (n_chunks, n_tokens, embedding_dim)
        Last hidden states.
    attention : tensor of shape (n_chunks, n_tokens)
        1 for tokens, 0 for padding on the right.
    pooling : {"mean", "cls", "last"}
        Masked mean, first token, or last token that is not padding.

    Returns
    -------
    vectors : tensor of shape (n_chunks, embedding_dim)
        One vector per chunk.
    """
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        last = attention.sum(1) - 1
        return states[range(len(states)), last]
    weights = attention.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)
