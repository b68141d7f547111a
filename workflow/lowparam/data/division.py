"""Tell from the folders below a folder which of them are classes, and which are the splits of a data set.

A folder is a split if its name has a usual word for one (``Training``, ``seg_train``, ``valid``, ``testset``) and it
has folders with images in it, but no images of its own. What cannot be told is refused, with what was found.
"""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from lowparam.errors import LowparamError
from lowparam.image_files import folders, images, walk

__all__ = ["check_classes", "check_same_classes", "find_splits"]

WORDS = {
    "train": {"train", "training", "trn"},
    "validation": {"val", "valid", "validation", "dev", "development", "eval", "evaluation"},
    "test": {"test", "testing", "tst", "holdout"},
}
ADDED = r"(s|set|data|split|part|images?|imgs?|pictures|photos|samples|examples|folder|dir)?"
"""What people write after such a word, without a space."""


def find_splits(root: Path, key: str) -> dict[str, str]:
    """Return the folders of ``train`` and of one or both of ``validation`` and ``test``; none if all are classes.

    Parameters
    ----------
    root : Path
        The folder.
    key : str
        The key in params.yaml that names it, for messages.

    Raises
    ------
    LowparamError
        If a folder may be a split or a class, two folders are for the same split, or splits have no classes.
    """
    _refuse_tiny_imagenet(root, key)
    names = folders(root)
    found: dict[str, str] = {}
    mixed: dict[str, str] = {}  # those that have images of their own, too
    for name in names:
        split = _split(name)
        if split is None or not _has_classes(root / name):
            continue
        kind = mixed if images(root / name) else found
        if split in kind:
            raise LowparamError(
                f"{key}: {root} has the folders {kind[split]!r} and {name!r}, both for {split}; keep one of them there"
            )
        kind[split] = name
    if mixed and "train" in (both := {**mixed, **found}) and len(both) > 1:
        name = next(iter(mixed.values()))
        raise LowparamError(
            f"{key}: {root / name} has folders of images and also images of its own, such as "
            f"{min(images(root / name))!r}, which are of no class; take them out"
        )
    if len(found) > 1 and "train" in found:
        return found
    for split, name in found.items():
        missing = "val or test" if split == "train" else "train"
        otherwise = (
            f"set {key} to {root / name}"
            if name.lower() in WORDS[split]
            else f"set {key} to {root / name}, or, if it is a class, put its images into it directly"
        )
        raise LowparamError(
            f"{key}: {root / name} has folders of images, but there is no {missing} with folders of images next to "
            f"it; add one, or {otherwise}"
        )
    flat = {split: name for split, words in WORDS.items() for name in names if name.lower() in words}
    if len(flat) > 1 and "train" in flat and set(names) == set(flat.values()):
        raise LowparamError(
            f"{key}: the folders {_quoted(names)} of {root} have images, but no folders; each class needs one"
        )
    return {}


def check_classes(folder: Path, classes: list[str], key: str) -> None:
    """Refuse folders that are no classes.

    Raises
    ------
    LowparamError
        If there are fewer than two, all have the same folders in them, one has splits in it, a name has characters
        that cannot be shown, or two names look the same.
    """
    if not classes:
        raise LowparamError(f"{key}: {folder} has no folders; each class needs one, with its images")
    if len(classes) == 1:
        (name,) = classes
        subfolders = folders(folder / name)
        advice = f"it has {_quoted(subfolders)} in it; set {key} to {folder / name}" if subfolders else "add another"
        raise LowparamError(f"{key}: {folder} has one folder, {name!r}, and classes are at least two; {advice}")
    if same := _same_folders([folder / name for name in classes]):
        raise LowparamError(
            f"{key}: the folders {_quoted(classes)} of {folder} all have the same folders {_quoted(same)} in them, so "
            f"which of them are classes is unclear; set {key} to one of them, or rename them to train, val and test, "
            "or, if they are the classes, put their images into them directly"
        )
    for name in classes:
        _refuse_splits_in_a_class(folder / name, key)
        if shown := next((letter for letter in name if unicodedata.category(letter) == "Cc"), None):
            raise LowparamError(
                f"{key}: {folder}: the name {name!r} has the character U+{ord(shown):04X}, which tables and figures "
                "cannot show; rename it"
            )
    _refuse_look_alikes(folder, classes, key)


def check_same_classes(root: Path, classes: dict[str, list[str]], key: str) -> None:
    """Check that splits have the same classes; `classes` maps their folders to these.

    Raises
    ------
    LowparamError
        If one has a class that another has not.
    """
    (first, known), *rest = classes.items()
    for other, theirs in rest:
        for name in sorted(set(known) ^ set(theirs)):
            having, lacking = (first, other) if name in known else (other, first)
            like = next((each for each in classes[lacking] if _composed(each) == _composed(name)), None)
            if like is not None:
                raise LowparamError(
                    f"{key}: the class {name!r} is {name!a} in {root / having} and {like!a} in "
                    f"{root / lacking}: the same letters in {_form(name)} and {_form(like)}; rename one of them"
                )
            raise LowparamError(f"{key}: {root / lacking} has no class {name!r}, but {root / having} has")


def similar_folder(path: Path) -> Path | None:
    """Return a folder whose name has the same letters in another of Unicode's forms, or None."""
    if not path.parent.is_dir():
        return None
    return next((each for each in path.parent.iterdir() if _composed(each.name) == _composed(path.name)), None)


def _split(name: str) -> str | None:
    """Return the split that a name has a word for; None if it has none, or words for several."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
    words.append("".join(words))  # such as "hold-out"
    found = [split for split, known in WORDS.items() if any(_is_word(word, known) for word in words)]
    return found[0] if len(found) == 1 else None


def _is_word(word: str, known: set[str]) -> bool:
    return re.fullmatch(f"({'|'.join(sorted(known))}){ADDED}", word) is not None


def _has_classes(folder: Path) -> bool:
    """Whether a folder has folders with images below."""
    return any(_has_images(folder / name) for name in folders(folder))


def _same_folders(places: list[Path]) -> list[str]:
    """Return the folders that places have in common, if these are most of what is in each; none if they are not.

    A few may be missing from some, as in a test set without examples of a rare class. Places in which all images are in
    one folder of the same name are followed into it.
    """
    inside = [set(folders(place)) for place in places]
    if all(len(names) == 1 for names in inside) and len(set.union(*inside)) == 1:
        (name,) = inside[0]
        deeper = [place / name for place in places]
        circle = any(place.resolve().is_relative_to(each.resolve()) for place, each in zip(places, deeper, strict=True))
        return [] if circle else _same_folders(deeper)
    common, every = set.intersection(*inside), set.union(*inside)
    if len(common) < 2 or 2 * len(common) < len(every) or all(images(place) for place in places):
        return []
    return sorted(common)


def _refuse_tiny_imagenet(root: Path, key: str) -> None:
    validation = root / "val"
    if (validation / "val_annotations.txt").is_file() and (validation / "images").is_dir():
        raise LowparamError(
            f"{key}: {root} is Tiny ImageNet as published: the images of val are all in one folder, with their classes "
            "in val/val_annotations.txt; set source: tiny_imagenet, with size: 64 for the official images or size: 32 "
            "for the public copy at 32 pixels"
        )


def _refuse_splits_in_a_class(place: Path, key: str) -> None:
    """Refuse a class in which images are divided, such as ``images`` next to ``labels`` or ``masks``."""
    inside = {split: name for name in folders(place) if (split := _split(name)) and _has_images(place / name)}
    if "train" in inside and len(inside) > 1:
        raise LowparamError(
            f"{key}: {place} is taken for a class, but it has {_quoted(sorted(inside.values()))} in it, as a data set "
            f"has; set {key} to {place}, or, if it is a class, put its images into it directly"
        )


def _has_images(folder: Path) -> bool:
    return any(images(Path(path)) for path, _ in walk(folder, set()))


def _refuse_look_alikes(folder: Path, classes: list[str], key: str) -> None:
    if two := _two_alike(classes, _composed):
        other, name = two
        raise LowparamError(
            f"{key}: {folder} has two classes {name!r}: {other!a} and {name!a}, the same letters in "
            f"{_form(other)} and {_form(name)}; join them under one name"
        )
    if two := _two_alike(classes, _visible):
        other, name = two
        raise LowparamError(
            f"{key}: {folder} has the classes {other!a} and {name!a}, which differ in spaces or in characters that "
            "cannot be seen; join them under one name, or rename one of them"
        )


def _two_alike(names: list[str], look: Callable[[str], str]) -> tuple[str, str] | None:
    """Return the first two names that look the same; None if all differ."""
    known: dict[str, str] = {}
    for name in names:
        if (other := known.setdefault(look(name), name)) != name:
            return other, name
    return None


def _visible(name: str) -> str:
    """Return a name without what does not show: characters of formatting, and spaces at its ends and in a row."""
    return " ".join("".join(letter for letter in _composed(name) if unicodedata.category(letter) != "Cf").split())


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _form(name: str) -> str:
    """Return the name of the form of Unicode that a name is in."""
    return next((form for form in ("NFC", "NFD") if unicodedata.is_normalized(form, name)), "neither NFC nor NFD")


def _quoted(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (f" and {len(names) - 3} others" if len(names) > 3 else "")
