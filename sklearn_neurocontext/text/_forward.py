"""Chunks of many texts through the model, batched by length."""

import numpy as np
import torch

from ._chunking import batches_by_tokens, pool_states, split_tokens


def make_chunks(texts, language_model, window, overlap):
    """Cut texts into chunks of tokens, each wrapped in the special tokens.

    Parameters
    ----------
    texts : list of str
        The texts.
    language_model : LanguageModel
        Its tokenizer and special tokens.
    window, overlap : int
        Tokens without the special ones.

    Returns
    -------
    chunks : list of list of int
        Token numbers.
    owners : list of int
        Row of the text that each chunk belongs to, rising.

    Raises
    ------
    ValueError
        If the tokenizer finds no token in a text and has no special ones.
    """
    tokenizer, before, after = (
        language_model.tokenizer,
        language_model.before,
        language_model.after,
    )
    encoded = tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
    chunks, owners = [], []
    for row, tokens in enumerate(encoded):
        if not tokens and not before and not after:
            raise ValueError(
                f"The tokenizer finds no token in the text {texts[row]!r}; expected at "
                "least one. Drop this study, or fill in its text."
            )
        for piece in split_tokens(tokens, window, overlap):
            chunks.append([*before, *piece, *after])
            owners.append(row)
    return chunks, owners


def embed_chunks(chunks, language_model, *, pooling, normalize, batch_tokens, device):
    """Embed chunks, similar lengths together, and put the vectors back in order.

    Parameters
    ----------
    chunks : list of list of int
        Token numbers, special tokens included.
    language_model : LanguageModel
        Tokenizer and model.
    pooling : {"mean", "cls", "last"}
        See `pool_states`.
    normalize : bool
        Whether each vector is brought to norm one.
    batch_tokens : int
        Tokens in a padded batch at most.
    device : str
        Torch device.

    Returns
    -------
    vectors : ndarray of shape (n_chunks, embedding_dim), float32
        In the order of the chunks.
    """
    vectors = [None] * len(chunks)
    with torch.inference_mode():
        for batch in batches_by_tokens([len(chunk) for chunk in chunks], batch_tokens):
            ids, attention = _pad([chunks[i] for i in batch], language_model.pad_id)
            states = language_model.model(
                input_ids=ids.to(device), attention_mask=attention.to(device)
            ).last_hidden_state
            pooled = pool_states(states, attention.to(device), pooling).float()
            if normalize:
                pooled = torch.nn.functional.normalize(pooled, dim=1)
            for index, vector in zip(batch, pooled.cpu().numpy(), strict=True):
                vectors[index] = vector
    return np.stack(vectors)


def _pad(chunks, pad_id):
    """Pad on the right: on the left, positions would shift with the neighbours."""
    longest = max(len(chunk) for chunk in chunks)
    ids = torch.full((len(chunks), longest), pad_id)
    attention = torch.zeros((len(chunks), longest), dtype=torch.long)
    for row, chunk in enumerate(chunks):
        ids[row, : len(chunk)] = torch.tensor(chunk, dtype=torch.long)
        attention[row, : len(chunk)] = 1
    return ids, attention
