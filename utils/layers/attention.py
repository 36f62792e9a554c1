"""Attention: masked softmax, two scores, several heads, and positions."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def masked_softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Softmax over the last dimension among the places that may be attended to.

    Args:
        scores: (..., keys) floats.
        mask: bool, broadcastable to ``scores``; ``True`` where attention is allowed, as in
            ``F.scaled_dot_product_attention`` and against ``nn.MultiheadAttention``.

    Returns:
        Weights of the shape of ``scores``: exactly 0 where the mask is ``False``, rows with sum 1; a row
        without an allowed place is all 0, with gradient 0.
    """
    if mask is None:
        return F.softmax(scores, dim=-1)
    weights = F.softmax(scores.masked_fill(~mask, torch.finfo(scores.dtype).min), dim=-1)
    return weights.masked_fill(~mask, 0.0)


def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Averages of the values, weighted by how well keys fit queries.

    Args:
        query: (..., queries, width).
        key: (..., keys, width).
        value: (..., keys, value_width).
        mask: as in `masked_softmax`, broadcastable to (..., queries, keys).

    Returns:
        Outputs (..., queries, value_width) and weights (..., queries, keys).

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.1.
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    weights = masked_softmax(scores, mask)
    return weights @ value, weights


class AdditiveAttention(nn.Module):
    """A score from a small network with one hidden layer; queries and keys may differ in width.

    Source: Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR
        2015, appendix A.1.2.
    """

    def __init__(self, query_width: int, key_width: int, hidden_size: int):
        """Widths of queries, keys and of the hidden layer."""
        super().__init__()
        self.query = nn.Linear(query_width, hidden_size, bias=False)
        self.key = nn.Linear(key_width, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1, bias=False)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Shapes as in `scaled_dot_product_attention`."""
        hidden = torch.tanh(self.query(query)[..., :, None, :] + self.key(key)[..., None, :, :])
        weights = masked_softmax(self.score(hidden).squeeze(-1), mask)  # (..., queries, keys)
        return weights @ value, weights


class MultiHeadAttention(nn.Module):
    """Attention in several subspaces at once; parameters have the names of ``nn.MultiheadAttention``.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2.2.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0):
        """
        Args:
            width: of queries, keys, values and output.
            heads: a divisor of it; each works in ``width / heads`` dimensions.
            dropout: share of the attention weights that is dropped in training.

        Raises:
            ValueError: if the heads do not divide the width.
        """
        super().__init__()
        if heads < 1 or width % heads:
            raise ValueError(f"expected a number of heads that divides the width {width}, got {heads}")
        self.heads, self.dropout = heads, nn.Dropout(dropout)
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))  # of query, key, value
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def _split(self, x: Tensor) -> Tensor:
        """(batch, steps, width) -> (batch, heads, steps, width / heads)"""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keys_and_values(self, x: Tensor, value: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Keys of ``x`` and values of ``value`` (of ``x``, if not given), both (batch, steps, width), for
        each head (batch, heads, steps, width / heads).
        """
        (_, k, v), (_, k_bias, v_bias) = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        return self._split(F.linear(x, k, k_bias)), self._split(
            F.linear(x if value is None else value, v, v_bias)
        )

    def attend(
        self, query: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Queries (batch, queries, width) on keys and values from `keys_and_values` -> output and weights
        (batch, heads, queries, keys).
        """
        weight, bias = self.in_proj_weight.chunk(3)[0], self.in_proj_bias.chunk(3)[0]
        queries = self._split(F.linear(query, weight, bias))
        weights = masked_softmax(queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1]), mask)
        heads = self.dropout(weights) @ values  # (batch, heads, queries, width / heads)
        return self.out_proj(heads.transpose(1, 2).flatten(-2)), weights

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """query (batch, queries, width), key and value (batch, keys, width), mask broadcastable to (batch,
        heads, queries, keys) -> output (batch, queries, width), weights (batch, heads, queries, keys).
        """
        return self.attend(query, *self.keys_and_values(key, value), mask)


def padding_mask(ids: Tensor, pad: int) -> Tensor:
    """(batch, steps) ids -> (batch, 1, 1, steps), ``True`` where a key is no padding."""
    return (ids != pad)[:, None, None]


def causal_mask(queries: int, keys: int | None = None, device: torch.device | str = "cpu") -> Tensor:
    """(queries, keys), ``True`` where a key is not later than the query; the last query stands at the last
    key, so that with more keys than queries the first keys are the past.
    """
    keys = queries if keys is None else keys
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def sinusoidal_positions(steps: int, width: int, device: torch.device | str = "cpu") -> Tensor:
    """(steps, width): sine and cosine in turn, of wavelengths from 2π to 10,000 · 2π.

    Raises:
        ValueError: if the width is odd.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.5.
    """
    if width % 2:
        raise ValueError(f"expected an even width, got {width}")
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))  # (width / 2,)
    angles = torch.arange(steps)[:, None] * rates  # (steps, width / 2)
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1).to(device)
