"""BERT: an encoder over two segments, and the two heads that it is pretrained with."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.layers.attention import padding_mask
from utils.layers.transformer import EncoderLayer

HUGGING_FACE = {  # parts of their names, and what replaces them, in this order
    "bert.pooler.dense": "pooler",
    "bert.": "encoder.",
    "embeddings.word_embeddings": "token",
    "embeddings.position_embeddings": "position",
    "embeddings.token_type_embeddings": "segment",
    "embeddings.LayerNorm": "norm",
    "encoder.layer.": "layers.",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
    "cls.predictions.transform.dense": "transform",
    "cls.predictions.transform.LayerNorm": "norm",
    "cls.predictions.bias": "bias",
    "cls.seq_relationship": "next_sentence",
}


class BertEncoder(nn.Module):
    """Token, position and segment embeddings, then Transformer encoder layers (post-norm, GELU).

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
        Understanding", NAACL 2019.
    """

    def __init__(
        self,
        tokens: int,
        width: int = 128,
        heads: int = 2,
        layers: int = 2,
        hidden_size: int | None = None,
        max_steps: int = 128,
        pad: int = 0,
        dropout: float = 0.1,
        std: float = 0.02,
    ):
        """
        Args:
            tokens: size of the vocabulary.
            width: of the hidden states.
            heads: of each layer's attention.
            layers: how many.
            hidden_size: of the network on each position; 4 widths if not given.
            max_steps: the longest input.
            pad: number of the padding token, which no other token attends to.
            dropout: everywhere.
            std: of the normal distribution that all weights are drawn from; biases start at 0.
        """
        super().__init__()
        self.pad, self.std = pad, std
        self.token, self.segment = nn.Embedding(tokens, width, padding_idx=pad), nn.Embedding(2, width)
        self.position = nn.Embedding(max_steps, width)
        self.norm, self.dropout = nn.LayerNorm(width, 1e-12), nn.Dropout(dropout)
        size = hidden_size or 4 * width
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, size, dropout, activation=nn.GELU(), eps=1e-12) for _ in range(layers)
        )
        draw_weights(self, std)
        with torch.no_grad():
            self.token.weight[pad] = 0

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """ids (batch, steps), segments likewise of 0 and 1 (all 0 if not given) -> (batch, steps, width).

        Raises:
            ValueError: if there are more steps than positions.
        """
        if ids.shape[1] > len(self.position.weight):
            raise ValueError(f"expected at most {len(self.position.weight)} steps, got {ids.shape[1]}")
        segments = torch.zeros_like(ids) if segments is None else segments
        x = self.token(ids) + self.position.weight[: ids.shape[1]] + self.segment(segments)
        x, mask = self.dropout(self.norm(x)), padding_mask(ids, self.pad)
        for layer in self.layers:
            x = layer(x, mask)
        return x


class BertForPreTraining(nn.Module):
    """The encoder with a head for masked tokens and one for "is this the next sentence?".

    Source: as of `BertEncoder`, section 3.1.
    """

    def __init__(self, encoder: BertEncoder):
        """The heads take their sizes from the encoder; the token head's output weights are its embedding."""
        super().__init__()
        tokens, width = encoder.token.weight.shape
        self.transform, self.norm = nn.Linear(width, width), nn.LayerNorm(width, 1e-12)
        self.bias = nn.Parameter(torch.zeros(tokens))
        self.pooler, self.next_sentence = nn.Linear(width, width), nn.Linear(width, 2)
        draw_weights(self, encoder.std)
        self.encoder = encoder

    def token_logits(self, hidden: Tensor) -> Tensor:
        """(..., width) at the masked places -> logits (..., tokens)."""
        return F.linear(self.norm(F.gelu(self.transform(hidden))), self.encoder.token.weight, self.bias)

    def forward(self, ids: Tensor, segments: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """ids and segments (batch, steps); places (batch, steps) bool, where to guess a token ->
        logits (places, tokens) in row-major order, and (batch, 2): 1 for "the next sentence".
        """
        hidden = self.encoder(ids, segments)
        first = torch.tanh(self.pooler(hidden[:, 0]))  # of [CLS]
        return self.token_logits(hidden[places]), self.next_sentence(first)


def draw_weights(module: nn.Module, std: float) -> None:
    """BERT's start: matrices and embeddings from a normal distribution, biases 0, layer norms as they are."""
    for name, parameter in module.named_parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=std)
        elif name.endswith("bias"):
            nn.init.zeros_(parameter)


def from_hugging_face(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights (or their gradients) of transformers' BERT under the names of ours.

    Args:
        tensors: by name: of a ``BertForPreTraining``, for ours, or of a ``BertModel``, for a `BertEncoder`.

    Returns:
        Query, key and value one above the other. Their class 0 is "the next sentence", ours 1, so that the
        rows of that head change places. What ours does not have is left out: the output embedding, which is
        the input's, the pooler of a ``BertModel``, and buffers.
    """
    found = {}
    for name, tensor in tensors.items():
        for theirs, ours in HUGGING_FACE.items():
            name = name.replace(theirs, ours)
        if not name.startswith(("cls.", "pooler.dense")) and not name.endswith("_ids"):
            found[name] = tensor.flip(0) if name.startswith("next_sentence") else tensor
    for name in [name for name in found if ".attention.self.query." in name]:
        parts = [found.pop(name.replace("query", part)) for part in ("query", "key", "value")]
        stem, kind = name.split("attention.self.query.")
        found[f"{stem}self_attn.in_proj_{kind}"] = torch.cat(parts)
    return found
