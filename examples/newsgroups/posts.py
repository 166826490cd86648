"""Posts of four newsgroups: the real ones from a folder, else a few that are made up."""

import tarfile
from pathlib import Path

import numpy as np

GROUPS = ("alt.atheism", "comp.graphics", "sci.space", "talk.religion.misc")


def read_posts(folder, part):
    """The texts of a part, `train` or `test`, and the numbers of their groups.

    Args:
        folder: holds `20news-bydate-*.tar.gz`, or its folders `20news-bydate-train` and `20news-bydate-test`; None for
            posts that are made up.
        part: the bydate split's.
    """
    if not folder:
        return made_up_posts(part)
    posts = sorted(_archived(folder, part) or _unpacked(folder, part))
    if not posts:
        raise SystemExit(f"{folder} holds no posts of 20news-bydate-{part}")
    return [text for _, _, text in posts], np.array([GROUPS.index(group) for group, _, _ in posts])


def made_up_posts(part, per_group=60):
    """Posts of forty words, most of which any group may use, and an author of that part's own."""
    rng = np.random.default_rng(["train", "test"].index(part))
    labels = np.repeat(np.arange(len(GROUPS)), per_group)
    texts = []
    for number, label in enumerate(labels):
        common, own = rng.integers(200, size=33), 1000 * (label + 1) + rng.integers(40, size=6)
        words = [f"word{word}" for word in rng.permutation(np.concatenate([common, own]))]
        texts.append(" ".join([f"{part}author{number % 20}", *words]))
    return texts, labels


def _archived(folder, part):
    """Group, number and text of each post in the archive, if there is one."""
    archive = next(iter(sorted(Path(folder).glob("20news-bydate*.tar.gz"))), None)
    if archive is None:
        return []
    with tarfile.open(archive) as members:
        names = {member: member.name.split("/")[-3:] for member in members if member.isfile()}
        return [
            (group, number, members.extractfile(member).read().decode("latin-1"))
            for member, (split, group, number) in names.items()
            if split == f"20news-bydate-{part}" and group in GROUPS
        ]


def _unpacked(folder, part):
    """The same of the posts' folders."""
    files = Path(folder, f"20news-bydate-{part}").glob("*/*")
    return [(file.parent.name, file.name, file.read_text("latin-1")) for file in files if file.parent.name in GROUPS]
