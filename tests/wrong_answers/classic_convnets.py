"""Wrong answers to the exercises of convnets/classic-convnets."""


def counted(layers, channels, side, *, bias=1, at_input=False, up=False, pool_stride=None):
    """The right count, or one with a mistake."""
    parameters = multiplications = 0
    for kind, *numbers in layers:
        before = side
        if kind == "pool":
            size, stride = numbers
            side = (side - size) // (pool_stride or stride) + 1
            continue
        if kind == "conv":
            outputs, size, stride, padding = numbers
            inputs, room = size * size * channels, side + 2 * padding - size
            side = (-(-room // stride) if up else room // stride) + 1
        else:
            (outputs,) = numbers
            inputs, side, before = channels * side * side, 1, 1
        parameters += (inputs + bias) * outputs
        multiplications += inputs * outputs * (before if at_input else side) ** 2
        channels = outputs
    return parameters, multiplications


def count__no_biases(layers, channels, side):
    """Forgets the biases."""
    return counted(layers, channels, side, bias=0)


def count__places_of_the_input(layers, channels, side):
    """Counts products at the places of the input."""
    return counted(layers, channels, side, at_input=True)


def count__rounds_up(layers, channels, side):
    """Rounds sizes up."""
    return counted(layers, channels, side, up=True)


def count__pooling_without_overlap(layers, channels, side):
    """Takes 2 for the stride and the size of every pooling."""
    plain = [("pool", 2, 2) if layer[0] == "pool" else layer for layer in layers]
    return counted(plain, channels, side)


def count__biases_multiply(layers, channels, side):
    """Counts a multiplication for each bias, too."""
    parameters, multiplications = counted(layers, channels, side)
    extra = sum(layer[1] for layer in layers if layer[0] == "dense")
    return parameters, multiplications + extra


def count__the_other_way_round(layers, channels, side):
    """Returns multiplications first."""
    return counted(layers, channels, side)[::-1]


def count__stride_of_every_pooling_is_two(layers, channels, side):
    """Takes 2 for the stride of every pooling."""
    return counted(layers, channels, side, pool_stride=2)
