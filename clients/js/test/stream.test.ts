/** The laws of the stream: each message once and in order, every hole told, nothing said that was not dealt with. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Stream } from "../src/stream.js";
import { WELCOME } from "./fake.js";

const welcome = (members: object) => ({ ...WELCOME, type: "welcome" as const, ...members });
const stream = (place?: string) => new Stream(place, () => {});
const parameters = (stream: Stream) => {
  const { attempt, ...others } = Object.fromEntries(stream.parameters().filter(([, value]) => value));
  return others;
};

test("attempts to resume are numbered, so that the server can tell a late one", () => {
  const it = new Stream(undefined, () => undefined);
  const attempt = () => Number(Object.fromEntries(it.parameters())["attempt"]);
  it.parameters();
  it.begin(welcome({ resume: "r1" }));
  const numbers = [attempt(), attempt()];
  it.begin(welcome({ resume: "r2", recovered: true }));
  numbers.push(attempt());
  assert.deepEqual(numbers, [2, 3, 4]);
});

test("a beginning says whether the session is another one and what is missing", () => {
  const it = stream();
  assert.deepEqual(parameters(it), {});
  assert.deepEqual(it.begin(welcome({ offset: 3 })), { isNew: true, missed: undefined });
  it.message(4)!.done();
  assert.deepEqual(parameters(it), { resume: "r1", offset: "4" });
  assert.deepEqual(it.begin(welcome({ resume: "r2", offset: 4, recovered: true })), { isNew: false, missed: undefined });
  assert.deepEqual(it.begin(welcome({ offset: 9 })), { isNew: false, missed: { from: 5, to: 9 } });
  assert.deepEqual(it.begin(welcome({ epoch: "e2", offset: 0 })), { isNew: true, missed: undefined });
  assert.deepEqual(parameters(it), { resume: "r1", offset: "0" });
});

test("what has come before is passed over, and a hole is told", () => {
  const it = stream();
  it.begin(welcome({}));
  assert.equal(it.message(1)!.missed, undefined);
  assert.deepEqual(it.message(5)!.missed, { from: 2, to: 4 });
  assert.equal(it.message(5), undefined);
  assert.equal(it.message(3), undefined);
  it.begin(welcome({ offset: 1, recovered: true }));
  assert.equal(it.message(5), undefined);
  assert.equal(it.message(6)!.isNews, true);
});

test("only what has been dealt with, and everything before it, is said", () => {
  const dealt: number[] = [];
  const it = new Stream(undefined, (offset) => dealt.push(offset));
  it.begin(welcome({}));
  const [one, two, three] = [1, 2, 3].map((offset) => it.message(offset)!);
  two!.done();
  assert.deepEqual(parameters(it), { resume: "r1", offset: "0" });
  one!.done();
  one!.done();
  assert.deepEqual(parameters(it), { resume: "r1", offset: "2" });
  it.begin(welcome({ epoch: "e2" }));
  three!.done();
  assert.deepEqual(parameters(it), { resume: "r1", offset: "0" });
  assert.deepEqual(dealt, [2]);
});

test("what the server takes for dealt with stays so", () => {
  const it = stream();
  it.begin(welcome({}));
  const one = it.message(1)!;
  it.begin(welcome({ offset: 9 }));
  one.done();
  assert.deepEqual(parameters(it), { resume: "r1", offset: "9" });
});

test("what the mailbox has brought before is no news", () => {
  const it = stream("a.10");
  assert.deepEqual(parameters(it), { mailbox: "a.10" });
  it.begin(welcome({}));
  const take = (offset: number, place?: string) => {
    const taken = it.message(offset, place)!;
    taken.done();
    return taken.isNews;
  };
  assert.equal(take(1, "a.9"), false);
  assert.equal(take(2, "a.10"), false);
  assert.equal(take(3, "a.11"), true);
  assert.equal(take(4), true);
  assert.equal(take(5, "a.11"), false);
  assert.equal(take(6, "a.100"), true, "as numbers, not as texts");
  assert.equal(it.place, "a.100");
  it.mailbox({ type: "mailbox", offset: 7, place: "a.50", recovered: true })!.done();
  assert.equal(it.place, "a.100", "nothing was lost: it has that");
  it.mailbox({ type: "mailbox", offset: 8, place: "a.50", recovered: false })!.done();
  assert.equal(it.place, "a.50", "something was lost: the numbers may be given anew");
  assert.equal(take(9, "a.51"), true);
  assert.equal(take(10, "b.1"), true);
  assert.equal(it.place, "b.1");
  assert.equal(it.mailbox({ type: "mailbox", offset: 10, place: "c.1", recovered: false }), undefined);
});

test("what was not dealt with when its session was lost is news when it comes again", () => {
  const it = stream();
  it.begin(welcome({}));
  const [one, two] = [it.message(1, "a.1")!, it.message(2, "a.2")!];
  one.done();
  assert.equal(it.message(3, "a.2")!.isNews, false, "in the same session it waits for its first coming");
  assert.deepEqual(parameters(it), { resume: "r1", offset: "1", mailbox: "a.1" });
  it.begin(welcome({ epoch: "e2" }));
  two.done();
  assert.deepEqual(parameters(it), { resume: "r1", offset: "0", mailbox: "a.1" });
  assert.equal(it.message(1, "a.1")!.isNews, false);
  assert.equal(it.message(2, "a.2")!.isNews, true);
});

/** A server that keeps a session's messages and loses some, and a line that breaks; both by a seed. */
test("the laws hold over random histories", () => {
  for (let seed = 1; seed <= 500; seed++) history(seed);
});

function history(seed: number): void {
  const random = generator(seed);
  const it = stream();
  let [epoch, last, kept] = [1, 0, 0];
  let delivered = 0; // the highest offset delivered or told as missed, in this epoch
  let open: { offset: number; done(): void }[] = [];
  const finished = new Set<number>();
  const connect = () => {
    const before = it.dealt;
    const isLost = random(10) === 0;
    if (isLost) [epoch, last, kept] = [epoch + 1, random(3), 0];
    const said = isLost ? last : Math.max(kept, before);
    const { isNew, missed } = it.begin(welcome({ epoch: `e${epoch}`, offset: said, recovered: said === before }));
    if (isNew) [delivered, open] = [said, []], finished.clear();
    if (missed) {
      assert.deepEqual(missed, { from: delivered + 1, to: said }, `seed ${seed}`);
      delivered = said;
    }
    for (let offset = said + 1; offset <= last; offset++) come(offset);
  };
  const come = (offset: number) => {
    const taken = it.message(offset);
    if (offset <= delivered) return assert.equal(taken, undefined, `seed ${seed}`);
    const hole = offset > delivered + 1 ? { from: delivered + 1, to: offset - 1 } : undefined;
    assert.deepEqual(taken!.missed, hole, `seed ${seed}`);
    delivered = offset;
    open.push({ offset, done: taken!.done });
  };
  connect();
  for (let step = 0; step < 60; step++) {
    const what = random(10);
    if (what < 4) come(++last);
    else if (what < 5) last += random(3); // Lost at the server: a hole.
    else if (what < 8 && open.length) {
      const [{ offset, done }] = open.splice(random(open.length), 1) as [{ offset: number; done(): void }];
      finished.add(offset);
      done();
      for (const { offset } of open) assert.ok(it.dealt < offset, `seed ${seed}: ${it.dealt} is said, ${offset} is open`);
    } else if (what < 9) kept = Math.max(kept, Math.min(last, kept + random(2)));
    else {
      open = open.filter(({ offset }) => offset > kept);
      connect();
    }
  }
}

/** Numbers below a bound, the same for the same seed (mulberry32). */
function generator(seed: number): (bound: number) => number {
  return (bound) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}
