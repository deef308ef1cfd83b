"""Rows that every client program trains on: two classes that three features tell apart. No numpy: programs run anywhere."""

FEATURES = 3


def rows(count):
    """[(label, [values])]; the label is 1 where the first two values add up to more than 1."""
    made = []
    for i in range(count):
        values = [round((i * step % 97) / 97, 4) for step in (31, 57, 83)]
        made.append((int(values[0] + values[1] > 1), values))
    return made


def libsvm(count):
    return "".join(f"{label} " + " ".join(f"{i}:{value:g}" for i, value in enumerate(values)) + "\n"
                   for label, values in rows(count))


def csv(count):
    """Label first, as training wants it."""
    return "".join(f"{label}," + ",".join(f"{value:g}" for value in values) + "\n" for label, values in rows(count))


def csv_features(count):
    return "".join(",".join(f"{value:g}" for value in values) + "\n" for _, values in rows(count))


def error_of(predictions, count):
    return sum((p > 0.5) != label for p, (label, _) in zip(predictions, rows(count), strict=True)) / count
