#!/usr/bin/env python3
"""Who owns a key: ringway's placement in pure Python (3.8 or later, no dependencies).

The specification is docs/placement.md; this file was written from that page. To find the owner of one key, `owner()`
and what stands above it is all that is needed. To check an implementation against the golden vectors:

    python3 examples/python/placement.py tests/vectors/placement.json
    python3 examples/python/placement.py --all tests/vectors/placement.json    # the big tables too: minutes

Members are pairs of id and weight: [("worker-1", 1), ("worker-2", 1)].
"""

import json
import struct
import sys

M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
SLOTS = 1 << 18
NO_OWNER = 0xFFFF
POINTS_PER_WEIGHT = 160

# The five primes of XXH64.
P1, P2, P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P4, P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def xxh64(data):
    """XXH64 of bytes with seed 0."""
    position = len(data) & ~31
    if position:
        h = xxh64_stripes(data[:position])
    else:
        h = P5
    h = (h + len(data)) & M64
    while position + 8 <= len(data):
        h ^= xxh64_round(0, struct.unpack_from("<Q", data, position)[0])
        h = (rotl(h, 27) * P1 + P4) & M64
        position += 8
    if position + 4 <= len(data):
        h ^= struct.unpack_from("<I", data, position)[0] * P1 & M64
        h = (rotl(h, 23) * P2 + P3) & M64
        position += 4
    for byte in data[position:]:
        h ^= byte * P5 & M64
        h = rotl(h, 11) * P1 & M64
    h = (h ^ h >> 33) * P2 & M64
    h = (h ^ h >> 29) * P3 & M64
    return h ^ h >> 32


def xxh64_stripes(data):
    """The part of XXH64 that takes 32 bytes at a time, in four lanes."""
    lanes = [(P1 + P2) & M64, P2, 0, -P1 & M64]
    for words in struct.iter_unpack("<4Q", data):
        lanes = [xxh64_round(lane, word) for lane, word in zip(lanes, words)]
    h = sum(rotl(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & M64
    for lane in lanes:
        h = ((h ^ xxh64_round(0, lane)) * P1 + P4) & M64
    return h


def xxh64_round(lane, word):
    return rotl((lane + word * P2) & M64, 31) * P1 & M64


def rotl(number, bits):
    return (number << bits | number >> (64 - bits)) & M64


# Strategy "slots": this is all that a sender needs.


def owner(members, key):
    """The id of the member that owns a key, or None if nobody does."""
    ranked = rank_by_score(members, slot_of(key))
    return ranked[0] if ranked else None


def slot_of(key):
    return xxh64(key.encode("utf-8")) >> 46


def rank_by_score(members, slot):
    """The ids of all members with a weight, the owner first."""
    base = fmix32(slot + 0x9E3779B9)
    best = {id: max(score(base, token) for token in tokens(id, weight)) for id, weight in members if weight > 0}
    return sorted(best, key=lambda id: (-best[id], id.encode("utf-8")))


def tokens(id, weight):
    return [xxh64(("%s#%d" % (id, number)).encode("utf-8")) for number in range(weight)]


def score(base, token):
    h = (base ^ token & M32) * 0x9E3779B1 & M32
    h ^= h >> 15
    return fmix32_rest((h + (token >> 32)) & M32)


def fmix32(h):
    h &= M32
    return fmix32_rest(h ^ h >> 16)


def fmix32_rest(h):
    h = h * 0x85EBCA6B & M32
    h ^= h >> 13
    h = h * 0xC2B2AE35 & M32
    return h ^ h >> 16


# Strategy "hashring".


def points(members):
    """The points of the circle in clockwise order: pairs of position and id."""
    circle = {}
    for id, weight in active(members):
        for position in tokens(id, POINTS_PER_WEIGHT * weight):
            circle.setdefault(position, id)
    return sorted(circle.items())


def rank_by_points(circle, slot):
    """The ids of all members with a weight, the owner first."""
    position = slot << 46 | 1 << 45
    after = [id for point, id in circle if point >= position]
    before = [id for point, id in circle if point < position]
    return list(dict.fromkeys(after + before))


# Version, table and digest: the same for both strategies.


def active(members):
    """The members that can own slots, in the order of their indexes in the table."""
    return sorted((member for member in members if member[1] > 0), key=lambda member: member[0].encode("utf-8"))


def version(strategy, members):
    text = "ringway/1 %s\n" % strategy
    text += "".join("%s\t%d\n" % member for member in active(members))
    return "%016x" % xxh64(text.encode("utf-8"))


def table_by_score(members):
    """For each slot the index of its owner."""
    contest = [(token, index) for index, (id, weight) in enumerate(active(members)) for token in tokens(id, weight)]
    if not contest:
        return [NO_OWNER] * SLOTS
    table = []
    for slot in range(SLOTS):
        base = fmix32(slot + 0x9E3779B9)
        table.append(-max((score(base, token), -index) for token, index in contest)[1])
    return table


def table_by_points(members):
    """For each slot the index of its owner."""
    circle = points(members)
    indexes = {id: index for index, (id, _) in enumerate(active(members))}
    table, next_point = [], 0
    for slot in range(SLOTS):
        while next_point < len(circle) and circle[next_point][0] < (slot << 46 | 1 << 45):
            next_point += 1
        table.append(indexes[circle[next_point % len(circle)][1]] if circle else NO_OWNER)
    return table


def digest(table):
    return "%016x" % xxh64(struct.pack("<%dH" % len(table), *table))


# The golden vectors.

TOKENS_MAX = 8  # Each token costs a good part of a second over all slots: bigger sets only with --all.


def check_vectors(vectors, all_tables):
    assert vectors["specification"] == "ringway/1", "these vectors are of another specification"
    for vector in vectors["hashes"]:
        expect("hash of %r" % vector["text"], "%016x" % xxh64(vector["text"].encode("utf-8")), vector["xxh64"])
    for vector in vectors["keys"]:
        expect("slot of %r" % vector["key"], slot_of(vector["key"]), vector["slot"])
    print("%d hashes and the slots of %d keys are right" % (len(vectors["hashes"]), len(vectors["keys"])))
    for ring in vectors["rings"]:
        checked = check_ring(ring, vectors["keys"], all_tables)
        print("%-8s  %s: %s" % (ring["strategy"], ring["name"], ", ".join(checked)))


def check_ring(ring, keys, all_tables):
    """Checks one ring and says what was checked."""
    name, strategy = "%s (%s)" % (ring["name"], ring["strategy"]), ring["strategy"]
    members = [(member["id"], member["weight"]) for member in ring["members"]]
    expect("version of " + name, version(strategy, members), ring["version"])
    by_score = strategy == "slots"
    circle = [] if by_score else points(members)
    for vector in ring["slots"]:
        ranked = rank_by_score(members, vector["slot"]) if by_score else rank_by_points(circle, vector["slot"])
        place = "of slot %d of %s" % (vector["slot"], name)
        expect("owner " + place, ranked[0] if ranked else None, vector["owner"])
        expect("successors " + place, ranked[1:6], vector["successors"])
    checked = ["version", "%d slots" % len(ring["slots"])]
    if by_score:
        check_owners(ring, keys, members)
        checked.append("%d keys" % len(keys))
    if by_score and sum(weight for _, weight in members) > TOKENS_MAX and not all_tables:
        return checked + ["table SKIPPED (too large for pure Python; --all checks it)"]
    table = table_by_score(members) if by_score else table_by_points(members)
    expect("table of " + name, digest(table), ring["table_digest"])
    return checked + ["table"]


def check_owners(ring, keys, members):
    owners = {vector["slot"]: vector["owner"] for vector in ring["slots"]}
    for vector in keys:
        expect("owner of %r" % vector["key"], owner(members, vector["key"]), owners[vector["slot"]])


def expect(what, found, expected):
    if found != expected:
        sys.exit("%s: found %r, expected %r" % (what, found, expected))


def main(arguments):
    paths = [argument for argument in arguments if argument != "--all"]
    if len(paths) != 1:
        sys.exit(__doc__)
    with open(paths[0], encoding="utf-8") as file:
        check_vectors(json.load(file), all_tables="--all" in arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
