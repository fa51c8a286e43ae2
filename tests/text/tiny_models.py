"""Tiny random language models of real architectures, saved in the hub's format."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    AutoModel,
    BertConfig,
    GPT2Config,
    GPTNeoConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    RobertaConfig,
)

WORDS = "brain memory reading words pain fear finger tapping faces reward the of in"
_SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]")
N_WORDS = len(_SPECIAL) + len(WORDS.split())
_SHARED = {
    "vocab_size": N_WORDS,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
# With wide weights, states depend on the context of a token, as in a trained model.
_WIDE = {"initializer_range": 0.5}


def _config(kind, n_positions):
    encoder = _SHARED | _WIDE | {"intermediate_size": 32}
    decoder = encoder | {"num_key_value_heads": 1}
    if kind == "bert":
        return BertConfig(max_position_embeddings=n_positions, **encoder)
    if kind == "roberta":
        # Positions start after the padding index, here 3.
        return RobertaConfig(
            max_position_embeddings=n_positions + 4, pad_token_id=3, **encoder
        )
    if kind == "gpt2":
        return GPT2Config(
            vocab_size=N_WORDS,
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_positions=n_positions,
            **_WIDE,
        )
    if kind == "gpt_neo":
        return GPTNeoConfig(
            vocab_size=N_WORDS,
            hidden_size=16,
            num_layers=2,
            num_heads=2,
            attention_types=[[["global", "local"], 1]],
            window_size=4,
            max_position_embeddings=n_positions,
            **_WIDE,
        )
    if kind == "mistral":
        return MistralConfig(
            max_position_embeddings=n_positions, sliding_window=5, **decoder
        )
    return LlamaConfig(max_position_embeddings=n_positions, **decoder)


# Special tokens before and after a text, as in the published tokenizers.
TEMPLATES = {
    "bert": "[CLS] $A [SEP]",
    "roberta": "[CLS] $A [SEP]",
    "gpt2": "$A",
    "gpt_neo": "$A",
    "mistral": "[CLS] $A",
    "llama": "[CLS] $A",
}
KINDS = tuple(TEMPLATES)


def save_tiny_model(folder, kind, *, max_tokens=16):
    """Save a model and a tokenizer of an architecture; return the folder."""
    torch.manual_seed(0)
    words = [*_SPECIAL, *WORDS.split()]
    vocabulary = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single=TEMPLATES[kind], special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    named = {"unk_token": "[UNK]", "model_max_length": max_tokens}
    if kind in ("bert", "roberta"):
        named |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    if kind == "roberta":
        # As in some published models, only the positions state the limit.
        named["model_max_length"] = int(1e30)
    PreTrainedTokenizerFast(tokenizer_object=backend, **named).save_pretrained(folder)
    model = AutoModel.from_config(_config(kind, max_tokens))
    model.eval().save_pretrained(folder)
    return str(folder)
