"""Recurrent networks: a language model, and encoder and decoder of a translator."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from utils.layers.attention import scaled_dot_product_attention

State = Tensor | tuple[Tensor, Tensor]  # LSTM carries two tensors


class RecurrentLanguageModel(nn.Module):
    """Embedding, recurrent layers, and a score for each token that may come next.

    Source: Mikolov et al., "Recurrent neural network based language model", Interspeech 2010.
    """

    def __init__(self, kind: type[nn.RNNBase], tokens: int, width: int, hidden_size: int, layers: int = 1):
        """
        Args:
            kind: ``nn.RNN``, ``nn.GRU`` or ``nn.LSTM``.
            tokens: size of the vocabulary.
            width: of the embedding.
            hidden_size: of each recurrent layer.
            layers: how many.
        """
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.rnn = kind(width, hidden_size, layers, batch_first=True)
        self.output = nn.Linear(hidden_size, tokens)

    def step(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """ids (batch, steps), the state before them -> logits (batch, steps, tokens), the state after."""
        outputs, state = self.rnn(self.embedding(ids), state)
        return self.output(outputs), state

    def forward(self, ids: Tensor) -> Tensor:
        """ids (batch, steps) -> logits (batch, steps, tokens), from a state of zeros."""
        return self.step(ids)[0]


class Encoder(nn.Module):
    """Reads a padded source with a GRU; padding has no influence on what it returns.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014.
    """

    def __init__(self, tokens: int, width: int, hidden_size: int, pad: int, layers: int = 1):
        """``pad``: number of the padding token; the other arguments as in `RecurrentLanguageModel`."""
        super().__init__()
        self.pad = pad
        self.embedding = nn.Embedding(tokens, width, padding_idx=pad)
        self.rnn = nn.GRU(width, hidden_size, layers, batch_first=True)

    def forward(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """source (batch, steps), at least one true token a row -> outputs (batch, steps, hidden_size), which
        are 0 at padding, and the state after each row's last true token (layers, batch, hidden_size).
        """
        lengths = (source != self.pad).sum(dim=1).cpu()
        packed = pack_padded_sequence(self.embedding(source), lengths, True, enforce_sorted=False)
        outputs, state = self.rnn(packed)
        return pad_packed_sequence(outputs, True, total_length=source.shape[1])[0], state


class Decoder(nn.Module):
    """Writes with a GRU that starts from the encoder's state and sees its last layer's state at each step.

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", EMNLP 2014.
    """

    def __init__(self, tokens: int, width: int, hidden_size: int, layers: int = 1):
        """Arguments as in `RecurrentLanguageModel`."""
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.rnn = nn.GRU(width + hidden_size, hidden_size, layers, batch_first=True)
        self.output = nn.Linear(hidden_size, tokens)

    def forward(self, ids: Tensor, state: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """ids (batch, steps), state (layers, batch, hidden_size), context (batch, hidden_size) -> logits
        (batch, steps, tokens) and the next state.
        """
        repeated = context[:, None].expand(-1, ids.shape[1], -1)
        outputs, state = self.rnn(torch.cat((self.embedding(ids), repeated), dim=2), state)
        return self.output(outputs), state


class RecurrentTranslator(nn.Module):
    """Encoder and decoder: the source is handed over as one state, the context.

    Source: Sutskever et al., "Sequence to Sequence Learning with Neural Networks", NeurIPS 2014, and Cho et
        al., as above.
    """

    def __init__(
        self, source_tokens: int, target_tokens: int, width: int, hidden_size: int, pad: int, layers: int = 1
    ):
        """Sizes of both vocabularies; the other arguments as in `Encoder`."""
        super().__init__()
        self.encoder = Encoder(source_tokens, width, hidden_size, pad, layers)
        self.decoder = Decoder(target_tokens, width, hidden_size, layers)

    def start(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """source (batch, steps) -> the decoder's first state and the context."""
        state = self.encoder(source)[1]
        return state, state[-1]

    def step(self, ids: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """ids (batch, steps) and a state from `start` or `step` -> logits and the next state."""
        logits, hidden = self.decoder(ids, *state)
        return logits, (hidden, state[1])

    def forward(self, source: Tensor, ids: Tensor) -> Tensor:
        """source (batch, steps) and the target shifted right (batch, steps') -> logits, as in `step`."""
        return self.step(ids, self.start(source))[0]


class AttentionTranslator(nn.Module):
    """A recurrent translator that looks back at all states of its encoder after each step of its decoder.

    The decoder's state asks, the encoder's outputs answer (scaled dot products), and a layer mixes state and
    answer. As no answer goes into the next step, all steps of a known target are one call: the quicker of the
    two usual forms. The chapter on attention in translation ("a glance back") derives both.

    Source: Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015.
    """

    def __init__(self, source_tokens: int, target_tokens: int, width: int, hidden_size: int, pad: int):
        """Sizes of both vocabularies; the other arguments as in `Encoder`."""
        super().__init__()
        self.pad = pad
        self.encoder = Encoder(source_tokens, width, hidden_size, pad)
        self.embedding = nn.Embedding(target_tokens, width)
        self.rnn = nn.GRU(width, hidden_size, batch_first=True)
        self.mix = nn.Linear(2 * hidden_size, hidden_size)
        self.output = nn.Linear(hidden_size, target_tokens)

    def start(self, source: Tensor) -> dict[str, Tensor]:
        """source (batch, steps) -> the encoder's outputs, their mask and the decoder's first state."""
        outputs, state = self.encoder(source)
        return {"memory": outputs, "mask": (source != self.pad)[:, None], "hidden": state}

    def step(self, ids: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """ids (batch, steps) and a state from `start` or `step` -> logits (batch, steps, tokens), next state,
        which also holds the ``weights`` (batch, steps, source steps) of what was read.
        """
        memory, mask = state["memory"], state["mask"]
        outputs, hidden = self.rnn(self.embedding(ids), state["hidden"])
        read, weights = scaled_dot_product_attention(outputs, memory, memory, mask)
        mixed = torch.tanh(self.mix(torch.cat((outputs, read), dim=2)))  # (batch, steps, hidden_size)
        return self.output(mixed), state | {"hidden": hidden, "weights": weights}

    def forward(self, source: Tensor, ids: Tensor) -> Tensor:
        """source (batch, steps) and the target shifted right (batch, steps') -> logits, as in `step`."""
        return self.step(ids, self.start(source))[0]
