"""Attention heads: a trained network of attention layers in the page, and what each of its heads reads."""

import math

import torch
import traitlets
from torch import Tensor, nn
from torch.nn import functional as F

from utils.layers.attention import causal_mask, masked_softmax, sinusoidal_positions
from utils.text import plain
from utils.widgets.base import CourseWidget, pack_halves, read_module, read_style, unpack_halves


class AttentionHeads(CourseWidget):
    """A text that can be typed, the weights of every head on it, and what the chosen letter reads.

    Make it with :meth:`from_model`. Traits: ``sizes`` (width, heads, layers), ``letters`` (the alphabet, in
    the order of the ids), ``weights`` (float16 bytes), ``longest`` (letters that a text may have); and what
    the reader changes: ``text``, ``chosen`` (the letter that reads, from 0), ``layer`` and ``head`` (from 0),
    ``causal`` (whether the future is hidden) and ``positions`` (whether they are added).
    """

    _esm = read_module("shared", "halves", "typed", "attention_heads")
    _css = read_style("attention_heads")

    sizes = traitlets.Dict().tag(sync=True)
    letters = traitlets.Unicode().tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    longest = traitlets.Int(32).tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    chosen = traitlets.Int().tag(sync=True)
    layer = traitlets.Int().tag(sync=True)
    head = traitlets.Int().tag(sync=True)
    causal = traitlets.Bool(True).tag(sync=True)
    positions = traitlets.Bool(True).tag(sync=True)

    @classmethod
    def from_model(
        cls, model: nn.Module, letters: str, *, text: str, longest: int = 32, **state: object
    ) -> "AttentionHeads":
        """Put a network into a figure; the model is left as it is.

        Args:
            model: with ``embedding``, ``attentions`` (a ModuleList of `MultiHeadAttention`, each one's output
                added to its input) and ``output`` (a Linear), and sinusoidal positions.
            letters: the alphabet, one letter for each id.
            text: what the reader sees first.
            longest: letters that a text may have.
            **state: first values of ``chosen``, ``layer``, ``head``, ``causal``, ``positions``.

        Raises:
            ValueError: if the model lacks one of the parts, or the alphabet has not a letter for each id.
            traitlets.TraitError: if the text or a first value does not fit.
        """
        parts = [getattr(model, name, None) for name in ("embedding", "attentions", "output")]
        if not all(
            isinstance(p, k) for p, k in zip(parts, (nn.Embedding, nn.ModuleList, nn.Linear), strict=True)
        ):
            raise ValueError(
                f"expected a model with embedding, attentions and output, got {type(model).__name__}"
            )
        embedding, attentions, output = parts
        if len(set(letters)) != len(letters) or len(letters) != embedding.num_embeddings:
            raise ValueError(f"expected {embedding.num_embeddings} different letters, got {letters!r}")
        names = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
        values = [embedding.weight]
        values += [a.get_parameter(name) for a in attentions for name in names]
        values += [output.weight, output.bias]
        sizes = {"width": embedding.embedding_dim, "heads": attentions[0].heads, "layers": len(attentions)}
        start = {"letters": letters, "longest": longest, "sizes": sizes, "text": text} | state
        return cls(weights=pack_halves(values), **start)

    def compute(self) -> tuple[Tensor, Tensor]:
        """What the page computes for its text, from the state alone, by torch.

        Returns:
            Logits (n, letters) and weights (layers, heads, n, n).
        """
        numbers = unpack_halves(self.weights)
        at, d, heads = 0, self.sizes["width"], self.sizes["heads"]

        def take(*shape: int) -> Tensor:
            nonlocal at
            at += math.prod(shape)
            return numbers[at - math.prod(shape) : at].view(shape)

        n, tokens = len(self.text), len(self.letters)
        x = take(tokens, d)[[self.letters.index(letter) for letter in self.text]]  # (n, d)
        x = x + sinusoidal_positions(n, d) * self.positions
        mask, seen = causal_mask(n) if self.causal else None, []
        for _ in range(self.sizes["layers"]):
            projected = F.linear(x, take(3 * d, d), take(3 * d)).unflatten(-1, (3, heads, -1))
            q, k, v = projected.permute(1, 2, 0, 3)  # (heads, n, d / heads) each
            seen.append(masked_softmax(q @ k.transpose(1, 2) / math.sqrt(d // heads), mask))
            x = x + F.linear((seen[-1] @ v).transpose(0, 1).flatten(1), take(d, d), take(d))
        return F.linear(x, take(tokens, d), take(tokens)), torch.stack(seen)

    @traitlets.validate("text", "chosen")
    def _validate_text(self, proposal: dict) -> str | int:
        text, chosen, letters, longest = self.values_with(proposal, "text", "chosen", "letters", "longest")
        text = plain(text)
        if not 0 < len(text) <= longest or not set(text) <= set(letters):
            raise traitlets.TraitError(f"expected a text of 1 to {longest} of {letters!r}, got {text!r}")
        if not 0 <= chosen < len(text):
            raise traitlets.TraitError(f"expected chosen in 0..{len(text) - 1}, got {chosen}")
        return text if proposal["trait"].name == "text" else proposal["value"]

    @traitlets.validate("layer", "head")
    def _validate_head(self, proposal: dict) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        (sizes,) = self.values_with(proposal, "sizes")
        if not 0 <= value < sizes[f"{name}s"]:
            raise traitlets.TraitError(f"expected {name} in 0..{sizes[f'{name}s'] - 1}, got {value}")
        return value
