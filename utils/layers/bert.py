"""BERT: an encoder over two segments, and the two heads that it is pretrained with."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.layers.attention import padding_mask
from utils.layers.transformer import EncoderLayer


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
        """
        super().__init__()
        self.pad = pad
        self.token, self.segment = nn.Embedding(tokens, width, padding_idx=pad), nn.Embedding(2, width)
        self.position = nn.Embedding(max_steps, width)
        self.norm, self.dropout = nn.LayerNorm(width, 1e-12), nn.Dropout(dropout)
        size = hidden_size or 4 * width
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, size, dropout, activation=nn.GELU(), eps=1e-12) for _ in range(layers)
        )
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        for layer in self.layers:
            nn.init.normal_(layer.self_attn.in_proj_weight, std=0.02)
        with torch.no_grad():
            self.token.weight[pad] = 0

    def forward(self, ids: Tensor, segments: Tensor | None = None) -> Tensor:
        """ids (batch, steps), segments likewise of 0 and 1 (all 0 if not given) -> (batch, steps, width)."""
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
        self.encoder = encoder
        self.transform, self.norm = nn.Linear(width, width), nn.LayerNorm(width, 1e-12)
        self.bias = nn.Parameter(torch.zeros(tokens))
        self.pooler, self.next_sentence = nn.Linear(width, width), nn.Linear(width, 2)

    def token_logits(self, hidden: Tensor) -> Tensor:
        """(..., width) at the masked places -> logits (..., tokens)."""
        return F.linear(self.norm(F.gelu(self.transform(hidden))), self.encoder.token.weight, self.bias)

    def forward(self, ids: Tensor, segments: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """ids and segments (batch, steps); places (batch, steps) bool, where a token is to be guessed ->
        logits (places, tokens) in row-major order, and logits (batch, 2): 1 for "the next sentence".
        """
        hidden = self.encoder(ids, segments)
        first = torch.tanh(self.pooler(hidden[:, 0]))  # of [CLS]
        return self.token_logits(hidden[places]), self.next_sentence(first)
