"""Tiny random language models of real architectures, saved as the hub's are."""

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    BertConfig,
    BertModel,
    GPT2Config,
    GPT2Model,
    MistralConfig,
    MistralModel,
    PreTrainedTokenizerFast,
)

WORDS = "brain memory reading words pain fear finger tapping faces reward the of in"
SHARED = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}


def save_tiny_model(folder, kind, *, max_tokens=16):
    """Save a model of a kind, with special tokens and padding as that kind has them."""
    torch.manual_seed(0)
    words = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", *WORDS.split()]
    vocabulary = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    named = {"unk_token": "[UNK]", "model_max_length": max_tokens}
    if kind == "bert":
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
        named |= {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
        config = BertConfig(
            vocab_size=len(words),
            intermediate_size=32,
            max_position_embeddings=max_tokens,
            **SHARED,
        )
        model = BertModel(config)
    elif kind == "gpt2":
        config = GPT2Config(
            vocab_size=len(words),
            n_embd=16,
            n_layer=2,
            n_head=2,
            n_positions=max_tokens,
        )
        model = GPT2Model(config)
    else:
        # Mistral: a token at the beginning, none at the end, none for padding.
        backend.post_processor = processors.TemplateProcessing(
            single="[CLS] $A", special_tokens=[("[CLS]", 1)]
        )
        named |= {"bos_token": "[CLS]"}
        config = MistralConfig(
            vocab_size=len(words),
            intermediate_size=32,
            num_key_value_heads=1,
            max_position_embeddings=max_tokens,
            **SHARED,
        )
        model = MistralModel(config)
    PreTrainedTokenizerFast(tokenizer_object=backend, **named).save_pretrained(folder)
    model.eval().save_pretrained(folder)
    return str(folder)
