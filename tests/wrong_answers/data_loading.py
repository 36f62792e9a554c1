"""Wrong answers to the exercises of the chapter on datasets and data loaders."""

import torch


def filled(ages, unknown, number):
    """Ages with a number where they are not known, and the mark."""
    return torch.stack([torch.where(unknown, number, ages), unknown.float()], dim=1)


def fill_ages__each_its_own_mean(fitting, others):
    """Each part is filled with a mean of its own."""
    parts = []
    for ages in (fitting, others):
        parts.append(filled(ages, ages == -999, ages[ages != -999].mean()))
    return tuple(parts)


def fill_ages__mean_with_the_code(fitting, others):
    """The mean over all numbers, -999 among them."""
    return tuple(filled(ages, ages == -999, fitting.mean()) for ages in (fitting, others))


def fill_ages__mean_of_both(fitting, others):
    """The mean of both parts together: the second leaks into the first."""
    both = torch.cat([fitting, others])
    mean = both[both != -999].mean()
    return tuple(filled(ages, ages == -999, mean) for ages in (fitting, others))


def fill_ages__median(fitting, others):
    """The median instead of the mean."""
    median = fitting[fitting != -999].median()
    return tuple(filled(ages, ages == -999, median) for ages in (fitting, others))


def fill_ages__mark_of_the_known(fitting, others):
    """The mark is 1 where the age is known."""
    mean = fitting[fitting != -999].mean()
    parts = [filled(ages, ages == -999, mean) for ages in (fitting, others)]
    return tuple(torch.stack([part[:, 0], 1 - part[:, 1]], dim=1) for part in parts)


def fill_ages__no_mark(fitting, others):
    """The ages alone."""
    mean = fitting[fitting != -999].mean()
    return tuple(torch.where(ages == -999, mean, ages) for ages in (fitting, others))


def fill_ages__below_one_is_unknown(fitting, others):
    """Every age below 1 is taken for unknown."""
    mean = fitting[fitting >= 1].mean()
    return tuple(filled(ages, ages < 1, mean) for ages in (fitting, others))


def fill_ages__zero(fitting, others):
    """Filled with 0."""
    return tuple(filled(ages, ages == -999, torch.tensor(0.0)) for ages in (fitting, others))


def fill_ages__first_part_alone(fitting, others):
    """The second part is left as it is."""
    mean = fitting[fitting != -999].mean()
    return filled(fitting, fitting == -999, mean), filled(others, others == -999, torch.tensor(-999.0))


def fill_ages__in_place(fitting, others):
    """The ages that came in are overwritten."""
    mean = fitting[fitting != -999].mean()
    parts = []
    for ages in (fitting, others):
        unknown = ages == -999
        ages[unknown] = mean
        parts.append(torch.stack([ages, unknown.float()], dim=1))
    return tuple(parts)


def lengths_of(examples):
    """The number of numbers in each."""
    return torch.tensor([len(example) for example in examples])


def collate_padded__in_front(examples):
    """The zeros stand before the example."""
    width = max(map(len, examples))
    rows = [torch.cat([example.new_zeros(width - len(example)), example]) for example in examples]
    return torch.stack(rows), lengths_of(examples)


def collate_padded__cut_to_the_shortest(examples):
    """All are cut to the shortest."""
    width = min(map(len, examples))
    return torch.stack([example[:width] for example in examples]), lengths_of(examples)


def collate_padded__lengths_by_counting(examples):
    """Lengths are counted where the padded row is not zero."""
    rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True)
    return rows, (rows != 0).sum(dim=1)


def collate_padded__width_for_length(examples):
    """Every length is the width of the batch."""
    rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True)
    return rows, torch.full((len(rows),), rows.shape[1])


def collate_padded__steps_first(examples):
    """(longest, batch), as pad_sequence gives it without batch_first."""
    return torch.nn.utils.rnn.pad_sequence(examples), lengths_of(examples)


def collate_padded__minus_one(examples):
    """Padded with -1."""
    rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True, padding_value=-1)
    return rows, lengths_of(examples)


def collate_padded__one_too_wide(examples):
    """A column of zeros more than is needed."""
    rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True)
    return torch.nn.functional.pad(rows, (0, 1)), lengths_of(examples)


def collate_padded__no_lengths(examples):
    """The padded tensor alone."""
    return torch.nn.utils.rnn.pad_sequence(examples, batch_first=True)


def collate_padded__floats(examples):
    """Padded in a tensor of floats, whatever the examples are."""
    rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True)
    return rows.float(), lengths_of(examples)


def collate_padded__lengths_as_floats(examples):
    """The lengths are floats."""
    rows = torch.nn.utils.rnn.pad_sequence(examples, batch_first=True)
    return rows, lengths_of(examples).float()
