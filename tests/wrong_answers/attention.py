"""Wrong answers to the exercise of the chapter on attention."""

import torch
from torch.nn import functional as F


def _read(scores, allowed, v):
    weights = F.softmax(scores.masked_fill(~allowed, -1e9), dim=-1)
    return weights.masked_fill(~allowed, 0.0) @ v


def _up_to(lengths, keys):
    return torch.arange(keys) < lengths[:, None, None]  # (batch, 1, keys)


def attend_to_lengths__without_the_root_of_d(q, k, v, lengths):
    return _read(q @ k.transpose(1, 2), _up_to(lengths, k.shape[1]), v)


def attend_to_lengths__root_of_the_number_of_keys(q, k, v, lengths):
    return _read(q @ k.transpose(1, 2) / k.shape[1] ** 0.5, _up_to(lengths, k.shape[1]), v)


def attend_to_lengths__a_score_of_0_as_mask(q, k, v, lengths):
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return F.softmax(scores * _up_to(lengths, k.shape[1]), dim=-1) @ v


def attend_to_lengths__weights_set_to_0_after_the_softmax(q, k, v, lengths):
    weights = F.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, dim=-1)
    return (weights * _up_to(lengths, k.shape[1])) @ v


def attend_to_lengths__one_key_too_many(q, k, v, lengths):
    allowed = torch.arange(k.shape[1]) <= lengths[:, None, None]
    return _read(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, allowed, v)


def attend_to_lengths__the_first_length_for_all(q, k, v, lengths):
    allowed = _up_to(lengths[:1], k.shape[1])
    return _read(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, allowed, v)


def attend_to_lengths__softmax_over_the_queries(q, k, v, lengths):
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    allowed = _up_to(lengths, k.shape[1])
    return F.softmax(scores.masked_fill(~allowed, -1e9), dim=1).masked_fill(~allowed, 0.0) @ v


def attend_to_lengths__nan_for_an_empty_sentence(q, k, v, lengths):
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return F.softmax(scores.masked_fill(~_up_to(lengths, k.shape[1]), -torch.inf), dim=-1) @ v


def attend_to_lengths__the_mean_for_an_empty_sentence(q, k, v, lengths):
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return F.softmax(scores.masked_fill(~_up_to(lengths, k.shape[1]), -1e9), dim=-1) @ v
