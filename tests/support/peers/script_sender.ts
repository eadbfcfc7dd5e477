/** What scripts send: pictures in each framing. */
import type { LengthName } from "../../../lib/protocol/script/format.ts";
import { LENGTH_PREFIXES } from "../../../lib/protocol/script/lengths.ts";
import { bytesPickle } from "../../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1 } from "../media/bytes.ts";
import { type MediaFolder, pictures, run } from "../media/media_folder.ts";
import { numpyPickle } from "../media/pickles.ts";
import { say } from "./scripted_server.ts";

/** Size of {@linkcode makePictures}, pixels. */
export const SIZE = { width: 64, height: 48 };

/** Pictures as raw pixels and as JPEGs. */
export interface SentPictures {
  /** Height × width × 3 bytes each, BGR. */
  bgr: Uint8Array[];
  jpeg: Uint8Array[];
  /** The JPEGs as FFmpeg decodes them, to BGR. */
  decoded: Uint8Array[];
}

/** Makes some pictures, each a different one. */
export async function makePictures(
  media: MediaFolder,
  { count = 4, size = "64x48" }: { count?: number; size?: string } = {},
): Promise<SentPictures> {
  const [width, height] = size.split("x").map(Number);
  const source = [...pictures({ size, rate: "5", seconds: count / 5 })];
  const raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1"];
  const name = (at: number) => `jpeg${size}/${at}.jpg`;
  await Deno.mkdir(media.pathOf(`jpeg${size}`), { recursive: true });
  await run("ffmpeg", ["-y", ...source, "-q:v", "2", media.pathOf(`jpeg${size}/%d.jpg`)]);
  const numbers = Array.from({ length: count }, (_, at) => at + 1);
  const paths = numbers.map((at) => media.pathOf(name(at)));
  const split = (bytes: Uint8Array) =>
    numbers.map((at) => bytes.slice((at - 1) * width * height * 3, at * width * height * 3));
  return {
    bgr: split(await run("ffmpeg", [...source, ...raw])),
    jpeg: await Promise.all(paths.map((path) => Deno.readFile(path))),
    decoded: split(
      concat(...await Promise.all(paths.map((path) => run("ffmpeg", ["-i", path, ...raw])))),
    ),
  };
}

/** {@linkcode makePictures} of the usual size, made once. */
export function usualPictures(media: MediaFolder): () => Promise<SentPictures> {
  let made: Promise<SentPictures> | undefined;
  return () => made ??= makePictures(media);
}

/** One message behind its length. */
export function framed(length: LengthName, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  if (length === "none") return concat(payload);
  if (length === "line") return concat(payload, "\n");
  return concat(LENGTH_PREFIXES[length].encode(payload.byteLength), payload);
}

/** The pickle of an array of height × width × 3. */
export function pickled(bgr: Uint8Array, { width, height } = SIZE): Uint8Array<ArrayBuffer> {
  return numpyPickle({ shape: [height, width, 3], data: bgr });
}

/** The pickle of what `cv2.imencode` gives. */
export function pickledJpeg(jpeg: Uint8Array): Uint8Array<ArrayBuffer> {
  return numpyPickle({ shape: [jpeg.byteLength], data: jpeg });
}

/** The pickle of `bytes`. */
export function pickledBytes(bytes: Uint8Array): Uint8Array {
  return bytesPickle(bytes);
}

/** A `.npy` file, version 1. */
export function npy(bgr: Uint8Array, { width, height } = SIZE): Uint8Array<ArrayBuffer> {
  const header = `{'descr': '|u1', 'fortran_order': False, 'shape': (${height}, ${width}, 3), }`;
  const padded = `${header.padEnd(64 * Math.ceil((header.length + 11) / 64) - 11)}\n`;
  const length = String.fromCharCode(padded.length & 0xff, padded.length >> 8);
  return concat(`\x93NUMPY\x01\0${length}${padded}`, bgr);
}

/** Bytes as base64, in ASCII. */
export function base64(bytes: Uint8Array<ArrayBuffer> | Uint8Array): Uint8Array {
  return latin1(bytes.toBase64());
}

/** Connects and sends, and closes the connection. */
export async function push(
  address: Deno.ConnectOptions,
  ...messages: readonly Uint8Array[]
): Promise<void> {
  using socket = await Deno.connect(address);
  await say(socket, ...messages);
}

/** A script that sends to whoever connects, without waiting for a request. */
export class EagerScript implements AsyncDisposable {
  #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  #running: Promise<void>;

  /** @param send talks with the connection of a number, from 0; it is closed afterwards */
  constructor(send: (peer: Deno.TcpConn, index: number) => Promise<void>) {
    this.#running = this.#run(send);
  }

  /** Where it listens. */
  get address(): Deno.NetAddr {
    return this.#listener.addr as Deno.NetAddr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#running;
  }

  async #run(send: (peer: Deno.TcpConn, index: number) => Promise<void>): Promise<void> {
    let index = 0;
    for await (const peer of this.#listener) {
      using open = peer;
      await send(open, index++);
    }
  }
}
