/** Each framing, from scripts that connect and from scripts that listen, through the whole client. */
import { assertEquals } from "@std/assert";
import type { LengthName } from "../../../lib/protocol/script/format.ts";
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
