/** Python scripts that send JPEGs over UDP, received. */
import { TextLineStream } from "@std/streams/text-line-stream";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "../../../../lib/base/async.ts";
import { openDatagramSocket } from "../../../../lib/net/datagram_socket.ts";
import type { ResponsePart } from "../../../../lib/protocol/media_response.ts";
import { receiveDatagrams } from "../../../../lib/protocol/script/datagrams/receiver.ts";
import { findPython } from "../../../peers/python.ts";
import { testIf } from "../../../support/test_if.ts";
import { PATIENCE } from "../../../support/time/patience.ts";

/** Forms of `datagram_sender.py`. */
const FORMS = [
  ...["jpeg", "base64", "base64-lines", "pickled-array", "pickled-column", "pickled-bytes"],
  ...["pieces", "packs-pieces", "count-pieces", "countdown-1", "countdown-0", "countdown-h"],
  ...["bb", "hh-big", "ii-native", "bbb", "bhh-padded", "ihh-big", "ihh-little", "iii-big"],
  ...["qhh-count-first", "dii"],
];

/** Frames that are sent; from the seventh on they are smaller. */
const FRAMES = 9;
const SMALLER_FROM = 6;

const SENDER = new URL("../../../peers/datagram_sender.py", import.meta.url).pathname;

const python = await findPython(["cv2", "numpy"]);
const test = testIf(python !== undefined, "no python3 with cv2, numpy");

test("receiveDatagrams() gets every frame of Python scripts", async (t) => {
  const stop = new AbortController();
  using _limit = deadline(PATIENCE, () => stop.abort());
  await using sender = new Sender();
  for (const form of FORMS) {
    await t.step(form, () => receiveAll(form, sender, stop.signal));
  }
});

/** Receives the frames of one form, and compares them with those that were sent. */
async function receiveAll(form: string, sender: Sender, signal: AbortSignal): Promise<void> {
  using socket = await openDatagramSocket({ hostname: "127.0.0.1", port: 0, signal });
  const notices: string[] = [];
  const options = { name: "cam", notify: (line: string) => void notices.push(line) };
  const parts = receiveDatagrams(socket, options)[Symbol.asyncIterator]();
  const sizes: string[] = [];
  let timestamp = -1;
  for (let frame = 0; frame < FRAMES; frame++) {
    const jpeg = await sender.send(form, socket.address.port, frame);
    let { value: part } = await parts.next();
    if (part.kind === "describe") {
      sizes.push(`${frame}: ${sizeOf(part)}`);
      ({ value: part } = await parts.next());
    }
    assert(part.kind === "frame");
    assertEquals(part.frame.data.toHex(), jpeg, `frame ${frame}`);
    assertEquals(part.dropped, false);
    assert(part.frame.timestamp > timestamp);
    timestamp = part.frame.timestamp;
  }
  assertEquals(sizes, ["0: 640x480", `${SMALLER_FROM}: 320x240`]);
  assertEquals(notices, []);
}

function sizeOf(part: ResponsePart): string {
  const stream = part.kind === "describe" ? part.description.streams[0] : undefined;
  return stream?.type === "video" ? `${stream.width}x${stream.height}` : "";
}

/** Scripts that send a frame whenever they are told to, so that none is lost on the way. */
class Sender implements AsyncDisposable {
  #process: Deno.ChildProcess;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #lines: ReadableStreamDefaultReader<string>;

  constructor() {
    this.#process = new Deno.Command(python ?? "", {
      args: [SENDER],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new TextLineStream())
      .getReader();
  }

  /** Lets it send a frame to a port, and gives its JPEG in hexadecimal digits. */
  async send(form: string, port: number, frame: number): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${form} ${port} ${frame}\n`));
    return (await this.#lines.read()).value ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#lines.cancel();
    await this.#process.status;
  }
}
