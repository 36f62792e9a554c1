"""Hidden state: a small recurrent network reads a typed text inside the page."""

from collections.abc import Sequence

import traitlets
from torch import nn

from utils.layers.recurrent import RecurrentLanguageModel
from utils.text import plain
from utils.widgets.base import CourseWidget, pack_halves, read_module, read_style

LINE = "to be, or not to be: that is the question."
LONGEST = 60  # characters of the text


class HiddenState(CourseWidget):
    """The state of a recurrent language model over a text, and what it expects after each character.

    Make it with :meth:`from_model`. Traits: ``weights`` (float16 bytes), ``characters`` (the
    vocabulary), ``width`` and ``hidden_size``; and, to be read or set from Python, ``text``,
    ``position`` (of the character whose state and prediction are shown), ``unit``, and ``cut``: the
    state is set to zero before this character (0: nowhere, since it is zero there anyway).
    """

    _esm = read_module("shared", "halves", "typed", "hidden_state")
    _css = read_style("hidden_state")

    weights = traitlets.Bytes().tag(sync=True)
    characters = traitlets.Unicode().tag(sync=True)
    width = traitlets.Int().tag(sync=True)
    hidden_size = traitlets.Int().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    position = traitlets.Int().tag(sync=True)
    unit = traitlets.Int().tag(sync=True)
    cut = traitlets.Int().tag(sync=True)

    @classmethod
    def from_model(
        cls,
        model: RecurrentLanguageModel,
        characters: Sequence[str],
        *,
        text: str = LINE,
        position: int | None = None,
        unit: int = 0,
        cut: int = 0,
    ) -> "HiddenState":
        """Put a model's weights, rounded to float16, into a figure; the model is left as it is.

        Args:
            model: with one layer of ``nn.RNN`` (tanh) of at most 64 units.
            characters: those that the model's ids stand for, in order.
            text: 1 to 60 of these characters.
            position: 0 for the first character; by default the last.
            unit: of the hidden state.
            cut: 0, or the character before which the state is set to zero.

        Raises:
            ValueError: if the model is another, or the number of characters is not that of its ids.
            traitlets.TraitError: if text, position, unit or cut do not fit.
        """
        rnn = model.rnn
        if type(rnn) is not nn.RNN or rnn.num_layers != 1 or rnn.bidirectional or rnn.mode != "RNN_TANH":
            raise ValueError(f"expected one layer of nn.RNN with tanh, got {rnn}")
        if rnn.hidden_size > 64 or len(characters) != model.embedding.num_embeddings:
            given = f"{rnn.hidden_size} units, {len(characters)} characters for {model.embedding}"
            raise ValueError(f"expected at most 64 units and a character for each id, got {given}")
        return cls(
            weights=pack_halves(model.parameters()),
            characters="".join(characters),
            width=rnn.input_size,
            hidden_size=rnn.hidden_size,
            text=text,
            position=len(text) - 1 if position is None else position,
            unit=unit,
            cut=cut,
        )

    @traitlets.validate("text", "position", "unit", "cut")
    def _validate_state(self, proposal: dict) -> str | int:
        text, *places = self.values_with(proposal, "text", "position", "unit", "cut")
        text = plain(text)
        known = self.values_with(proposal, "characters")[0]
        if not 1 <= len(text) <= LONGEST or not set(text) <= set(known):
            raise traitlets.TraitError(f"expected 1 to {LONGEST} characters of {known!r}, got {text!r}")
        ends = [len(text), self.values_with(proposal, "hidden_size")[0], len(text)]
        for name, value, end in zip(("position", "unit", "cut"), places, ends, strict=True):
            if not 0 <= value < end:
                raise traitlets.TraitError(f"expected {name} in [0, {end - 1}], got {value}")
        return text if proposal["trait"].name == "text" else proposal["value"]
