"""Writing: drawing the next token, and models that write token by token."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from utils.training import evaluation_mode


@torch.no_grad()
def sample(
    logits: Tensor,
    generator: torch.Generator,
    temperature: float = 1.0,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Draw one token from each row of logits.

    Args:
        logits: (..., tokens) floats.
        generator: on the CPU; the draw is made there.
        temperature: divides the logits; 0 takes the most probable token, and nothing is drawn.
        top_k: draw among so many most probable tokens.
        top_p: draw among the fewest most probable tokens that have at least this probability together, those
            that ``top_k`` leaves; at least one.

    Returns:
        (...) int64, on the device of the logits.

    Raises:
        ValueError: if the temperature is negative, ``top_k`` below 1 or ``top_p`` outside (0, 1].

    Source: Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020 (nucleus, ``top_p``);
        Fan et al., "Hierarchical Neural Story Generation", ACL 2018 (``top_k``).
    """
    if temperature < 0 or (top_k is not None and top_k < 1) or (top_p is not None and not 0 < top_p <= 1):
        given = f"{temperature}, {top_k} and {top_p}"
        raise ValueError(f"expected temperature >= 0, top_k >= 1 and top_p in (0, 1], got {given}")
    rows = logits.float().cpu().reshape(-1, logits.shape[-1])  # (n, tokens)
    if temperature == 0:
        drawn = rows.argmax(dim=1)
    else:
        rows = _keep(rows / temperature, top_k, top_p)
        drawn = torch.multinomial(F.softmax(rows, dim=1), 1, generator=generator)
    return drawn.view(logits.shape[:-1]).to(logits.device)


def _keep(rows: Tensor, top_k: int | None, top_p: float | None) -> Tensor:
    """Logits (n, tokens) that are minus infinity where a token is not among the most probable."""
    if top_k is None and top_p is None:
        return rows
    values, order = rows.sort(dim=1, descending=True, stable=True)
    if top_k is not None:
        values[:, top_k:] = -torch.inf
    if top_p is not None and top_p < 1:
        shares = F.softmax(values.double(), dim=1)
        before = F.pad(shares.cumsum(dim=1)[:, :-1], (1, 0))  # of all that are more probable
        values = values.masked_fill(before >= top_p, -torch.inf)
    return torch.full_like(rows, -torch.inf).scatter(1, order, values)


@torch.no_grad()
def generate(
    model: nn.Module,
    prompt: Tensor,
    length: int,
    generator: torch.Generator,
    temperature: float = 1.0,
    *,
    top_k: int | None = None,
    top_p: float | None = None,
) -> Tensor:
    """Draw tokens one at a time, each from the model's distribution given all before it.

    Args:
        model: with ``step(ids, state)``, from ids (batch, steps) and a state (``None`` at first) to logits
            (batch, steps, tokens) and the next state. It writes in evaluation mode; its mode is put back.
        prompt: (batch, steps) ids, at least one step.
        length: how many tokens to add.
        generator: and the rest as in `sample`.

    Returns:
        (batch, steps + length) ids, on the prompt's device.

    Raises:
        ValueError: if the prompt is empty, or as `sample`.
    """
    if prompt.ndim != 2 or prompt.shape[1] == 0:
        raise ValueError(f"expected a prompt (batch, steps > 0), got {tuple(prompt.shape)}")
    text, new, state = [prompt], prompt, None
    with evaluation_mode(model):
        for _ in range(length):
            logits, state = model.step(new, state)
            drawn = sample(logits[:, -1], generator, temperature, top_k=top_k, top_p=top_p)
            new = drawn[:, None].to(prompt.device)  # (batch, 1)
            text.append(new)
    return torch.cat(text, dim=1)


@torch.no_grad()
def greedy_decode(model: nn.Module, source: Tensor, bos: int, eos: int, limit: int) -> list[list[int]]:
    """Translate a batch, always taking the most probable next token.

    Args:
        model: with ``start(source)`` that gives a state, and ``step`` as in `generate`.
        source: (batch, steps) padded ids.
        bos: number of the token that starts a translation.
        eos: number of the token that ends it.
        limit: tokens at most.

    Returns:
        The ids of each translation, without ``bos`` and ``eos``.
    """
    new = torch.full((len(source), 1), bos, device=source.device)
    steps, ended = [], torch.zeros(len(source), dtype=torch.bool, device=source.device)
    with evaluation_mode(model):
        state = model.start(source)
        while len(steps) < limit and not ended.all():
            logits, state = model.step(new, state)
            new = logits[:, -1].argmax(dim=1, keepdim=True)  # (batch, 1)
            steps.append(new[:, 0])
            ended |= new[:, 0] == eos
    rows = torch.stack(steps, dim=1).tolist() if steps else [[] for _ in source]
    return [row[: row.index(eos)] if eos in row else row for row in rows]
