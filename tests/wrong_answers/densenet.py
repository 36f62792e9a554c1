"""Wrong answers to the exercise of convnets/densenet."""


def dense_weights__stack_does_not_grow(layers, channels, growth, bottleneck):
    """Each layer reads the block's input alone."""
    if bottleneck is None:
        return layers * 9 * channels * growth
    width = bottleneck * growth
    return layers * (channels * width + 9 * width * growth)


def dense_weights__counts_layers_from_one(layers, channels, growth, bottleneck):
    """The first layer reads its own output too."""
    total = 0
    for i in range(1, layers + 1):
        stack, width = channels + i * growth, (bottleneck or 0) * growth
        total += stack * width + 9 * width * growth if bottleneck else 9 * stack * growth
    return total


def dense_weights__bottleneck_is_always_four(layers, channels, growth, bottleneck):
    """Takes 4 for the bottleneck whatever is asked."""
    total = 0
    for i in range(layers):
        stack, width = channels + i * growth, 4 * growth
        total += 9 * stack * growth if bottleneck is None else stack * width + 9 * width * growth
    return total


def dense_weights__second_convolution_forgotten(layers, channels, growth, bottleneck):
    """Counts the 1×1 convolution of a bottleneck and not the 3×3 one."""
    total = 0
    for i in range(layers):
        stack = channels + i * growth
        total += 9 * stack * growth if bottleneck is None else stack * bottleneck * growth
    return total


def dense_weights__window_forgotten(layers, channels, growth, bottleneck):
    """Takes a 3×3 window for a single weight."""
    total = 0
    for i in range(layers):
        stack, width = channels + i * growth, (bottleneck or 0) * growth
        total += stack * growth if bottleneck is None else stack * width + width * growth
    return total


def dense_weights__with_norms(layers, channels, growth, bottleneck):
    """Counts the norms' two numbers a channel as well."""
    total = 0
    for i in range(layers):
        stack, width = channels + i * growth, (bottleneck or 0) * growth
        total += 2 * stack
        total += 9 * stack * growth if bottleneck is None else stack * width + 9 * width * growth + 2 * width
    return total


def dense_weights__last_layer_alone(layers, channels, growth, bottleneck):
    """Counts the last layer, not all of them."""
    stack = channels + (layers - 1) * growth
    width = (bottleneck or 0) * growth
    return 9 * stack * growth if bottleneck is None else stack * width + 9 * width * growth


def dense_weights__one_is_no_bottleneck(layers, channels, growth, bottleneck):
    """Takes a bottleneck of 1 for none."""
    total = 0
    for i in range(layers):
        stack, width = channels + i * growth, (bottleneck or 0) * growth
        plain = bottleneck in (None, 1)
        total += 9 * stack * growth if plain else stack * width + 9 * width * growth
    return total
