"""Wrong answers to the exercise of convnets/first-cnn."""


def smallest_side__begins_with_the_first_layer(layers):
    """Goes through the layers in the order of the forward pass."""
    side = 1
    for window, stride, padding in layers:
        side = max((side - 1) * stride + window - 2 * padding, 1)
    return side


def smallest_side__padding_at_one_end(layers):
    """Lets the padding supply one row in all."""
    side = 1
    for window, stride, padding in reversed(layers):
        side = max((side - 1) * stride + window - padding, 1)
    return side


def smallest_side__without_padding(layers):
    """Leaves the padding out."""
    side = 1
    for window, stride, _ in reversed(layers):
        side = (side - 1) * stride + window
    return side


def smallest_side__stride_for_every_number(layers):
    """Counts m strides for m numbers."""
    side = 1
    for window, stride, padding in reversed(layers):
        side = max(side * stride + window - 2 * padding, 1)
    return side


def smallest_side__no_lower_bound(layers):
    """Lets a side become nothing, or negative."""
    side = 1
    for window, stride, padding in reversed(layers):
        side = (side - 1) * stride + window - 2 * padding
    return side


def smallest_side__bound_at_the_picture_alone(layers):
    """Takes care of the picture's own side, not of those between the layers."""
    side = 1
    for window, stride, padding in reversed(layers):
        side = (side - 1) * stride + window - 2 * padding
    return max(side, 1)
