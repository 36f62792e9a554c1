"""Wrong answers to the exercises of convnets/googlenet."""


def _cost(in_channels, one, three, five, pool, side, *, squeezed=1, window=True, last=None, direct=True):
    weights = in_channels * one + (in_channels if last is None else last) * pool
    for (reduced, out), k in ((three, 3), (five, 5)):
        if reduced is None:
            weights += k * k * in_channels * out if direct else 0
        else:
            weights += squeezed * in_channels * reduced + (k * k if window else k) * reduced * out
    return weights, weights * side * side


def block_cost__forgets_the_reduction_itself(*arguments):
    return _cost(*arguments, squeezed=0)


def block_cost__counts_a_window_by_its_side(*arguments):
    return _cost(*arguments, window=False)


def block_cost__leaves_unreduced_windows_out(*arguments):
    return _cost(*arguments, direct=False)


def block_cost__takes_the_pooling_to_be_free(*arguments):
    return _cost(*arguments, last=0)


def block_cost__multiplies_once_for_a_row(*arguments):
    weights, _ = _cost(*arguments)
    return weights, weights * arguments[-1]


def block_cost__window_looks_at_all_channels_behind_the_reduction(in_channels, one, three, five, pool, side):
    weights = in_channels * (one + pool)
    for (reduced, out), k in ((three, 3), (five, 5)):
        weights += in_channels * (reduced or 0) + k * k * in_channels * out
    return weights, weights * side * side
