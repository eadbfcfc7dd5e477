/** Visits of valid and invalid clients. */
import { RequestError } from "../../lib/base/errors.ts";
import { ENCODINGS } from "../../lib/media/frame.ts";
import { encodeMessage } from "../../lib/protocol/native/framing.ts";
import { encodeRequest } from "../../lib/protocol/native/request.ts";
import { mutateBytes } from "../../tests/fuzz/mutate_bytes.ts";
import type { Random } from "../../tests/fuzz/random.ts";
import { type Address, Visitor } from "./visitor.ts";

/** Server, random numbers and expectations of a visit. */
export interface VisitOptions extends Address {
  random: Random;
  /** MD5 of each frame of the short video, as FFmpeg decodes it. */
  frames: readonly string[];
  /** Connections that exceed the limit of the server. */
  crowd: number;
}

/** Names of the media. */
export const SHORT = "short.mkv";
export const LONG = "long.mkv";
export const LIVE = "live";

/** Everything a client does from connecting to disconnecting. */
export type Visit = (options: VisitOptions) => Promise<void>;

/** Waits for so many milliseconds. */
export function rest(milliseconds: number): Promise<void> {
  return new Promise((done) => setTimeout(done, milliseconds));
}

/** Milliseconds: mostly few, sometimes two seconds. */
export function randomTime(random: Random): number {
  return random.size(2048);
}

/** @throws {Error} if the short video differs from what FFmpeg decodes */
export async function checkExact({ frames, ...address }: Address & Pick<VisitOptions, "frames">) {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_video", name: SHORT, speed: 0 });
  const response = await visitor.receive();
  const isExact = response.frames.join() === frames.join() &&
    response.end?.frames === frames.length && response.audioFrames === response.end.audioFrames;
  if (isExact) return;
  throw new Error(
    `The short video has ${response.frames.length} frames of video and ${response.audioFrames} of audio, ` +
      `reason ${response.end?.reason}: expected the ${frames.length} that FFmpeg decodes`,
  );
}

/** Cuts a response and resumes it: the parts must add up to the whole. */
async function resume({ random, frames, ...address }: VisitOptions): Promise<void> {
  const request = { command: "get_video", name: SHORT, speed: 0, audio: false } as const;
  const received: string[] = [];
  let after: number | undefined;
  const take = async (count: number) => {
    using visitor = await Visitor.connect(address);
    await visitor.request({
      ...request,
      resume: after === undefined ? undefined : [{ id: 0, after }],
    });
    const { frames } = await visitor.receive(({ timestamp }) => {
      after = timestamp;
      return --count > 0;
    });
    received.push(...frames);
  };
  await take(1 + random.below(frames.length - 1));
  await take(Infinity);
  if (received.join() === frames.join()) return;
  throw new Error(`A resumed video has ${received.length} frames, expected all ${frames.length}`);
}

/** Watches in real time, then closes the connection; unread data makes it a reset. */
async function leave({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_video", name: LONG, encoding: random.pick(ENCODINGS) });
  let left = 1 + random.size(30);
  await visitor.receive(() => --left > 0);
}

/** Requests everything at once, and reads little or nothing. */
async function stall({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({ command: "get_video", name: LONG, speed: 0 });
  let left = random.size(8);
  if (left > 0) await visitor.receive(() => --left > 0);
  await rest(randomTime(random));
}

/** Seeks, pauses and resumes at random, then stops. */
async function control({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.request({
    command: "get_video",
    name: LONG,
    encoding: random.pick(["raw", "copy"]),
  });
  let left = 1 + random.size(6);
  await visitor.receive(async () => {
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

/** Requests one image, or a few, of any media. */
async function image({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  const name = random.pick(["image.png", SHORT, LONG, LIVE]);
  const every = name === SHORT && random.once(2) ? 0.2 : undefined;
  const width = random.once(2) ? 16 + 2 * random.below(40) : undefined;
  await visitor.request({ command: "get_image", name, every, width });
  await visitor.receive();
}

/** Requests the list several times over one connection. */
async function list({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  for (let left = 1 + random.size(8); left > 0; left--) {
    await visitor.request({ command: "list_media" });
    await visitor.receive();
  }
}

/** Watches the live source, quickly or slowly. */
async function live({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  const late = random.pick(["drop", "wait"] as const);
  await visitor.request({
    command: "get_video",
    name: LIVE,
    encoding: random.pick(ENCODINGS),
    late,
  });
  let left = 1 + random.size(16);
  const pause = random.once(3) ? random.size(128) : 0;
  await visitor.receive(async () => {
    await rest(pause);
    if (--left === 0 && random.once(2)) await visitor.control("stop");
    return left > -6;
  });
}

/** A script: sends a request and reads some or all of the response. */
async function script({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  await visitor.write(new TextEncoder().encode(random.pick(["get_image", "get_video"])));
  await readOn(visitor, random);
}

/** Reads for a random time, or to the end. */
async function readOn(visitor: Visitor, random: Random): Promise<void> {
  const part = new Uint8Array(32 * 1024);
  const end = performance.now() + randomTime(random);
  while (performance.now() < end && await visitor.socket.read(part) !== null);
}

/** Sends a partial request, and stalls or closes its sending side. */
async function half({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  const request = encodeMessage("request", encodeRequest({ command: "get_video", name: SHORT }));
  await visitor.write(request.subarray(0, random.below(request.byteLength)));
  if (random.once(2)) await visitor.socket.closeWrite();
  await rest(random.size(1024));
}

/** Sends a corrupt request. */
async function garbage({ random, ...address }: VisitOptions): Promise<void> {
  using visitor = await Visitor.connect(address);
  const request = encodeMessage("request", encodeRequest({ command: "get_video", name: SHORT }));
  await visitor.write(mutateBytes(request, [request], random));
  await visitor.socket.closeWrite();
  // If only the name is corrupt, it may request the default video, which is long.
  await readOn(visitor, random);
}

/** Exceeds the connection limit: each client gets a response or a busy error. */
async function crowd({ random, crowd, ...address }: VisitOptions): Promise<void> {
  await Promise.allSettled(Array.from({ length: crowd }, async () => {
    using visitor = await Visitor.connect(address);
    await rest(random.size(256));
    await visitor.request({ command: "get_image", name: "image.png" });
    await visitor.receive();
  }));
}

/** All visits by name, those that check correctness first. */
export const VISITS: Readonly<Record<string, Visit>> = {
  ...{
    whole: checkExact,
    resume,
    leave,
    stall,
    control,
    image,
    list,
    live,
    script,
    half,
    garbage,
    crowd,
  },
};

/** Whether an error is expected: a refusal, or a closed connection. */
export function isUsual(error: unknown): boolean {
  if (error instanceof RequestError) return ["busy", "bad_request"].includes(error.code);
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.NotConnected;
}
