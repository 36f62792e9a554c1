"""Wrong answers to the exercise of the chapter on self-attention."""

import torch


def _distance(n):
    places = torch.arange(n)
    return places[:, None] - places, places


def window_mask__one_word_too_many(n, w):
    distance, places = _distance(n)
    return (distance >= 0) & ((distance <= w) | (places == 0))


def window_mask__without_the_first_word(n, w):
    distance, _ = _distance(n)
    return (distance >= 0) & (distance < w)


def window_mask__to_both_sides(n, w):
    distance, places = _distance(n)
    return (distance.abs() < w) | (places == 0)


def window_mask__the_future_beyond_no_bound(n, w):
    distance, places = _distance(n)
    return (distance < w) | (places == 0)


def window_mask__read_and_reader_exchanged(n, w):
    distance, places = _distance(n)
    return ((distance >= 0) & ((distance < w) | (places == 0))).T


def window_mask__the_first_reader_in_place_of_the_first_read(n, w):
    distance, places = _distance(n)
    return (distance >= 0) & ((distance < w) | (places[:, None] == 0))


def window_mask__causal_without_a_window(n, w):
    return _distance(n)[0] >= 0


def window_mask__true_where_hidden(n, w):
    distance, places = _distance(n)
    return ~((distance >= 0) & ((distance < w) | (places == 0)))


def window_mask__numbers_in_place_of_booleans(n, w):
    distance, places = _distance(n)
    return ((distance >= 0) & ((distance < w) | (places == 0))).float()
