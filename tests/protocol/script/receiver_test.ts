import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { ByteReader, fromSocket } from "../../../lib/base/byte_reader.ts";
import { ByteWriter } from "../../../lib/base/byte_writer.ts";
import { FormatError, RequestError } from "../../../lib/base/errors.ts";
import { CutError } from "../../../lib/net/errors.ts";
import { formatName, parseScriptFormat } from "../../../lib/protocol/script/format.ts";
import { LENGTH_PREFIXES, type PrefixName } from "../../../lib/protocol/script/lengths.ts";
import {
  receiveScript,
  type ScriptConnection,
  type ScriptOptions,
} from "../../../lib/protocol/script/receiver.ts";
import type { ObservedMessage } from "../../../lib/net/observer.ts";
import type { ResponsePart } from "../../../lib/protocol/media_response.ts";
import { concat, latin1, sample, socketOf, STEPS } from "../../support/media/bytes.ts";
import { numpyPickle } from "../../support/media/pickles.ts";
import { pureTest } from "../../support/pure_test.ts";
import { HandClock } from "../../support/time/hand_clock.ts";

/** A JPEG of so many pixels, as far as it is looked at. */
function jpeg(width: number, height: number, filler = 0): Uint8Array {
  const header = Uint8Array.of(0xff, 0xc0, 0, 11, 8, 0, height, 0, width, 1, 1, 0x11, 0);
  const scan = Uint8Array.of(0xff, 0xda, 0, 2, filler, 1, 2, 0xff, 0, 3);
  return concat("\xff\xd8", header, scan, "\xff\xd9");
}

/** A connection on which a script has sent bytes and then closed. */
function connectionOf(bytes: Uint8Array, step = Infinity): ScriptConnection & { sent: string[] } {
  const sent: string[] = [];
  const write = (part: Uint8Array) => {
    sent.push(new TextDecoder().decode(part));
    return Promise.resolve(part.byteLength);
  };
  return {
    reader: new ByteReader(fromSocket(socketOf(bytes, step))),
    writer: new ByteWriter({ write }, { stallTimeout: 1000, onStall: () => {} }),
    sent,
    [Symbol.dispose]: () => {},
  };
}

/** The parts of a response in words: sizes of descriptions, data of frames, the count at the end. */
async function receive(
  connection: ScriptConnection,
  options: Partial<ScriptOptions> = {},
): Promise<string[]> {
  const words: string[] = [];
  const ack = "none";
  for await (const part of receiveScript(connection, { name: "cam", ack, ...options })) {
    words.push(inWords(part));
  }
  return words;
}

function inWords(part: ResponsePart): string {
  if (part.kind === "describe") {
    const { streams: [stream], data = [], live } = part.description;
    const size = stream.type === "video" ? `${stream.width}x${stream.height}` : "";
    const format = stream.type === "video" ? stream.pixelFormat ?? stream.codec : "";
    return [size, format, live ? "live" : "still", ...data.map(({ codec }) => codec)].join(" ");
  }
  if (part.kind === "frame") {
    const { streamId, data } = part.frame;
    const isMessage = streamId === 2;
    return isMessage ? new TextDecoder().decode(data) : `frame of ${data.byteLength}`;
  }
  return part.kind === "end" ? `end ${part.end.frames}` : part.kind;
}

function framed(name: PrefixName, ...messages: Uint8Array[]): Uint8Array {
  const { encode } = LENGTH_PREFIXES[name];
  return concat(...messages.flatMap((message) => [encode(message.byteLength), message]));
}

for (const name of Object.keys(LENGTH_PREFIXES) as PrefixName[]) {
  for (const step of STEPS) {
    pureTest(`receiveScript() takes ${name}+jpeg in pieces of ${step}`, async () => {
      const found: string[] = [];
      const onFormat = (format: Parameters<typeof formatName>[0]) => found.push(formatName(format));
      const bytes = framed(name, jpeg(8, 6), jpeg(8, 6, 1), jpeg(9, 6));
      const words = await receive(connectionOf(bytes, step), { onFormat });
      assertEquals(found, [`${name}+jpeg`]);
      assertEquals(words, [
        ...["8x6 mjpeg live", "frame of 27", "frame of 27", "9x6 mjpeg live", "frame of 27"],
        "end 3",
      ]);
    });
  }
}

for (const step of STEPS) {
  pureTest(`receiveScript() takes JPEGs without a length in pieces of ${step}`, async () => {
    const words = await receive(connectionOf(concat(jpeg(8, 6), jpeg(8, 6, 1)), step));
    assertEquals(words, ["8x6 mjpeg live", "frame of 27", "frame of 27", "end 2"]);
  });

  pureTest(`receiveScript() takes lines of base64 in pieces of ${step}`, async () => {
    const line = `${jpeg(8, 6).toBase64()}\n`;
    const words = await receive(connectionOf(latin1(line + line), step));
    assertEquals(words, ["8x6 mjpeg live", "frame of 27", "frame of 27", "end 2"]);
  });
}

pureTest("receiveScript() takes raw frames without a length if it is told their size", async () => {
  const format = parseScriptFormat("none+raw:4x2:bgr24");
  const words = await receive(connectionOf(sample(48)), { format });
  assertEquals(words, ["4x2 bgr24 live", "frame of 24", "frame of 24", "end 2"]);
});

pureTest("receiveScript() insists on the format that it is told", async () => {
  const format = parseScriptFormat("u32be+jpeg");
  const connection = connectionOf(framed("u32be", numpyPickle()));
  await assertRejects(() => receive(connection, { format }), FormatError, "expected a JPEG");
});

pureTest("receiveScript() ends at the message end, and ignores what follows", async () => {
  const bytes = concat(framed("i32le", jpeg(8, 6), latin1("end")), "more");
  assertEquals((await receive(connectionOf(bytes))).at(-1), "end 1");
});

pureTest("receiveScript() gives one still image", async () => {
  const words = await receive(connectionOf(framed("i32le", jpeg(8, 6), jpeg(8, 6))), {
    still: true,
  });
  assertEquals(words, ["8x6 mjpeg still", "frame of 27", "end 1"]);
});

pureTest("receiveScript() refuses pictures of too many pixels", async () => {
  const connection = connectionOf(framed("i32le", jpeg(200, 100)));
  const { message } = await assertRejects(
    () => receive(connection, { maxPixels: 19_999 }),
    FormatError,
  );
  assertMatch(message, /200x100: expected at most 19999 pixels/);
});

pureTest(
  "receiveScript() reports a cut inside a length, inside a frame, and without any",
  async () => {
    const bytes = framed("u64le", jpeg(8, 6), jpeg(8, 6));
    for (let length = 0; length < bytes.byteLength; length++) {
      const connection = connectionOf(bytes.subarray(0, length));
      if (length === bytes.byteLength / 2) {
        assertEquals((await receive(connection)).at(-1), "end 1");
        continue;
      }
      // A few bytes of the first message do not tell its format.
      await assertRejects(() => receive(connection), length < 14 ? Error : CutError);
    }
  },
);

const HOSTILE: [what: string, second: Uint8Array][] = [
  ["zero", new Uint8Array(8)],
  ["negative", new Uint8Array(8).fill(0xff)],
  ["giant", LENGTH_PREFIXES.u64le.encode(2 ** 28 + 1)],
];

for (const [what, second] of HOSTILE) {
  pureTest(`receiveScript() refuses a later length that is ${what}`, async () => {
    const connection = connectionOf(
      concat(framed("u64le", jpeg(8, 6)), second, new Uint8Array(99)),
    );
    await assertRejects(() => receive(connection), FormatError, "expected 1 to 268435456");
  });
}

pureTest("receiveScript() gives frames the moment of their arrival", async () => {
  const clock = new HandClock();
  const times: number[] = [];
  const frames = framed("i32le", jpeg(8, 6), jpeg(8, 6), jpeg(8, 6), jpeg(8, 6));
  for await (
    const part of receiveScript(connectionOf(frames), { name: "cam", ack: "none", clock })
  ) {
    if (part.kind !== "frame") continue;
    times.push(part.frame.timestamp);
    clock.pass(times.length === 2 ? 0 : 200);
  }
  assertEquals(times, [0, 200_000, 200_001, 400_000]);
});

/** A script that sends something, waits for so many bytes or for something else, and sends the rest. */
function waitingScript(
  steps: (Uint8Array | number | (() => Promise<void>))[],
): ScriptConnection & { sent: string[] } {
  const connection = connectionOf(new Uint8Array(0));
  const { promise: stopped, resolve: stop } = Promise.withResolvers<null>();
  let news = Promise.withResolvers<void>();
  let have = 0;
  const write = (part: Uint8Array) => {
    connection.sent.push(new TextDecoder().decode(part));
    have += part.byteLength;
    news.resolve();
    news = Promise.withResolvers();
    return Promise.resolve(part.byteLength);
  };
  let step: Uint8Array = new Uint8Array(0);
  const read = async (target: Uint8Array) => {
    while (step.byteLength === 0) {
      const next = steps.shift();
      if (next === undefined) return null;
      if (typeof next === "number") {
        while (have < next) await Promise.race([news.promise, stopped]);
        have -= next;
      } else if (typeof next === "function") {
        await next();
      } else {
        step = next;
      }
    }
    const part = step.subarray(0, target.byteLength);
    target.set(part);
    step = step.subarray(part.byteLength);
    return part.byteLength;
  };
  return {
    ...connection,
    reader: new ByteReader(fromSocket({ read })),
    writer: new ByteWriter({ write }, { stallTimeout: 1000, onStall: () => {} }),
    [Symbol.dispose]: () => stop(null),
  };
}

const FRAME = framed("u64le", jpeg(8, 6));

pureTest("receiveScript() sends a request at once", async () => {
  const connection = waitingScript([3, FRAME, FRAME]);
  const clock = new HandClock();
  assertEquals((await receive(connection, { request: "go!", clock })).at(-1), "end 2");
  assertEquals(connection.sent, ["go!"]);
});

pureTest("receiveScript() asks a script that says nothing", async () => {
  const connection = waitingScript([9, FRAME]);
  const clock = new HandClock({ skips: true });
  await receive(connection, { fallbackRequest: "get_video", clock });
  assertEquals(connection.sent, ["get_video"]);
});

pureTest("receiveScript() does not ask a script that sends at once", async () => {
  const connection = connectionOf(FRAME);
  await receive(connection, { fallbackRequest: "get_video", clock: new HandClock() });
  assertEquals(connection.sent, []);
});

pureTest("receiveScript() sends an acknowledgement after each frame if it is told to", async () => {
  const connection = waitingScript([FRAME, 2, FRAME, 2, FRAME]);
  await receive(connection, { ack: "ok", clock: new HandClock() });
  assertEquals(connection.sent, ["ok", "ok", "ok"]);
});

pureTest("receiveScript() finds out that a script waits for acknowledgements", async () => {
  const connection = waitingScript([FRAME, 3, FRAME, 3, FRAME, 3, FRAME]);
  const clock = new HandClock();
  const lines: string[] = [];
  const notify = (line: string) => lines.push(line);
  const received = receive(connection, { ack: "auto", clock, notify });
  await clock.passToNext();
  assertEquals((await received).at(-1), "end 4");
  assertEquals(connection.sent, ["ack", "ack", "ack", "ack"]);
  assertEquals(lines, ['The script waits for a reply to each frame, and gets "ack"']);
});

pureTest("receiveScript() sends nothing to a camera of a frame in three seconds", async () => {
  const clock = new HandClock();
  const pause = async () => {
    if (clock.time === 0) await clock.asleep();
    clock.pass(3000);
  };
  const connection = waitingScript([FRAME, pause, FRAME, pause, FRAME]);
  assertEquals((await receive(connection, { ack: "auto", clock })).at(-1), "end 3");
  assertEquals(connection.sent, []);
});

pureTest("receiveScript() goes on with a script that works for long after each reply", async () => {
  const clock = new HandClock();
  const silence = (milliseconds: number) => async () => {
    await clock.asleep();
    clock.pass(milliseconds);
    // The receiver notices first that the time has passed.
    await new Promise((resolve) => setTimeout(resolve));
  };
  const round = [silence(4000), 3, silence(1500), FRAME];
  const connection = waitingScript([FRAME, ...round, ...round]);
  assertEquals((await receive(connection, { ack: "auto", clock })).at(-1), "end 3");
  assertEquals(connection.sent, ["ack", "ack"]);
});

pureTest("receiveScript() repeats the request where that is what a script waits for", async () => {
  const connection = waitingScript([4, FRAME, 4, FRAME, 4, FRAME]);
  const clock = new HandClock();
  const received = receive(connection, { request: "next", ack: "auto", clock });
  await clock.passToNext();
  await received;
  assertEquals(connection.sent, ["next", "next", "next", "next"]);
});

pureTest("receiveScript() shows an observer each message and each reply", async () => {
  const seen: string[] = [];
  const see = (direction: string) => (message: ObservedMessage) => {
    if ("words" in message) {
      seen.push(`${direction} ${message.kind} ${message.bytes} ${message.words}`);
    }
  };
  const observer = { sent: see("->"), received: see("<-"), event: () => {} };
  const bytes = framed("u64le", jpeg(8, 6), latin1("end"));
  await receive({ ...connectionOf(bytes), observer }, { request: "go", ack: "ok" });
  assertEquals(seen, [
    '-> request 2 "go", as text',
    "<- frame 35 8x6 JPEG: 8-byte length (little-endian), then a JPEG",
    '-> reply 2 "ok", as text',
    "<- end 11 the end: 8-byte length (little-endian), then a JPEG",
  ]);
});

pureTest("receiveScript() says what a script sends in place of an image", async () => {
  const bytes = framed("i32le", latin1("\x80\x04\x8c\x08no media."));
  const { message } = await assertRejects(() => receive(connectionOf(bytes)), CutError);
  assertEquals(message, 'the script sent no image, but "no media"');
});

pureTest('receiveScript() sends nothing with the request "none"', async () => {
  const connection = connectionOf(FRAME);
  const clock = new HandClock({ skips: true });
  await receive(connection, { request: "none", fallbackRequest: "get_video", clock });
  assertEquals(connection.sent, []);
});

/** A script that resets the connection behind what it has sent. */
function resetting(bytes: Uint8Array): ScriptConnection & { sent: string[] } {
  const socket = socketOf(bytes);
  const read = async (target: Uint8Array) => {
    const count = await socket.read(target);
    if (count === null) throw new Deno.errors.ConnectionReset("reset by peer");
    return count;
  };
  return { ...connectionOf(bytes), reader: new ByteReader(fromSocket({ read })) };
}

pureTest("receiveScript() says that frames may be missing if a word was not read", async () => {
  const lines: string[] = [];
  const notify = (line: string) => lines.push(line);
  const options = { request: "go", clock: new HandClock(), notify };
  assertEquals((await receive(resetting(FRAME), options)).at(-1), "end 1");
  assertMatch(lines.join(), /without reading what it was sent, so its last frames may be missing/);
});

pureTest("receiveScript() takes a reset for a cut if nothing was sent", async () => {
  await assertRejects(() => receive(resetting(FRAME)), CutError);
});

pureTest("receiveScript() reserves memory for a large message as it arrives", async () => {
  const large = concat(jpeg(8, 6).subarray(0, -2), new Uint8Array(5 * 2 ** 20), "\xff\xd9");
  const format = parseScriptFormat("u64le+jpeg");
  const bytes = framed("u64le", large);
  const taken: number[] = [];
  let held = 0;
  const reserve = (size: number) => {
    taken.push(Math.floor(size / 2 ** 20));
    held += size;
    return { [Symbol.dispose]: () => void (held -= size) };
  };
  assertEquals((await receive(connectionOf(bytes), { format, reserve })).at(-1), "end 1");
  assertEquals([taken, held], [[2, 4, 5], 0]);
  const refusal = () => {
    throw new RequestError("busy", "Cannot serve now: no memory");
  };
  const refused = receive(connectionOf(bytes), { format, reserve: refusal });
  await assertRejects(() => refused, RequestError, "no memory");
});
