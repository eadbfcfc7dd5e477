/** Each framing, from scripts that connect and from scripts that listen, through the whole client. */
import { assertEquals, assertMatch } from "@std/assert";
import type { LengthName } from "../../../lib/protocol/script/format.ts";
import { latin1 } from "../../support/media/bytes.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { decodedBytes } from "../../support/media/reference.ts";
import {
  base64,
  EagerScript,
  framed,
  npy,
  pickled,
  pickledBytes,
  pickledJpeg,
  push,
  type SentPictures,
  usualPictures,
} from "../../support/peers/script_sender.ts";
import { say, ScriptedServer } from "../../support/peers/scripted_server.ts";
import { ListeningClient } from "../../support/programs/listening_client.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";

const media = mediaFolder();
const usual = usualPictures(media);

/** A way of sending: its framing, its messages, and the pixels that they hold. */
interface Shape {
  framing: string;
  messages: (pictures: SentPictures) => Uint8Array[];
  pixels: (pictures: SentPictures) => Uint8Array[];
}

const LENGTHS = ["i32le", "u64le", "u32be", "ascii16"] as const;

/** A shape of JPEGs. */
function jpegs(
  framing: string,
  length: LengthName,
  payload: (jpeg: Uint8Array) => Uint8Array = (jpeg) => jpeg,
): Shape {
  return {
    framing,
    messages: ({ jpeg }) => jpeg.map((each) => framed(length, payload(each))),
    pixels: ({ decoded }) => decoded,
  };
}

/** A shape of pixels. */
function arrays(
  framing: string,
  length: LengthName,
  payload: (bgr: Uint8Array) => Uint8Array = (bgr) => bgr,
): Shape {
  return {
    framing,
    messages: ({ bgr }) => bgr.map((each) => framed(length, payload(each))),
    pixels: ({ bgr }) => bgr,
  };
}

const SHAPES: Shape[] = [
  ...LENGTHS.flatMap((length) => [
    arrays(`${length}+pickle`, length, pickled),
    jpegs(`${length}+jpeg`, length),
    jpegs(`${length}+pickled-jpeg`, length, pickledJpeg),
    arrays(`${length}+npy`, length, npy),
    jpegs(`${length}+base64`, length, base64),
  ]),
  jpegs("u32be+pickled-jpeg", "u32be", pickledBytes),
  jpegs("none+jpeg", "none"),
  arrays("none+npy", "none", npy),
  jpegs("line+base64", "line", base64),
];

/** Shapes that their first bytes do not tell. */
const INSISTED: Shape[] = [
  arrays("none+raw:64x48:bgr24", "none"),
  arrays("u64le+raw:64x48:bgr24", "u64le"),
];

/** Pixels of a NUT file, as BGR. */
async function pixelsOf(bytes: Uint8Array): Promise<Uint8Array> {
  const nut = await media.write(`${crypto.randomUUID()}.nut`, bytes);
  return await decodedBytes(nut, [
    ...["-fps_mode", "passthrough", "-pix_fmt", "bgr24", "-f", "rawvideo"],
  ]);
}

function joined(pictures: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(pictures.flatMap((picture) => [...picture]));
}

const ALL = [
  ...SHAPES.map((shape) => ({ ...shape, flags: ["--classic"] })),
  ...[SHAPES[1], ...INSISTED].map((shape) => ({ ...shape, flags: ["--framing", shape.framing] })),
];

for (const { framing, flags, messages, pixels } of ALL) {
  const how = flags[0] === "--classic" ? "recognises" : "insists on";
  Deno.test(`stream-client ${how} ${framing} of a script that connects`, async () => {
    const pictures = await usual();
    const args = [...flags, "--listen", "0", "--output", "-"];
    await using client = await ListeningClient.start(args);
    await push(client.address, ...messages(pictures));
    const { status, bytes, stderr } = await client.outcome;
    assertEquals(status, 0, stderr);
    assertEquals(await pixelsOf(bytes), joined(pixels(pictures)));
  });
}

for (const [index, { framing, messages, pixels }] of SHAPES.entries()) {
  Deno.test(`stream-client recognises ${framing} of a script that listens`, async () => {
    const pictures = await usual();
    const send = (peer: Deno.TcpConn) => say(peer, ...messages(pictures));
    // Half of them wait for a request.
    await using server = index % 2 === 0 ? new ScriptedServer(send) : new EagerScript(send);
    const args = ["--classic", "--video", "--output", "-", ...at(server)];
    const { status, bytes, stderr } = await runInside(args);
    assertEquals(status, 0, stderr);
    assertEquals(await pixelsOf(bytes), joined(pixels(pictures)));
  });
}

/** Lengths that no frame has, in each framing. */
const HOSTILE: [length: LengthName, name: string, header: Uint8Array][] = [
  ["i32le", "giant", latin1("\xff\xff\xff\x7f")],
  ["i32le", "negative", latin1("\xff\xff\xff\xff")],
  ["i32le", "zero", latin1("\0\0\0\0")],
  ["u64le", "giant", latin1("\xff\xff\xff\xff\xff\xff\xff\x7f")],
  ["u64le", "zero", new Uint8Array(8)],
  ["u32be", "giant", latin1("\xff\xff\xff\xff")],
  ["u32be", "zero", new Uint8Array(4)],
  ["ascii16", "giant", latin1("9999999999999999")],
  ["ascii16", "negative", latin1("-1".padEnd(16))],
  ["ascii16", "absent", latin1("".padEnd(16))],
];

for (const [length, name, header] of HOSTILE) {
  Deno.test(`stream-client refuses a ${name} length of ${length} behind a frame`, async () => {
    const { jpeg } = await usual();
    await using client = await ListeningClient.start(["--listen", "0", "--view", "none"]);
    await push(client.address, framed(length, jpeg[0]), header, new Uint8Array(100));
    const { status, stderr } = await client.outcome;
    assertEquals(status, 1);
    assertMatch(stderr, /\nCannot finish "video" after 1 frame [^\n]* length [^\n]*expected 1 to/);
  });
}
