"""Wrong answers to the exercise of sequences/sequence-to-sequence."""

from collections import Counter


def counted(tokens, n):
    """How often each n-gram occurs."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def clipped_matches__references_added_up(prediction, references, n):
    """Adds the counts of all references."""
    allowed = sum((counted(reference, n) for reference in references), Counter())
    return (counted(prediction, n) & allowed).total()


def clipped_matches__in_every_reference(prediction, references, n):
    """Keeps the smallest count in place of the largest."""
    found = counted(prediction, n)
    for reference in references:
        found &= counted(reference, n)
    return found.total()


def clipped_matches__best_reference(prediction, references, n):
    """Compares with each reference as a whole and takes the best."""
    return max((counted(prediction, n) & counted(reference, n)).total() for reference in references)


def clipped_matches__first_reference(prediction, references, n):
    """Looks at one reference only."""
    return (counted(prediction, n) & counted(references[0], n)).total()


def clipped_matches__not_clipped(prediction, references, n):
    """Counts an n-gram as often as the prediction has it."""
    known = set().union(*(counted(reference, n) for reference in references))
    return sum(count for gram, count in counted(prediction, n).items() if gram in known)


def clipped_matches__once_each(prediction, references, n):
    """Counts kinds of n-grams in place of occurrences."""
    known = set().union(*(counted(reference, n) for reference in references))
    return len(known & set(counted(prediction, n)))


def clipped_matches__single_tokens(prediction, references, n):
    """Matches tokens whatever n is."""
    allowed = Counter()
    for reference in references:
        allowed |= counted(reference, 1)
    return (counted(prediction, 1) & allowed).total()


def clipped_matches__last_ngram_forgotten(prediction, references, n):
    """The range ends one place too early."""
    allowed = Counter()
    for reference in references:
        allowed |= counted(reference, n)
    return (counted(prediction[:-1], n) & allowed).total()


def clipped_matches__a_share(prediction, references, n):
    """A precision in place of a count."""
    allowed = Counter()
    for reference in references:
        allowed |= counted(reference, n)
    found = counted(prediction, n)
    return (found & allowed).total() / max(1, found.total())


def clipped_matches__of_the_references(prediction, references, n):
    """Sums the matches with all references."""
    return sum((counted(prediction, n) & counted(reference, n)).total() for reference in references)
