"""What a loaded language model says of itself, or shows when it is tried."""

import hashlib
import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from huggingface_hub import (
    _CACHED_NO_EXIST,
    hf_hub_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
)

from ._remote_code import remote_sources

# Some tokenizers state "no limit" as a huge number.
_NO_LIMIT = 1_000_000_000
_WITHOUT_LIMIT = 512
# Facts of a configuration that differ between copies of the same model.
_NOT_OF_THE_MODEL = {
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "gradient_checkpointing",
    "torch_dtype",
    "transformers_version",
    "use_cache",
}
_TOKENIZER_CONFIG = "tokenizer_config.json"
_NOT_OF_THE_TOKENIZER = {
    "auto_map",
    "model_max_length",
    "name_or_path",
    "padding_side",
    "transformers_version",
    "truncation_side",
}
_SENTENCE_CONFIG = "sentence_bert_config.json"
_PROBE_TOKENS = 8


def special_tokens(tokenizer) -> tuple[list, list]:
    """Find the special tokens that a tokenizer puts before and after a text.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizer
        The model's.

    Returns
    -------
    before, after : list of int
        Token numbers; either may be empty.

    Raises
    ------
    ValueError
        If they do not stand around the text.
    """
    probe = "brain"
    bare = tokenizer(probe, add_special_tokens=False)["input_ids"]
    whole = tokenizer(probe)["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    raise ValueError(
        f"The tokenizer gives {bare} for {probe!r} without special tokens and {whole} "
        "with them; expected the former inside the latter. Use another model."
    )


def max_tokens(place, tokenizer, model, options) -> int:
    """Take the smallest limit that tokenizer, positions or configuration state.

    Parameters
    ----------
    place : str
        Folder, or name on the hub.
    tokenizer : PreTrainedTokenizer
        Its ``model_max_length``.
    model : PreTrainedModel
        Its position embeddings.
    options : dict
        Revision and token, for where the model comes from the hub.

    Returns
    -------
    limit : int
        Tokens, special ones included; 512 where nothing states a limit.

    Warns
    -----
    UserWarning
        If the hub does not say whether there is a sentence-transformers configuration.
    """
    limits = [
        tokenizer.model_max_length,
        getattr(model.config.get_text_config(), "max_position_embeddings", None),
        _rows_of_positions(model),
    ]
    unknown = None
    try:
        limits.append(_sentence_limit(place, options))
    except OSError as error:
        unknown = error
    limits = [limit for limit in limits if limit and limit < _NO_LIMIT]
    limit = int(min(limits, default=_WITHOUT_LIMIT))
    if unknown is not None:
        warnings.warn(
            f"Whether {place!r} has a {_SENTENCE_CONFIG}, which may state a smaller "
            f"limit, could not be found out ({unknown}); chunks may have {limit} "
            "tokens. Pass the chunk_size that you want, or try again later.",
            stacklevel=2,
        )
    return limit


def _rows_of_positions(model):
    """Count the positions of the RoBERTa kind, which start after the padding's."""
    embeddings = getattr(model, "embeddings", None)
    positions = getattr(embeddings, "position_embeddings", None)
    padding = getattr(positions, "padding_idx", None)
    return None if padding is None else positions.num_embeddings - padding - 1


def _sentence_limit(place, options):
    """Read the limit of a sentence-transformers configuration beside the model."""
    found = Path(place, _SENTENCE_CONFIG)
    if not Path(place).is_dir():
        where = {"revision": options["revision"]}
        try:
            found = hf_hub_download(
                place, _SENTENCE_CONFIG, token=options["token"], **where
            )
        except (OSError, HfHubHTTPError) as error:
            # That the hub has no such file, it said now or at an earlier load.
            if isinstance(error, EntryNotFoundError):
                known = try_to_load_from_cache(place, _SENTENCE_CONFIG, **where)
                asked = not isinstance(error, LocalEntryNotFoundError)
                if asked or known is _CACHED_NO_EXIST:
                    return None
            raise OSError(str(error)) from error
    elif not found.is_file():
        return None
    return json.loads(Path(found).read_text()).get("max_seq_length")


@torch.inference_mode()
def probe_states(model, device) -> tuple[bool, int]:
    """Try whether a token's state depends on the tokens to its right.

    Where it does not, padding on the right needs no mask.

    Parameters
    ----------
    model : PreTrainedModel
        Encoder or decoder.
    device : torch.device
        Where it is.

    Returns
    -------
    causal : bool
        Whether two chunks that differ in the last token have, to the last bit, the same
        states before it.
    embedding_dim : int
        Length of a state. Configurations state that of inner layers, which a last
        projection may change.
    """
    ids = torch.zeros((1, _PROBE_TOKENS), dtype=torch.long, device=device)
    n_tokens = model.config.get_text_config().vocab_size
    ids[0, :] = torch.arange(_PROBE_TOKENS) % n_tokens
    states = []
    for last in range(3):
        ids[0, -1] = last % n_tokens
        states.append(model(input_ids=ids).last_hidden_state[0, :-1].clone())
    causal = all(torch.equal(states[0], other) for other in states[1:])
    return causal, states[0].shape[-1]


def model_fingerprint(tokenizer, model, missing=(), around=()) -> str:
    """Hash what changes numbers: weights, architecture, code and tokenizer.

    Copies of a model in a wheel, a folder and on the hub have the same.

    Parameters
    ----------
    tokenizer : PreTrainedTokenizer
        The model's.
    model : PreTrainedModel
        As loaded, before its layers are packed.
    missing : collection of str, default=()
        Weights that its files lack, hence random at each load, and that nothing reads.
    around : tuple of list of int, default=()
        Special tokens before and after each chunk.

    Returns
    -------
    fingerprint : str
        SHA-256, hexadecimal.
    """
    digest = hashlib.sha256(type(model).__name__.encode())
    config = model.config.to_dict()
    facts = {key: config[key] for key in sorted(config.keys() - _NOT_OF_THE_MODEL)}
    digest.update(json.dumps(facts, sort_keys=True, default=str).encode())
    digest.update(json.dumps(around).encode())
    for code in remote_sources(tokenizer, model.config, *model.modules()):
        digest.update(code.encode())
    for name, tensor in sorted(model.state_dict().items()):
        if name not in missing:
            digest.update(name.encode())
            flat = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(flat.view(torch.uint8).numpy())
    digest.update(json.dumps(_tokenizer_facts(tokenizer), sort_keys=True).encode())
    return digest.hexdigest()


def _tokenizer_facts(tokenizer):
    """Write down a tokenizer: its own description, or the files that it saves."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        # Padding and cutting are done here, whatever the file says of them.
        return json.loads(backend.to_str()) | {"padding": None, "truncation": None}
    facts = {"class": type(tokenizer).__name__}
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        for path in sorted(Path(folder).iterdir()):
            facts[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        settings = json.loads(Path(folder, _TOKENIZER_CONFIG).read_text())
    facts[_TOKENIZER_CONFIG] = {
        key: settings[key] for key in settings.keys() - _NOT_OF_THE_TOKENIZER
    }
    return facts
