"""Wrong answers to the exercise of sequences/text-and-language-models."""


def take_from_the_right(letters, lexicon, starts_of):
    """Words from the right; starts_of(j) gives the places to try for a word that ends at j, in order."""
    words, j = [], len(letters)
    while j > 0:
        start = next(i for i in starts_of(j) if letters[i:j] in lexicon or i == j - 1)
        words.append(letters[start:j])
        j = start
    return words[::-1]


def backward_matching__from_the_left(letters, lexicon):
    """Maximum matching as the chapter has it."""
    longest, words, i = max(map(len, lexicon)), [], 0
    while i < len(letters):
        ends = range(min(len(letters), i + longest), i, -1)
        end = next(j for j in ends if letters[i:j] in lexicon or j == i + 1)
        words.append(letters[i:end])
        i = end
    return " ".join(words)


def backward_matching__shortest_word(letters, lexicon):
    """The shortest word of at least two letters that ends there."""

    def starts_of(j):
        return [*range(j - 2, -1, -1), j - 1] if j > 1 else [0]

    return " ".join(take_from_the_right(letters, lexicon, starts_of))


def backward_matching__longest_word_left_out(letters, lexicon):
    """The range begins one place too late, so that the longest word is never tried."""
    longest = max(map(len, lexicon))
    return " ".join(take_from_the_right(letters, lexicon, lambda j: range(max(0, j - longest + 1), j)))


def backward_matching__words_in_the_order_found(letters, lexicon):
    """The words from the last to the first."""
    longest = max(map(len, lexicon))
    words = take_from_the_right(letters, lexicon, lambda j: range(max(0, j - longest), j))
    return " ".join(words[::-1])


def backward_matching__letters_turned_around(letters, lexicon):
    """Forward matching of the reversed text, with words that are not reversed."""
    return backward_matching__from_the_left(letters[::-1], lexicon)[::-1]


def backward_matching__not_joined(letters, lexicon):
    """A list in place of a text."""
    longest = max(map(len, lexicon))
    return take_from_the_right(letters, lexicon, lambda j: range(max(0, j - longest), j))


def backward_matching__unknown_letters_dropped(letters, lexicon):
    """A letter that begins no word is left out."""
    longest = max(map(len, lexicon))
    words = take_from_the_right(letters, lexicon, lambda j: range(max(0, j - longest), j))
    return " ".join(word for word in words if word in lexicon)


def backward_matching__fewest_words(letters, lexicon):
    """The cut with the fewest words, whatever the direction."""
    best = [[]]
    for j in range(1, len(letters) + 1):
        ways = [[*best[i], letters[i:j]] for i in range(j) if letters[i:j] in lexicon or i == j - 1]
        best.append(min(ways, key=len))
    return " ".join(best[-1])
