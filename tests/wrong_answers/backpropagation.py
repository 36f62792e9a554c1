"""Wrong answers to the exercise of the chapter on backpropagation."""

import math


def forward(inputs, tape):
    """All numbers that a tape makes of its inputs."""
    numbers = list(inputs)
    for op, i, *j in tape:
        x = numbers[i]
        y = numbers[j[0]] if j else None
        numbers.append(math.tanh(x) if op == "tanh" else x + y if op == "+" else x * y)
    return numbers


def walk(inputs, tape, places, local, join):
    """The backward walk, with the parts in which the mistakes are made."""
    numbers = forward(inputs, tape)
    grads = [0.0] * (len(numbers) - 1) + [1.0]
    for k in places:
        (op, i, *j), result = tape[k], len(inputs) + k
        factors = local(op, numbers[i], numbers[j[0]] if j else None, numbers[result])
        for place, factor in zip([i, *j], factors, strict=True):
            grads[place] = join(grads[place], factor * grads[result])
    return grads[: len(inputs)]


def right_local(op, x, y, result):
    """The local derivatives as they should be."""
    return {"+": (1.0, 1.0), "*": (y, x), "tanh": (1 - result**2,)}[op]


def right_join(old, new):
    """Gradients add up."""
    return old + new


def right_gradients(inputs, tape):
    """No mistake."""
    return walk(inputs, tape, reversed(range(len(tape))), right_local, right_join)


def gradients__overwrites(inputs, tape):
    """The last use of a number replaces those before it."""
    places = reversed(range(len(tape)))
    return walk(inputs, tape, places, right_local, lambda old, new: new)


def gradients__operands_swapped(inputs, tape):
    """Each factor of a product gets itself as local derivative."""

    def local(op, x, y, result):
        return (x, y) if op == "*" else right_local(op, x, y, result)

    return walk(inputs, tape, reversed(range(len(tape))), local, right_join)


def gradients__tanh_of_the_input(inputs, tape):
    """The derivative of tanh from its input in place of its result."""

    def local(op, x, y, result):
        return (1 - x**2,) if op == "tanh" else right_local(op, x, y, result)

    return walk(inputs, tape, reversed(range(len(tape))), local, right_join)


def gradients__tanh_not_squared(inputs, tape):
    """1 - tanh in place of 1 - tanh squared."""

    def local(op, x, y, result):
        return (1 - result,) if op == "tanh" else right_local(op, x, y, result)

    return walk(inputs, tape, reversed(range(len(tape))), local, right_join)


def gradients__forwards(inputs, tape):
    """The tape walked from its beginning."""
    return walk(inputs, tape, range(len(tape)), right_local, right_join)


def gradients__of_all_numbers(inputs, tape):
    """The gradients of the numbers in between as well."""
    return right_gradients(inputs, tape) + [0.0] * len(tape)


def gradients__last_input_forgotten(inputs, tape):
    """The output's own gradient is never set where it is an input."""
    grads = right_gradients(inputs, tape)
    return grads if tape else [0.0] * len(inputs)


def gradients__differences(inputs, tape):
    """One-sided differences with a step that is too long."""
    output, h = forward(inputs, tape)[-1], 1e-3
    moved = ([v + h * (i == k) for i, v in enumerate(inputs)] for k in range(len(inputs)))
    return [(forward(numbers, tape)[-1] - output) / h for numbers in moved]
