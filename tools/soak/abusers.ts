/** Visits of clients that would harm others, if the server let them. */
import {
  largePing,
  longName,
  repeated,
  seekTo,
  unknownControl,
} from "../../bench/abuse_messages.ts";
import { RequestError } from "../../lib/base/errors.ts";
import type { MediaRequest } from "../../lib/protocol/native/request.ts";
import type { Random } from "../../tests/fuzz/random.ts";
import { type Address, Visitor } from "./visitor.ts";
import { LONG, randomTime, rest, type Visit, type VisitOptions } from "./visits.ts";

/** Milliseconds between the writes of a flood. */
const FLOOD_INTERVAL = 10;

/** Pixels: larger than the video. */
const LARGE = 1280;

/** A size that hardly anybody shares. */
function ownSize(random: Random): Pick<MediaRequest, "width" | "height"> {
  return { width: 16 + 2 * random.below(150), height: 16 + 2 * random.below(150) };
}

/** Starts a raw video that nobody shares, and pauses it. */
async function pause({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_video", name: LONG, ...ownSize(random) });
  await visitor.receive(() => false);
  await visitor.control("pause");
  await rest(randomTime(random));
}

/** Watches in many sizes at once. */
async function sizes({ random, ...address }: VisitOptions): Promise<void> {
  await atOnce(1 + random.below(12), address, async (visitor) => {
    await visitor.request({ command: "get_video", name: LONG, ...ownSize(random) });
    let left = 1 + random.size(16);
    await visitor.receive(() => --left > 0);
  });
}

/** Requests thousands of images, and leaves in between. */
async function every({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_image", name: LONG, every: 0.01, ...ownSize(random) });
  let left = 1 + random.size(200);
  await visitor.receive(() => --left > 0);
}

/** Scripts that read nothing. */
async function stuckScripts({ random, ...address }: VisitOptions): Promise<void> {
  const time = randomTime(random);
  await atOnce(1 + random.below(8), address, async (visitor) => {
    await visitor.write(new TextEncoder().encode("get_video"));
    await rest(time);
  });
}

/** Viewers that read nothing of large frames. */
async function unread({ random, ...address }: VisitOptions): Promise<void> {
  const time = randomTime(random);
  await atOnce(1 + random.below(8), address, async (visitor) => {
    await visitor.request({ command: "get_video", name: LONG, width: LARGE });
    await rest(time);
  });
}

/** Sends large pings without a request. */
async function pings({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await flood(visitor, repeated(largePing(), 9), random);
}

/** Sends thousands of seeks a second. */
async function seeks({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_video", name: LONG, ...ownSize(random) });
  await flood(visitor, repeated(seekTo(random.below(20)), 280), random);
}

/** Sends thousands of controls a second that the server does not know. */
async function controls({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_video", name: LONG });
  await flood(visitor, repeated(unknownControl(), 990), random);
}

/** Takes all places, and requests nothing. */
async function idle({ random, crowd, ...address }: VisitOptions): Promise<void> {
  const time = randomTime(random);
  await atOnce(random.below(crowd), address, () => rest(time));
}

/** Requests a long name again and again that there is not. */
async function names({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  for (let left = 1 + random.size(64); left > 0; left--) {
    await visitor.request({ command: "get_image", name: longName() });
    try {
      await visitor.receive();
    } catch (error) {
      if (!(error instanceof RequestError && error.code === "not_found")) throw error;
    }
  }
}

/** Leaves while the server decodes what precedes an image. */
async function leaveEarly({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_image", name: LONG, start: 19.9, ...ownSize(random) });
  await rest(random.size(128));
}

/** Connects several times at once; errors of one are not those of the others. */
async function atOnce(
  count: number,
  address: Address,
  act: (visitor: Visitor) => Promise<void>,
): Promise<void> {
  const visits = await Promise.allSettled(Array.from({ length: count }, async () => {
    using visitor = await Visitor.connect(address);
    await act(visitor);
  }));
  for (const visit of visits) if (visit.status === "rejected") throw visit.reason;
}

/** Sends the same bytes for a while, and discards the replies. */
async function flood(visitor: Visitor, bytes: Uint8Array, random: Random): Promise<void> {
  const send = async () => {
    while (true) {
      await visitor.write(bytes);
      await rest(FLOOD_INTERVAL);
    }
  };
  const discard = async () => {
    const part = new Uint8Array(64 * 1024);
    while (await visitor.socket.read(part) !== null);
  };
  const ends = [send(), discard()];
  // They fail when the visitor leaves.
  for (const end of ends) end.catch(() => {});
  await Promise.race([rest(randomTime(random)), ...ends]);
}

/** All visits by name. */
export const ABUSES: Readonly<Record<string, Visit>> = {
  ...{ pause, sizes, every, stuckScripts, unread, pings, seeks, controls, idle, names, leaveEarly },
};
