"""Causal mask and key-value cache: a small language model that writes in the page, step by step."""

from collections.abc import Sequence

import torch
import traitlets
from torch import Tensor
from torch.nn import functional as F

from utils.layers.attention import causal_mask
from utils.layers.transformer import TransformerLanguageModel
from utils.text import plain
from utils.widgets.base import CourseWidget, pack_halves, read_module, read_style, unpack_halves

MOST = 20  # characters that fit side by side on a phone


class CausalCache(CourseWidget):
    """A text, what the model expects after each of its characters, and what a step has to compute.

    Make it with :meth:`from_model`. Traits: ``sizes`` (tokens, width, heads, layers), ``weights`` (float16
    bytes), ``characters`` (number to character), ``prompt``; and what the reader changes: ``text``,
    ``previous`` (the text before the last edit, else empty), ``mask``, ``cache``, ``view`` (layer and head
    whose weights are shown) and ``history``: of each step, the positions it computed and those in all.
    """

    _esm = read_module("shared", "halves", "typed", "causal_cache")
    _css = read_style("causal_cache")

    sizes = traitlets.List(traitlets.Int()).tag(sync=True)
    weights = traitlets.Bytes().tag(sync=True)
    characters = traitlets.List(traitlets.Unicode()).tag(sync=True)
    prompt = traitlets.Unicode().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    previous = traitlets.Unicode().tag(sync=True)
    mask = traitlets.Bool(True).tag(sync=True)
    cache = traitlets.Bool(True).tag(sync=True)
    view = traitlets.List(traitlets.Int(), [0, 0]).tag(sync=True)
    history = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)

    @classmethod
    def from_model(
        cls, model: TransformerLanguageModel, characters: Sequence[str], *, text: str = "to be or not"
    ) -> "CausalCache":
        """Put a language model of characters into a figure; the model is left as it is.

        Args:
            model: with at least 20 positions, as it is without dropout.
            characters: number to character, as many as the model knows.
            text: at most 20 of these.

        Raises:
            ValueError: if the model is another, has too few positions, or the characters do not fit.
            traitlets.TraitError: if the text does not fit.
        """
        if not isinstance(model, TransformerLanguageModel) or model.context < MOST:
            name = type(model).__name__
            raise ValueError(f"expected a language model with at least {MOST} positions, got {name}")
        tokens, width = model.embedding.weight.shape
        if len(characters) != tokens or any(len(c) != 1 for c in characters):
            raise ValueError(f"expected {tokens} single characters, got {len(characters)}")
        parts = [
            values[:MOST] if values is model.position.weight else values for values in model.parameters()
        ]
        return cls(
            sizes=[tokens, width, model.layers[0].self_attn.heads, len(model.layers)],
            weights=pack_halves(parts),
            characters=list(characters),
            prompt=text,
            text=text,
            history=[[len(text), len(text)]],
        )

    def logits(self, text: str | None = None, mask: bool | None = None) -> Tensor:
        """What the page computes, from the state alone, by torch: (characters of the text, tokens).

        Args:
            text: by default the figure's.
            mask: whether later characters are hidden; by default as it is in the figure.
        """
        tokens, width, heads, layers = self.sizes
        model = TransformerLanguageModel(tokens, width, heads, layers, context=MOST)
        torch.nn.utils.vector_to_parameters(unpack_halves(self.weights), model.parameters())
        text = self.text if text is None else text
        ids = torch.tensor([[self.characters.index(character) for character in text]])
        with torch.no_grad():
            x = model.embedding(ids) + model.position.weight[: len(text)]
            allowed = causal_mask(len(text)) if (self.mask if mask is None else mask) else None
            for layer in model.layers:
                x = layer(x, allowed)
            return F.linear(model.norm(x), model.embedding.weight)[0]

    def multiply_adds(self) -> list[int]:
        """Multiply-adds of the matrix products of each step in the history."""
        tokens, width, _, layers = self.sizes
        position = 12 * layers * width**2 + width * tokens
        return [new * (position + 2 * layers * width * total) for new, total in self.history]

    @traitlets.validate("text", "prompt", "previous")
    def _validate_text(self, proposal: dict) -> str:
        text, name = plain(proposal["value"]), proposal["trait"].name
        least = 0 if name == "previous" else 1
        if not least <= len(text) <= MOST or not set(text) <= set(self.characters):
            raise traitlets.TraitError(f"expected {name} of {least} to {MOST} known characters, got {text!r}")
        return text

    @traitlets.validate("view")
    def _validate_view(self, proposal: dict) -> list[int]:
        _, _, heads, layers = self.sizes
        view = proposal["value"]
        if len(view) != 2 or not (0 <= view[0] < layers and 0 <= view[1] < heads):
            raise traitlets.TraitError(
                f"expected a layer below {layers} and a head below {heads}, got {view}"
            )
        return view

    @traitlets.validate("history")
    def _validate_history(self, proposal: dict) -> list[list[int]]:
        if not all(len(step) == 2 and 0 <= step[0] <= step[1] <= MOST for step in proposal["value"]):
            raise traitlets.TraitError(
                f"expected steps [computed, in all] of at most {MOST}, got {proposal['value']}"
            )
        return proposal["value"]
