"""Wrong answers to the exercises of convnets/hardware-and-parallelism."""


def doubling__nobody_waits(gradients):
    """Adds in place: later workers of a round get sums that already hold this round's."""
    n, sums, sent = len(gradients), [g.clone() for g in gradients], 0
    for i in range(n.bit_length() - 1):
        for r in range(n):
            sums[r] = sums[r] + sums[r ^ 2**i]
        sent += gradients[0].nbytes
    return sums, sent


def doubling__always_the_neighbour(gradients):
    """Exchanges with the same partner in every round."""
    n, sums, sent = len(gradients), list(gradients), 0
    for _ in range(n.bit_length() - 1):
        sums = [sums[r] + sums[r ^ 1] for r in range(n)]
        sent += gradients[0].nbytes
    return sums, sent


def doubling__counts_the_ring(gradients):
    """The right sums with the bytes of a ring."""
    n = len(gradients)
    return [sum(gradients)] * n, 2 * (n - 1) * gradients[0].nbytes // n


def doubling__counts_numbers(gradients):
    """Counts numbers, not bytes."""
    n, sums, sent = len(gradients), list(gradients), 0
    for i in range(n.bit_length() - 1):
        sums = [sums[r] + sums[r ^ 2**i] for r in range(n)]
        sent += gradients[0].numel()
    return sums, sent


def doubling__one_round_more(gradients):
    """Goes on after all have everything."""
    n, sums, sent = len(gradients), list(gradients), 0
    for i in range(n.bit_length()):
        sums = [sums[r] + sums[(r ^ 2**i) % n] for r in range(n)]
        sent += gradients[0].nbytes
    return sums, sent


def doubling__the_mean(gradients):
    """Averages where a sum is asked for."""
    n, sums, sent = len(gradients), list(gradients), 0
    for i in range(n.bit_length() - 1):
        sums = [(sums[r] + sums[r ^ 2**i]) / 2 for r in range(n)]
        sent += gradients[0].nbytes
    return sums, sent


def doubling__changes_the_gradients(gradients):
    """Adds into the gradients themselves."""
    n, sent = len(gradients), 0
    for i in range(n.bit_length() - 1):
        old = [g.clone() for g in gradients]
        for r in range(n):
            gradients[r] += old[r ^ 2**i]
        sent += gradients[0].nbytes
    return gradients, sent


def doubling__adds_all_at_once(gradients):
    """The right sums and the right count without any exchange."""
    n = len(gradients)
    return [sum(gradients)] * n, (n.bit_length() - 1) * gradients[0].nbytes


def doubling__round_the_ring(gradients):
    """The partner is the one 2**i places on, not the one whose rank differs in bit i."""
    n, sums, sent = len(gradients), list(gradients), 0
    for i in range(n.bit_length() - 1):
        sums = [sums[r] + sums[(r + 2**i) % n] for r in range(n)]
        sent += gradients[0].nbytes
    return sums, sent


def doubling__always_eight_bytes(gradients):
    """Takes every number for one of 64 bits."""
    n, sums, sent = len(gradients), list(gradients), 0
    for i in range(n.bit_length() - 1):
        sums = [sums[r] + sums[r ^ 2**i] for r in range(n)]
        sent += 8 * gradients[0].numel()
    return sums, sent
