/** What viewers do, good ones and bad ones. */
import { RequestError } from "../../lib/base/errors.ts";
import { ENCODINGS } from "../../lib/media/frame.ts";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import { encodeRequest } from "../../lib/protocol/native/request.ts";
import { mutateBytes } from "../../tests/fuzz/mutate_bytes.ts";
import type { Random } from "../../tests/fuzz/random.ts";
import { type Address, Visitor } from "./visitor.ts";

/** Where it is done, and by which chance. */
export interface Place extends Address {
  random: Random;
  /** MD5 of each picture of the short video, as FFmpeg decodes it. */
  pictures: readonly string[];
  /** Connections that are opened where too many are. */
  crowd: number;
}

/** Names of what is served. */
export const SHORT = "short.mkv";
export const LONG = "long.mkv";
export const LIVE = "live";

/** Something that a viewer does from its coming to its going. */
export type Visit = (place: Place) => Promise<void>;

const rest = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

/** Milliseconds: few mostly, sometimes two seconds. */
const moment = (random: Random) => random.size(2048);

/** @throws {Error} where the short video is not what FFmpeg decodes */
export async function checkExact({ pictures, ...place }: Address & Pick<Place, "pictures">) {
  using visitor = await Visitor.connect(place);
  await visitor.ask({ command: "get_video", name: SHORT, speed: 0 });
  const got = await visitor.take();
  const isExact = got.pictures.join() === pictures.join() &&
    got.end?.frames === pictures.length && got.sounds === got.end.audioFrames;
  if (isExact) return;
  throw new Error(
    `The short video came as ${got.pictures.length} pictures and ${got.sounds} runs of sound, ` +
      `reason ${got.end?.reason}: expected the ${pictures.length} that FFmpeg decodes`,
  );
}

/** Is cut somewhere, and asks another time for the rest: together it is all, and nothing twice. */
async function resume({ random, pictures, ...place }: Place): Promise<void> {
  const request = { command: "get_video", name: SHORT, speed: 0, audio: false } as const;
  const got: string[] = [];
  let after: number | undefined;
  const take = async (count: number) => {
    using visitor = await Visitor.connect(place);
    await visitor.ask({ ...request, resume: after === undefined ? undefined : [{ id: 0, after }] });
    const { pictures } = await visitor.take(({ timestamp }) => {
      after = timestamp;
      return --count > 0;
    });
    got.push(...pictures);
  };
  await take(1 + random.below(pictures.length - 1));
  await take(Infinity);
  if (got.join() === pictures.join()) return;
  throw new Error(`A resumed video has ${got.length} pictures, expected all ${pictures.length}`);
}

/** Watches for a while in real time, and goes without a word: what is unread makes it a reset. */
async function leave({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  await visitor.ask({ command: "get_video", name: LONG, encoding: random.pick(ENCODINGS) });
  let left = 1 + random.size(30);
  await visitor.take(() => --left > 0);
}

/** Asks for all at once, and takes nothing, or little, of it. */
async function stall({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  await visitor.ask({ command: "get_video", name: LONG, speed: 0 });
  let left = random.size(8);
  if (left > 0) await visitor.take(() => --left > 0);
  await rest(moment(random));
}

/** Seeks, pauses and goes on at random, then stops. */
async function control({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  await visitor.ask({ command: "get_video", name: LONG, encoding: random.pick(["raw", "copy"]) });
  let left = 1 + random.size(6);
  await visitor.take(async () => {
    if (!random.once(3)) return true;
    if (--left <= 0) await visitor.control("stop");
    else if (random.once(3)) {
      await visitor.control("pause");
      await rest(random.size(512));
      await visitor.control("resume");
    } else await visitor.control("seek", { to: random.below(25), id: left });
    return true;
  });
}

/** One picture, or a few, of anything. */
async function picture({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  const name = random.pick(["image.png", SHORT, LONG, LIVE]);
  const every = name === SHORT && random.once(2) ? 0.2 : undefined;
  const width = random.once(2) ? 16 + 2 * random.below(40) : undefined;
  await visitor.ask({ command: "get_image", name, every, width });
  await visitor.take();
}

/** The list, several times over one connection. */
async function list({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  for (let left = 1 + random.size(8); left > 0; left--) {
    await visitor.ask({ command: "list_media" });
    await visitor.take();
  }
}

/** The live source, for a while, taken quickly or slowly. */
async function live({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  const late = random.pick(["drop", "wait"] as const);
  await visitor.ask({ command: "get_video", name: LIVE, encoding: random.pick(ENCODINGS), late });
  let left = 1 + random.size(16);
  const pause = random.once(3) ? random.size(128) : 0;
  await visitor.take(async () => {
    await rest(pause);
    if (--left === 0 && random.once(2)) await visitor.control("stop");
    return left > -6;
  });
}

/** An old script: asks, reads some of it or all, goes. */
async function script({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  await visitor.write(new TextEncoder().encode(random.pick(["get_image", "get_video"])));
  await readOn(visitor, random);
}

/** Reads whatever comes for a moment, or to its end. */
async function readOn(visitor: Visitor, random: Random): Promise<void> {
  const part = new Uint8Array(32 * 1024);
  const end = performance.now() + moment(random);
  while (performance.now() < end && await visitor.socket.read(part) !== null);
}

/** Half of a request, and then nothing, or the end. */
async function half({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  const request = encodeMessage("request", encodeRequest({ command: "get_video", name: SHORT }));
  await visitor.write(request.subarray(0, random.below(request.byteLength)));
  if (random.once(2)) await visitor.socket.closeWrite();
  await rest(random.size(1024));
}

/** Something that is no request any more. */
async function garbage({ random, ...place }: Place): Promise<void> {
  using visitor = await Visitor.connect(place);
  const request = encodeMessage("request", encodeRequest({ command: "get_video", name: SHORT }));
  await visitor.write(mutateBytes(request, [request], random));
  await visitor.socket.closeWrite();
  // Where the name alone is lost, it is a request for the default video, which is long.
  await readOn(visitor, random);
}

/** More than may be there at once: all are served, or told that the server is full. */
async function crowd({ random, crowd, ...place }: Place): Promise<void> {
  await Promise.allSettled(Array.from({ length: crowd }, async () => {
    using visitor = await Visitor.connect(place);
    await rest(random.size(256));
    await visitor.ask({ command: "get_image", name: "image.png" });
    await visitor.take();
  }));
}

/** All visits by name, those first that say whether the server is well. */
export const VISITS: Readonly<Record<string, Visit>> = {
  ...{
    whole: checkExact,
    resume,
    leave,
    stall,
    control,
    picture,
    list,
    live,
    script,
    half,
    garbage,
    crowd,
  },
};

/** Whether a visit ended as visits may: by the server's saying no, or by somebody's going. */
export function isUsual(error: unknown): boolean {
  if (error instanceof RequestError) return ["busy", "bad_request"].includes(error.code);
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.NotConnected;
}
