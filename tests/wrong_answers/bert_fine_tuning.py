"""Wrong answers to the exercise of the chapter on fine-tuning BERT."""


def spread_labels__to_every_piece(word_ids, labels):
    return [-100 if word is None else labels[word] for word in word_ids]


def spread_labels__to_the_last_piece(word_ids, labels):
    after = [*word_ids[1:], None]
    return [
        -100 if word is None or word == other else labels[word]
        for word, other in zip(word_ids, after, strict=True)
    ]


def spread_labels__each_number_once(word_ids, labels):
    """The second text of a pair counts its words from zero again."""
    found, met = [], set()
    for word in word_ids:
        found.append(-100 if word is None or word in met else labels[word])
        met.add(word)
    return found


def spread_labels__word_0_taken_for_none(word_ids, labels):
    before = [None, *word_ids[:-1]]
    pairs = zip(word_ids, before, strict=True)
    return [labels[word] if word and word != last else -100 for word, last in pairs]


def spread_labels__words_counted_from_1(word_ids, labels):
    before = [None, *word_ids[:-1]]
    return [
        -100 if word is None or word == last else labels[word - 1]
        for word, last in zip(word_ids, before, strict=True)
    ]


def spread_labels__class_0_where_there_is_none(word_ids, labels):
    before = [None, *word_ids[:-1]]
    return [
        0 if word is None or word == last else labels[word]
        for word, last in zip(word_ids, before, strict=True)
    ]


def spread_labels__pieces_without_a_word_left_out(word_ids, labels):
    before = [None, *word_ids[:-1]]
    return [
        -100 if word == last else labels[word]
        for word, last in zip(word_ids, before, strict=True)
        if word is not None
    ]
