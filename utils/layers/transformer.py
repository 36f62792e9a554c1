"""The Transformer: encoder and decoder layers with torch's names, a translator and a language model.

The chapter on the Transformer derives all of it; its code and this one are the same.
"""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.layers.attention import MultiHeadAttention, causal_mask, padding_mask, sinusoidal_positions

# Keys and values of the steps so far, (batch, heads, steps, width / heads) each.
Cache = tuple[Tensor, Tensor]


class EncoderLayer(nn.Module):
    """Self-attention, then a network on each position; both with dropout, a shortcut and layer norm.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.1; norm_first: Xiong et al.,
        "On Layer Normalization in the Transformer Architecture", ICML 2020.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        hidden_size: int,
        dropout: float = 0.0,
        *,
        norm_first: bool = False,
        activation: nn.Module | None = None,
        eps: float = 1e-5,
    ):
        """
        Args:
            width: of the input and output.
            heads: of the attention.
            hidden_size: of the network on each position.
            dropout: after the attention's weights, its output, and both layers of the network.
            norm_first: normalise the input of each part (pre-norm), not the sum after it (post-norm).
            activation: between the network's layers; ReLU if not given.
            eps: of the layer norms.
        """
        super().__init__()
        self.self_attn = MultiHeadAttention(width, heads, dropout)
        self.linear1 = nn.Linear(width, hidden_size)
        self.linear2 = nn.Linear(hidden_size, width)
        self.norm1, self.norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.dropout, self.activation = nn.Dropout(dropout), activation or nn.ReLU()
        self.norm_first = norm_first

    def feed_forward(self, x: Tensor) -> Tensor:
        """The same network on each position: (batch, steps, width) -> (batch, steps, width)."""
        return self.dropout(self.linear2(self.dropout(self.activation(self.linear1(x)))))

    def step(
        self, x: Tensor, mask: Tensor | None = None, cache: Cache | None = None
    ) -> tuple[Tensor, Tensor, Cache]:
        """Steps that follow those whose keys and values are in the cache -> output (batch, steps, width),
        weights (batch, heads, steps, all steps), cache of all.
        """
        y = self.norm1(x) if self.norm_first else x
        cache = extend(cache, self.self_attn.keys_and_values(y))
        y, weights = self.self_attn.attend(y, *cache, mask)
        x = x + self.dropout(y)
        if self.norm_first:
            return x + self.feed_forward(self.norm2(x)), weights, cache
        x = self.norm1(x)
        return self.norm2(x + self.feed_forward(x)), weights, cache

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (batch, steps, width), mask broadcastable to (batch, heads, steps, steps) -> shape of x."""
        return self.step(x, mask)[0]


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder's output, a network on each position.

    Source: as of `EncoderLayer`.
    """

    def __init__(
        self, width: int, heads: int, hidden_size: int, dropout: float = 0.0, *, norm_first: bool = False
    ):
        """Arguments as in `EncoderLayer`."""
        super().__init__()
        self.self_attn = MultiHeadAttention(width, heads, dropout)
        self.multihead_attn = MultiHeadAttention(width, heads, dropout)
        self.linear1 = nn.Linear(width, hidden_size)
        self.linear2 = nn.Linear(hidden_size, width)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.dropout, self.norm_first = nn.Dropout(dropout), norm_first

    def feed_forward(self, x: Tensor) -> Tensor:
        """The same network on each position: (batch, steps, width) -> (batch, steps, width)."""
        return self.dropout(self.linear2(self.dropout(torch.relu(self.linear1(x)))))

    def step(
        self, x: Tensor, memory: Cache, mask: Tensor | None, cache: Cache | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor], Cache]:
        """Steps that follow those in the cache. ``memory``: keys and values of the encoder's output, from
        ``multihead_attn.keys_and_values``; ``mask``: of its keys -> output, both attentions' weights, cache.
        """
        y, first = self.norm1(x) if self.norm_first else x, self.norm_first
        cache = extend(cache, self.self_attn.keys_and_values(y))
        causal = causal_mask(x.shape[1], cache[0].shape[2], x.device)
        y, own = self.self_attn.attend(y, *cache, causal)
        x = x + self.dropout(y) if first else self.norm1(x + self.dropout(y))
        y, across = self.multihead_attn.attend(self.norm2(x) if first else x, *memory, mask)
        x = x + self.dropout(y) if first else self.norm2(x + self.dropout(y))
        y = self.feed_forward(self.norm3(x) if first else x)
        x = x + y if first else self.norm3(x + y)
        return x, (own, across), cache

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (batch, steps, width), memory (batch, source steps, width), mask of the memory's keys
        broadcastable to (batch, heads, steps, source steps) -> shape of x.
        """
        return self.step(x, self.multihead_attn.keys_and_values(memory), mask)[0]


def extend(cache: Cache | None, new: Cache) -> Cache:
    """The new steps' keys and values behind those of the cache."""
    if cache is None:
        return new
    return torch.cat([cache[0], new[0]], dim=2), torch.cat([cache[1], new[1]], dim=2)


class PositionalEmbedding(nn.Module):
    """A table of vectors, times the root of their width, plus sinusoidal positions.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, sections 3.4 and 3.5.
    """

    def __init__(self, tokens: int, width: int):
        """Size of the vocabulary and of each token's vector."""
        super().__init__()
        self.table, self.width = nn.Embedding(tokens, width), width
        nn.init.normal_(self.table.weight, std=width**-0.5)

    def forward(self, ids: Tensor, past: int = 0) -> Tensor:
        """ids (batch, steps) that follow ``past`` others -> (batch, steps, width)."""
        positions = sinusoidal_positions(past + ids.shape[1], self.width, ids.device)
        return self.table(ids) * math.sqrt(self.width) + positions[past:]


class Transformer(nn.Module):
    """An encoder that reads the source, and a decoder that reads it and the target so far.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017.
    """

    def __init__(
        self,
        source_tokens: int,
        target_tokens: int,
        width: int,
        heads: int,
        hidden_size: int,
        pad: int,
        layers: int = 1,
        **options: float | bool,
    ):
        """Sizes of both vocabularies, number of the padding token, layers of encoder and decoder each;
        ``options`` of the layers are ``dropout`` and ``norm_first``, all sizes as in `EncoderLayer`.
        """
        super().__init__()
        self.pad, sizes = pad, (width, heads, hidden_size)
        self.source_embedding = PositionalEmbedding(source_tokens, width)
        self.target_embedding = PositionalEmbedding(target_tokens, width)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes, **options) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes, **options) for _ in range(layers))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.output = nn.Linear(width, target_tokens)

    def encode(self, source: Tensor) -> Tensor:
        """source (batch, steps) -> memory (batch, steps, width)."""
        x, mask = self.source_embedding(source), padding_mask(source, self.pad)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x)

    def forward(self, source: Tensor, ids: Tensor) -> Tensor:
        """source (batch, steps) and the target shifted right (batch, steps') -> logits (batch, steps',
        tokens) of the next token at each place.
        """
        memory, mask = self.encode(source), padding_mask(source, self.pad)
        x = self.target_embedding(ids)
        for layer in self.decoder:
            x = layer(x, memory, mask)
        return self.output(self.decoder_norm(x))


class TransformerTranslator(Transformer):
    """A `Transformer` that writes word by word; ``start`` and ``step`` as in `RecurrentTranslator`."""

    def start(self, source: Tensor) -> dict:
        """The decoder's first state: keys and values of the memory for each layer, its mask, empty caches."""
        memory = self.encode(source)
        return {
            "memory": [layer.multihead_attn.keys_and_values(memory) for layer in self.decoder],
            "mask": padding_mask(source, self.pad),
            "caches": [None] * len(self.decoder),
        }

    def step(self, ids: Tensor, state: dict) -> tuple[Tensor, dict]:
        """ids (batch, steps) that follow those in the state -> logits (batch, steps, tokens), next state,
        which also holds the ``weights`` of each layer: of self-attention and of attention to the source.
        """
        past = state["caches"][0][0].shape[2] if state["caches"][0] else 0
        x, caches, weights = self.target_embedding(ids, past), [], []
        kept = zip(self.decoder, state["memory"], state["caches"], strict=True)
        for layer, memory, cache in kept:
            x, seen, cache = layer.step(x, memory, state["mask"], cache)
            caches.append(cache)
            weights.append(seen)
        return self.output(self.decoder_norm(x)), state | {"caches": caches, "weights": weights}


class TransformerLanguageModel(nn.Module):
    """Decoder only: causal self-attention, pre-norm, learned positions, tied embedding and output.

    Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; tied weights: Press
        and Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017.
    """

    def __init__(
        self, tokens: int, width: int, heads: int, layers: int, context: int = 128, dropout: float = 0.0
    ):
        """``context``: the most steps that it can read; the network on each position is 4 times as wide."""
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(tokens, width)
        self.position = nn.Embedding(context, width)
        sizes = (width, heads, 4 * width, dropout)
        make = partial(EncoderLayer, *sizes, norm_first=True, activation=nn.GELU())
        self.layers = nn.ModuleList(make() for _ in range(layers))
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)
        for embedding in (self.embedding, self.position):
            nn.init.normal_(embedding.weight, std=width**-0.5)  # logits of about unit variance at the start

    def step(self, ids: Tensor, caches: list[Cache] | None = None) -> tuple[Tensor, list[Cache]]:
        """ids (batch, steps) that follow those in the caches -> logits (batch, steps, tokens), caches.

        Raises:
            ValueError: if there are more steps in all than ``context``.
        """
        past = 0 if caches is None else caches[0][0].shape[2]
        steps = past + ids.shape[1]
        if steps > self.context:
            raise ValueError(f"expected at most {self.context} steps in all, got {steps}")
        x = self.dropout(self.embedding(ids) + self.position.weight[past:steps])
        mask, new = causal_mask(ids.shape[1], steps, ids.device), []
        for layer, cache in zip(self.layers, caches or [None] * len(self.layers), strict=True):
            x, _, cache = layer.step(x, mask, cache)
            new.append(cache)
        return F.linear(self.norm(x), self.embedding.weight), new

    def forward(self, ids: Tensor) -> Tensor:
        """ids (batch, steps) -> logits (batch, steps, tokens)."""
        return self.step(ids)[0]
