import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { SendWindow } from "../../../lib/client/publish/send_window.ts";
import { pureTest } from "../../support/pure_test.ts";

/** A sender and a link that carries so many bytes in a millisecond, after a delay. */
class Link {
  time = 0;
  readonly window = new SendWindow(() => this.time);
  #marks: { number: number; at: number }[] = [];
  #freeAt = 0;
  #rate: number;
  #delay: number;

  constructor(rate: number, delay: number) {
    this.#rate = rate;
    this.#delay = delay;
  }

  /** Bytes that wait in the buffers. */
  get waiting(): number {
    return Math.max(0, this.#freeAt - this.time) * this.#rate;
  }

  get marks(): number {
    return this.#marks.length;
  }

  send(bytes: number): void {
    this.#freeAt = Math.max(this.#freeAt, this.time) + bytes / this.#rate;
    this.#mark(this.window.count(bytes));
  }

  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    while (this.#marks.length > 0 && this.#marks[0].at <= end) {
      const { number, at } = this.#marks.shift()!;
      this.time = at;
      this.#mark(this.window.answer(number));
    }
    this.time = end;
  }

  #mark(number: number | undefined): void {
    if (number === undefined) return;
    this.#marks.push({ number, at: Math.max(this.#freeAt, this.time) + this.#delay });
  }
}

pureTest("SendWindow lets through what the link carries, whatever its delay", () => {
  for (const delay of [0, 20, 600]) {
    const link = new Link(2000, delay);
    const held: number[] = [];
    for (let frame = 0; frame < 500; frame++) {
      link.pass(40);
      if (link.window.isFull) held.push(frame);
      else link.send(40_000);
    }
    // Until the rate is known, there is room for a few frames only.
    assertLess(held.at(-1) ?? 0, 150, `${delay} ms`);
  }
});

pureTest("SendWindow leaves little more than a second in the buffers of a slow link", () => {
  const link = new Link(100, 20);
  let sent = 0;
  for (let frame = 0; frame < 1000; frame++) {
    link.pass(40);
    if (!link.window.isFull) {
      link.send(40_000);
      sent++;
    }
    assertLess(link.waiting, 100 * 1200 + 128 * 1024 + 40_000);
  }
  // The link is always busy.
  assertGreater(sent * 40_000, 0.95 * 100 * 40_000);
});

pureTest("SendWindow has a mark on its way whenever it is full", () => {
  for (const bytes of [1, 1000, 100_000, 6_000_000]) {
    const link = new Link(1000, 5);
    for (let frame = 0; frame < 500; frame++) {
      while (!link.window.isFull && link.waiting < 1e7) link.send(bytes);
      assert(!link.window.isFull || link.marks > 0);
      link.pass(33);
    }
  }
});

pureTest("SendWindow has a mark on its way when an answer after a pause makes it full", () => {
  const link = new Link(10_000, 80);
  for (let frame = 0; frame < 60; frame++) {
    link.pass(33);
    link.send(100_000);
  }
  link.pass(10_000);
  for (let frame = 0; frame < 3; frame++) {
    link.send(100_000);
    link.pass(33);
  }
  assert(link.window.isFull);
  assertEquals(link.marks, 1);
  link.pass(100);
  assert(!link.window.isFull);
});

pureTest("SendWindow marks what is sent a few times a second, and tells of answers", async () => {
  let time = 0;
  const window = new SendWindow(() => time);
  const marks: (number | undefined)[] = [];
  for (; time < 500; time += 40) marks.push(window.count(100));
  assertEquals(marks.filter((mark) => mark !== undefined), [1, 2, 3, 4, 5]);
  const { changed } = window;
  window.answer(9);
  window.answer(2);
  await changed;
  assertEquals(window.isFull, false);
});
