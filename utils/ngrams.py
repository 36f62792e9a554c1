"""Language models made of counts: n-grams, and modified Kneser-Ney smoothing."""

import torch
from torch import Tensor


def numbers_of(ids: Tensor, order: int, tokens: int) -> Tensor:
    """Each n-gram of a text as one whole number: its ids are the digits, in base ``tokens``.

    Args:
        ids: (..., length) whole numbers.
        order: n, at least 1.
        tokens: how many kinds there are.

    Returns:
        (..., length - order + 1) int64.

    Raises:
        ValueError: if an id is not in [0, tokens), or the numbers would not fit into 63 bits.
        RuntimeError: if the text is shorter than an n-gram.
    """
    if tokens**order > 2**63 or ((ids < 0) | (ids >= tokens)).any():
        raise ValueError(f"expected ids below {tokens} and {tokens} ** {order} below 2 ** 63")
    grams = ids.unfold(-1, order, 1)  # (..., length - order + 1, order)
    codes = torch.zeros(grams.shape[:-1], dtype=torch.int64)
    for j in range(order):
        codes = codes * tokens + grams[..., j]
    return codes


class Counts:
    """How often each n-gram of one order occurs, as sorted numbers with their counts.

    N-grams that differ in their last token only, the followers of one context, are neighbours in this order.

    Attributes:
        codes: (kinds,) the n-grams that occur, as `numbers_of` gives them, rising.
        counts: (kinds,) how often each does.
    """

    def __init__(self, codes: Tensor, tokens: int):
        """
        Args:
            codes: (...) int64 numbers of n-grams, in any order, each as often as it counts.
            tokens: how many kinds there are.
        """
        self.tokens = tokens
        self.codes, self.counts = torch.unique(codes, return_counts=True)
        context_codes = self.codes // tokens
        self.contexts, which = torch.unique_consecutive(context_codes, return_inverse=True)
        self.totals = which.bincount(self.counts)  # (contexts,) c(h)
        classes = 3 * which + self.counts.clamp(max=3) - 1
        self.followers = classes.bincount(minlength=3 * len(self.contexts)).view(-1, 3)

    def look_up(self, grams: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Counts of n-grams and of their contexts, zero for those that do not occur.

        Args:
            grams: (..., n) contexts h with a token x at the end.

        Returns:
            c(h, x), int64 of shape (...); c(h), the sum over all tokens, float64 of shape (...); and how many
            kinds of tokens follow h once, twice, three times or more, int64 of shape (..., 3).
        """
        codes = numbers_of(grams, grams.shape[-1], self.tokens)[..., 0]
        i, seen = locate(self.codes, codes)
        j, known = locate(self.contexts, codes // self.tokens)
        followers = self.followers[j] * known[..., None]
        return self.counts[i] * seen, self.totals[j] * known, followers


def locate(rising: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Places of numbers in a rising list, and whether they stand there; both have the shape of ``wanted``."""
    places = torch.searchsorted(rising, wanted).clamp(max=len(rising) - 1)
    return places, rising[places] == wanted


def count_ngrams(ids: Tensor, order: int, tokens: int) -> Counts:
    """The n-grams of one order in a text (n,), or in windows (..., n) each of which stands alone."""
    return Counts(numbers_of(ids, order, tokens), tokens)


def count_orders(ids: Tensor, order: int, tokens: int) -> list[Counts]:
    """The n-grams of all orders from 1 to the given one."""
    return [count_ngrams(ids, n, tokens) for n in range(1, order + 1)]


def discounts(counts: Tensor) -> Tensor:
    """What modified Kneser-Ney smoothing takes from a count of 0, 1, 2, and 3 or more: (4,) float64.

    Where the closed form does not exist, or is not positive, because there are too few n-grams, it is 0.5, 1
    and 1.5.

    Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", Computer
        Speech and Language 1999, section 3; the other values are those of KenLM's ``--discount_fallback``.
    """
    n = [(counts == r).sum().item() for r in range(5)]  # n[r]: how many n-grams occur r times
    if n[1] and n[2] and n[3]:
        share = n[1] / (n[1] + 2 * n[2])
        found = [r - (r + 1) * share * n[r + 1] / n[r] for r in (1, 2, 3)]
        if min(found) > 0:
            return torch.tensor([0.0, *found], dtype=torch.float64)
    return torch.tensor([0.0, 0.5, 1.0, 1.5], dtype=torch.float64)


def continuations(counted: list[Counts]) -> list[Counts]:
    """The counts of Kneser-Ney smoothing: below the highest order, how many tokens stand before an n-gram.

    Args:
        counted: of a text, of order 1 to that of the model, as `count_orders` gives them.
    """
    tables, tokens = [], counted[0].tokens
    for n, longer in enumerate(counted[1:], 1):
        shorter = longer.codes % tokens**n  # each different n-gram once, without its first token
        tables.append(Counts(shorter, tokens))
    return [*tables, counted[-1]]


def discounted(table: Counts, D: Tensor, grams: Tensor, shorter: Tensor) -> Tensor:
    """One step of Kneser-Ney smoothing: from the probability after a shorter context to that after the whole.

    Args:
        table: counts of this order.
        D: (4,) what a count of 0, 1, 2, and 3 or more loses.
        grams: (..., n) contexts with a token at the end.
        shorter: (...) float64 probability of that token after the context without its first token.

    Returns:
        (...) float64; ``shorter`` where the context has never been seen.
    """
    count, total, followers = table.look_up(grams)
    taken = (followers * D[1:]).sum(-1)
    p = (count - D[count.clamp(max=3)] + taken * shorter) / total
    return torch.where(total > 0, p, shorter)


class KneserNey:
    """An n-gram model with interpolated modified Kneser-Ney smoothing, on the CPU.

    >>> model = KneserNey(count_orders(train_ids, order=6, tokens=len(vocabulary)))
    >>> perplexity = model.log_prob(test_ids).mean().neg().exp()

    Attributes:
        tables: counts of order 1, 2, ...
        stored: how many counts they hold together.

    Source: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", Computer
        Speech and Language 1999, section 3.
    """

    def __init__(self, counted: list[Counts]):
        """
        Args:
            counted: of a text, of order 1 to that of the model, as `count_orders` gives them.
        """
        self.tokens, self.tables = counted[0].tokens, continuations(counted)
        self.discounts = [discounts(table.counts) for table in self.tables]
        self.stored = sum(len(table.codes) for table in self.tables)

    def log_prob(self, ids: Tensor) -> Tensor:
        """Natural logarithm of the probability of each token, given those before it.

        Args:
            ids: (..., n) a text, or windows each of which stands alone.

        Returns:
            (..., n) float64. The first tokens have shorter contexts than the model's order allows.
        """
        p = torch.full(ids.shape, 1 / self.tokens, dtype=torch.float64)
        for n in range(1, min(len(self.tables), ids.shape[-1]) + 1):
            level, grams = (self.tables[n - 1], self.discounts[n - 1]), ids.unfold(-1, n, 1)
            p[..., n - 1 :] = discounted(*level, grams, p[..., n - 1 :])
        return p.log()

    def distribution(self, context: Tensor) -> Tensor:
        """Probability of every token after a context.

        Args:
            context: (..., n) ids, n >= 0, of which the last are used, as many as the model's order allows.

        Returns:
            (..., tokens) float64; each row sums to one.
        """
        shape = (*context.shape[:-1], self.tokens)
        every = torch.arange(self.tokens).expand(shape)[..., None]  # (..., tokens, 1)
        before = context[..., None, :].expand(*shape, -1)
        grams, p = torch.cat([before, every], -1), torch.full(shape, 1 / self.tokens, dtype=torch.float64)
        for n in range(1, min(len(self.tables), grams.shape[-1]) + 1):
            p = discounted(self.tables[n - 1], self.discounts[n - 1], grams[..., -n:], p)
        return p


class Pruned:
    """A Kneser-Ney model that stores only the n-grams which are worth it, with a back-off weight a context.

    An n-gram is worth its count times how much it raises the logarithm of its probability over that after the
    context without its first token. What a context's n-grams leave goes to the shorter context.

    >>> model = Pruned(KneserNey(counted), counted)
    >>> model.keep(threshold=100)  # how many numbers this takes

    Attributes:
        gains: of each order, what each n-gram is worth, in nats over the whole training text.
        stored: how many numbers the model holds: the kept n-grams, and one weight for each context of any.

    Sources: Seymore and Rosenfeld, "Scalable Backoff Language Models", ICSLP 1996: the difference weighted by
        the count; Stolcke, "Entropy-based Pruning of Backoff Language Models", DARPA Broadcast News
        Transcription and Understanding Workshop 1998, compares it with a relative entropy.
    """

    def __init__(self, model: KneserNey, counted: list[Counts]):
        """
        Args:
            model: what to prune.
            counted: of its training text, of order 1 to that of the model, as `count_orders` gives them.
        """
        self.tokens, self.tables = model.tokens, model.tables
        self.shares, self.contexts, self.gains = [], [], []
        p = torch.full((1,), 1 / self.tokens, dtype=torch.float64)
        for n, (table, D) in enumerate(zip(self.tables, model.discounts, strict=True), 1):
            context, _ = locate(table.contexts, table.codes // self.tokens)
            shorter = p
            if n > 1:
                shorter = p[locate(self.tables[n - 2].codes, table.codes % self.tokens ** (n - 1))[0]]
            own = (table.counts - D[table.counts.clamp(max=3)]) / table.totals[context]
            left = (table.followers * D[1:]).sum(-1) / table.totals
            p = own + left[context] * shorter
            i, seen = locate(counted[n - 1].codes, table.codes)
            self.shares.append(own)
            self.contexts.append(context)
            self.gains.append(counted[n - 1].counts[i] * seen * (p.log() - shorter.log()))
        self.keep(-torch.inf)

    def keep(self, threshold: float) -> int:
        """Keep the n-grams that gain more than this many nats, and all of order 1; returns `stored`."""
        self.kept, self.weights, self.stored = [], [], 0
        for n, (table, share) in enumerate(zip(self.tables, self.shares, strict=True), 1):
            kept = share * ((self.gains[n - 1] > threshold) | torch.tensor(n == 1))
            taken = torch.zeros(len(table.contexts), dtype=torch.float64)
            self.kept.append(kept)
            self.weights.append(1 - taken.index_add_(0, self.contexts[n - 1], kept))
            self.stored += int((kept > 0).sum() + (self.weights[-1] < 1).sum())
        return self.stored

    def log_prob(self, ids: Tensor) -> Tensor:
        """Natural logarithm of the probability of each token, given those before it, as of `KneserNey`."""
        p = torch.full(ids.shape, 1 / self.tokens, dtype=torch.float64)
        for n in range(1, min(len(self.tables), ids.shape[-1]) + 1):
            table, codes = self.tables[n - 1], numbers_of(ids, n, self.tokens)
            (i, seen), (j, known) = locate(table.codes, codes), locate(table.contexts, codes // self.tokens)
            weight = torch.where(known, self.weights[n - 1][j], 1.0)
            p[..., n - 1 :] = self.kept[n - 1][i] * seen + weight * p[..., n - 1 :]
        return p.log()
