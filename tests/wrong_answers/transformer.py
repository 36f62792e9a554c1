"""Wrong answers to the exercise of the chapter on the Transformer."""


def rate__the_higher_of_the_two(update, width, warm_up):
    return width**-0.5 * max(update * warm_up**-1.5, update**-0.5)


def rate__without_the_width(update, width, warm_up):
    return min(update * warm_up**-1.5, update**-0.5)


def rate__root_of_the_width(update, width, warm_up):
    return width**0.5 * min(update * warm_up**-1.5, update**-0.5)


def rate__updates_counted_from_0(update, width, warm_up):
    return width**-0.5 * min((update - 1) * warm_up**-1.5, max(update - 1, 1) ** -0.5)


def rate__a_falling_start(update, width, warm_up):
    return width**-0.5 * min(update**-1.5 * warm_up, update**-0.5)


def rate__a_peak_of_1(update, width, warm_up):
    return min(update / warm_up, (warm_up / update) ** 0.5)


def rate__falls_like_one_over_the_updates(update, width, warm_up):
    return (width * warm_up) ** -0.5 * min(update / warm_up, warm_up / update)


def rate__constant_after_the_peak(update, width, warm_up):
    return (width * warm_up) ** -0.5 * min(update / warm_up, 1.0)


def rate__falls_in_a_straight_line(update, width, warm_up):
    return (width * warm_up) ** -0.5 * max(0.0, min(update / warm_up, 2 - update / warm_up))
