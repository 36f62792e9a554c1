"""Wrong answers to the exercise of the chapter on pretraining BERT."""


def _words(pieces):
    """The number of each piece's word."""
    word, words = -1, []
    for piece in pieces:
        word += not piece.startswith("##")
        words.append(word)
    return words


def whole_words__as_chosen(pieces, chosen):
    return list(chosen)


def whole_words__only_later_pieces(pieces, chosen):
    found = []
    for piece, c in zip(pieces, chosen, strict=True):
        found.append(c or (piece.startswith("##") and bool(found) and found[-1]))
    return found


def whole_words__only_the_start_of_the_word(pieces, chosen):
    found = list(chosen)
    for k in reversed(range(1, len(pieces))):
        if pieces[k].startswith("##") and found[k]:
            found[k - 1] = True
    return found


def whole_words__only_neighbouring_pieces(pieces, chosen):
    words, found = _words(pieces), list(chosen)
    for k in range(1, len(pieces)):
        if words[k] == words[k - 1] and (chosen[k] or chosen[k - 1]):
            found[k] = found[k - 1] = True
    return found


def whole_words__the_same_word_everywhere(pieces, chosen):
    words = _words(pieces)
    text = ["".join(p for p, w in zip(pieces, words, strict=True) if w == word) for word in words]
    drawn = {t for t, c in zip(text, chosen, strict=True) if c}
    return [t in drawn for t in text]


def whole_words__only_words_that_are_chosen_whole(pieces, chosen):
    words = _words(pieces)
    kept = {w for w, c in zip(words, chosen, strict=True) if not c}
    return [w not in kept for w in words]


def whole_words__every_word_of_several_pieces(pieces, chosen):
    words = _words(pieces)
    return [c or words.count(w) > 1 for w, c in zip(words, chosen, strict=True)]


def whole_words__numbers_of_the_chosen_pieces(pieces, chosen):
    words = _words(pieces)
    drawn = {w for w, c in zip(words, chosen, strict=True) if c}
    return [k for k, w in enumerate(words) if w in drawn]
