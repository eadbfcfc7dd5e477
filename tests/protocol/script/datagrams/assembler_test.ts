import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../../lib/media/frame.ts";
import { DatagramAssembler } from "../../../../lib/protocol/script/datagrams/assembler.ts";
import { bytesPickle } from "../../../../lib/protocol/script/pickle/unpickler.ts";
import { concat, latin1, sample, seeded } from "../../../support/media/bytes.ts";
import { cut, numberedPieces, pack, smallJpeg } from "../../../support/media/jpeg_pieces.ts";
import { numpyPickle } from "../../../support/media/pickles.ts";
import { pureTest } from "../../../support/pure_test.ts";

/** What comes of datagrams: JPEGs in order, and how many frames were dropped. */
function assemble(
  datagrams: readonly Uint8Array[],
  assembler = new DatagramAssembler(),
): { jpegs: Uint8Array[]; dropped: number } {
  const jpegs = datagrams.flatMap((datagram) => assembler.push(datagram) ?? []);
  return { jpegs, dropped: assembler.dropped };
}

/** The datagrams of one JPEG: as many pieces as are wanted, where the form has any. */
type Form = (jpeg: Uint8Array, frame: number, pieces?: number) => Uint8Array[];

/** Numbers in front of each piece: by the number of the frame, that of the piece, and the count. */
const numbered = (
  format: string,
  numbers: (frame: number, at: number, count: number) => number[],
): Form =>
(jpeg, frame, pieces = 5) =>
  numberedPieces(format, cut(jpeg, pieces), (at, count) => numbers(frame, at, count));

const WHOLE: Record<string, Form> = {
  "a JPEG": (jpeg) => [jpeg],
  "a JPEG with zeros behind it": (jpeg) => [concat(jpeg, new Uint8Array(7))],
  "base64": (jpeg) => [latin1(jpeg.toBase64())],
  "base64 with line ends": (jpeg) => [latin1(jpeg.toBase64().replaceAll(/.{76}/g, "$&\n") + "\n")],
};

const PICKLES: Record<string, Form> = {
  "pickled bytes": (jpeg) => [bytesPickle(jpeg)],
  // With 16 bytes in front of the JPEG, as many as some numbers have.
  "bytes that Python 3 pickles": (jpeg) => {
    const size = pack("<I", jpeg.byteLength);
    return [concat("\x80\x04\x95", new Uint8Array(8), "B", size, jpeg, "\x94.")];
  },
};
for (const protocol of [2, 3, 4, 5]) {
  PICKLES[`an array in protocol ${protocol}`] = (jpeg) => [
    numpyPickle({ protocol, shape: [jpeg.byteLength], data: jpeg }),
  ];
}

const PLAIN: Record<string, Form> = {
  "pieces without a number": (jpeg) => cut(jpeg, 5),
  "pieces of two bytes and more": (jpeg) => [jpeg.subarray(0, 8), ...cut(jpeg.subarray(8), 90)],
  "pieces behind their count as text": (jpeg) => [latin1("5"), ...cut(jpeg, 5)],
  "pieces behind a dictionary": (jpeg) => [
    latin1("\x80\x04\x95\x0b\0\0\0\0\0\0\0}\x94\x8c\x05packs\x94K\x05s."),
    ...cut(jpeg, 5),
  ],
};

const COUNTDOWNS: Record<string, Form> = {
  "a countdown to 1": numbered("!B", (_, at, count) => [count - at]),
  "a countdown to 0": numbered("!B", (_, at, count) => [count - at - 1]),
  "a long countdown": (jpeg) => numberedPieces("!B", cut(jpeg, 80), (at, count) => [count - at]),
  "a countdown in 16 bits": numbered("!H", (_, at, count) => [count - at]),
  "a little-endian countdown in 32 bits": numbered("<I", (_, at, count) => [count - at - 1]),
};

const COUNTED: Record<string, Form> = {};
const FRAMED: Record<string, Form> = {};
for (const order of ["!", "<"]) {
  for (const base of [0, 1]) {
    for (const unit of ["B", "H", "I"]) {
      const name = `from ${base} in ${order}${unit}`;
      const both = (at: number, count: number) => [at + base, count];
      COUNTED[`piece and count ${name}`] = numbered(
        order + unit + unit,
        (_, at, count) => both(at, count),
      );
      COUNTED[`count and piece ${name}`] = numbered(
        order + unit + unit,
        (_, at, count) => both(at, count).reverse(),
      );
      for (const frames of ["B", "H", "I", "Q"]) {
        FRAMED[`frame ${frames}, piece and count ${name}`] = numbered(
          order + frames + unit + unit,
          (frame, at, count) => [frame, ...both(at, count)],
        );
      }
    }
  }
}

const NUMBERED = { ...COUNTED, ...FRAMED };
const FORMS = { ...WHOLE, ...PICKLES, ...PLAIN, ...COUNTDOWNS, ...NUMBERED };

/** Frames that differ, but for the third one, which is like the second. */
const JPEGS = [3, 4, 4, 5, 6, 7].map((seed) => smallJpeg({ seed, length: 300 }));

/** The datagrams of each frame. */
function sent(form: Form): Uint8Array[][] {
  return JPEGS.map((jpeg, frame) => form(jpeg, frame));
}

/** Registers a test of all forms. The form that fails is named. */
function formTest(
  name: string,
  forms: Record<string, Form>,
  check: (form: Form, name: string) => void,
): void {
  pureTest(`DatagramAssembler ${name}`, () => {
    for (const [name, form] of Object.entries(forms)) check(form, name);
  });
}

formTest("gives every frame", FORMS, (form, name) => {
  assertEquals(assemble(sent(form).flat()), { jpegs: JPEGS, dropped: 0 }, name);
});

formTest("joins in the middle of a frame", FORMS, (form, name) => {
  const datagrams = sent(form);
  const missed = datagrams[0].length - 1;
  const { jpegs } = assemble(datagrams.flat().slice(missed));
  assertEquals(jpegs, missed === 0 ? JPEGS : JPEGS.slice(1), name);
});

formTest("gives frames with room for a header around them", FORMS, (form, name) => {
  const [jpeg] = assemble(form(JPEGS[0], 1)).jpegs;
  assertEquals(jpeg.byteOffset, FRAME_HEADROOM, name);
  const room = jpeg.buffer.byteLength - jpeg.byteOffset - jpeg.byteLength;
  assertEquals(room, FRAME_TAILROOM, name);
});

formTest("keeps nothing of the memory of a datagram", FORMS, (form, name) => {
  const memory = new Uint8Array(1000);
  const assembler = new DatagramAssembler();
  const jpegs = sent(form).flat().flatMap((datagram) => {
    memory.fill(0xff).set(datagram);
    return assembler.push(memory.subarray(0, datagram.byteLength)) ?? [];
  });
  assertEquals(jpegs, JPEGS, name);
});

formTest("gives whole frames only", { ...COUNTDOWNS, ...NUMBERED }, (form, name) => {
  const datagrams = sent(form);
  for (let lost = 0; lost < 5; lost++) {
    const rest = datagrams.map((pieces, at) => at === 3 ? pieces.toSpliced(lost, 1) : pieces);
    const expected = { jpegs: JPEGS.toSpliced(3, 1), dropped: 1 };
    assertEquals(assemble(rest.flat()), expected, `${name} without piece ${lost}`);
  }
});

formTest("takes doubled pieces once", { ...COUNTDOWNS, ...NUMBERED }, (form, name) => {
  const datagrams = sent(form).flat().flatMap((datagram) => [datagram, datagram]);
  assertEquals(assemble(datagrams), { jpegs: JPEGS, dropped: 0 }, name);
});

formTest("puts pieces in order", { ...COUNTDOWNS, ...NUMBERED }, (form, name) => {
  const [first, ...others] = sent(form);
  // If frames have no number, a first piece behind the last one begins the next frame.
  const swapped = others.map(([one, two, ...more]) => [two, one, ...more.toReversed()]);
  assertEquals(assemble([first, ...swapped].flat()), { jpegs: JPEGS, dropped: 0 }, name);
});

formTest("puts the pieces of two frames in order by their number", FRAMED, (form, name) => {
  const [first, second, third, ...others] = sent(form);
  const mixed = second.flatMap((piece, at) => [third[4 - at], piece]).toSpliced(0, 1);
  const late = second[2];
  const datagrams = [first, mixed, [third[4]], [late], ...others].flat();
  assertEquals(assemble(datagrams), { jpegs: JPEGS, dropped: 0 }, name);
});

formTest("takes a last piece behind the next first one", {
  ...COUNTED,
  ...COUNTDOWNS,
}, (form, name) => {
  const datagrams = sent(form);
  const [third, fourth] = datagrams.slice(3);
  const late = [...third.slice(0, -1), fourth[0], ...third.slice(-1), ...fourth.slice(1)];
  const mixed = [...datagrams.slice(0, 3), late, ...datagrams.slice(5)].flat();
  assertEquals(assemble(mixed), { jpegs: JPEGS, dropped: 0 }, name);
});

formTest("learns numbers from frames of one piece and of several", {
  ...COUNTDOWNS,
  ...NUMBERED,
}, (form, name) => {
  const counts = [1, 1, 1, 4, 1, 2];
  const datagrams = JPEGS.flatMap((jpeg, frame) => form(jpeg, frame, counts[frame]));
  assertEquals(assemble(datagrams), { jpegs: JPEGS, dropped: 0 }, name);
});

/** Frames of one to six pieces, all different, and their datagrams. */
function manyFrames(form: Form): { frames: Uint8Array[]; datagrams: Uint8Array[][] } {
  const frames = Array.from({ length: 60 }, (_, seed) => smallJpeg({ seed, length: 300 }));
  return { frames, datagrams: frames.map((jpeg, frame) => form(jpeg, frame, 1 + frame % 6)) };
}

/** Checks that no frame consists of pieces of several. */
function checkUnmixed(
  name: string,
  frames: readonly Uint8Array[],
  datagrams: readonly Uint8Array[],
): void {
  const known = new Set(frames.map((jpeg) => jpeg.toHex()));
  const { jpegs } = assemble(datagrams);
  for (const jpeg of jpegs) assert(known.has(jpeg.toHex()), name);
  assert(jpegs.length > 25, `${jpegs.length} frames of ${name}`);
}

formTest("mixes no frames that have a number, in any order", FRAMED, (form, name) => {
  const random = seeded(5);
  const { frames, datagrams } = manyFrames(form);
  const arrived = datagrams.flat()
    .flatMap((datagram) =>
      Array<Uint8Array>(random() < 0.1 ? Math.round(2 * random()) : 1).fill(datagram)
    )
    .map((datagram, at) => ({ datagram, at: at + (random() < 0.2 ? 4 * random() : 0) }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ datagram }) => datagram);
  checkUnmixed(name, frames, arrived);
});

formTest("mixes no frames without a number if a piece is lost", {
  ...COUNTED,
  ...COUNTDOWNS,
}, (form, name) => {
  const random = seeded(5);
  const { frames, datagrams } = manyFrames(form);
  const arrived = datagrams.flatMap((pieces, frame) =>
    // With losses in two frames on end, nothing tells the beginning of one from that of the other.
    frame % 2 === 0 ? pieces : pieces.toSpliced(Math.floor(random() * pieces.length), 1)
  );
  checkUnmixed(name, frames, arrived);
});

pureTest("DatagramAssembler takes a number that is always the same", () => {
  for (const jpegs of [JPEGS, Array(6).fill(JPEGS[0])]) {
    const datagrams = jpegs.map((jpeg: Uint8Array) => FRAMED[CAMERA](jpeg, 7));
    assertEquals(assemble(datagrams.flat()), { jpegs, dropped: 0 });
  }
  const lossy = JPEGS.map((jpeg, at) => FRAMED[CAMERA](jpeg, 7).toSpliced(2, at === 3 ? 1 : 0));
  assertEquals(assemble(lossy.flat()), { jpegs: JPEGS.toSpliced(3, 1), dropped: 1 });
});

/** The number of a camera may stand where that of the frame is expected. */
const CAMERA = "frame B, piece and count from 0 in !H";

pureTest("DatagramAssembler drops what lost pieces without a number have left", () => {
  const datagrams = JPEGS.map((jpeg) => cut(jpeg, 5));
  for (const lost of [0, 4]) {
    const rest = datagrams.map((pieces, at) => at === 3 ? pieces.toSpliced(lost, 1) : pieces);
    const { jpegs, dropped } = assemble(rest.flat());
    assertEquals(jpegs, JPEGS.toSpliced(3, 1));
    // A frame without its beginning is not known to be one.
    assertEquals(dropped, lost === 0 ? 0 : 1);
  }
});

pureTest("DatagramAssembler counts what is no JPEG among JPEGs", () => {
  const broken = latin1("/9j/ this is no base64!");
  const { jpegs, dropped } = assemble([
    latin1(JPEGS[0].toBase64()),
    broken,
    latin1(JPEGS[1].toBase64()),
  ]);
  assertEquals(jpegs, JPEGS.slice(0, 2));
  assertEquals(dropped, 1);
});

const REFUSED: Record<string, [datagram: Uint8Array, seen: RegExp]> = {
  text: [latin1('{"x": 1}\n'), /9 bytes of text "{"x": 1}\?"/],
  "white pixels": [new Uint8Array(900).fill(255), /900 bytes that begin with ff ff ff ff/],
  "a PNG": [concat("\x89PNG\r\n\x1a\n", sample(900)), /908 bytes of a PNG/],
  "a WebP": [concat("RIFF\0\0\0\0WEBPVP8 ", sample(900)), /916 bytes of a WebP/],
  "H.264": [concat("\0\0\0\x01\x67", sample(900)), /905 bytes of H.264/],
  "MPEG-TS": [concat("G", sample(187), "G", sample(187)), /376 bytes of MPEG-TS/],
  RTP: [
    concat("\x80\x60\0\x01\0\0\0\0\0\0\0\0", sample(90), "\xff\x41", sample(90)),
    /194 bytes that look like RTP of payload type 96/,
  ],
  "a pickled picture": [
    numpyPickle({ protocol: 4 }),
    /a uint8 array of shape \(\d+, \d+, 3\), expected a JPEG/,
  ],
  "a pickle that calls": [latin1("\x80\x04cos\nsystem\nX\x02\0\0\0ls\x85R."), /os.system/],
  "a JPEG behind 7 bytes": [concat("\0\0\0\0\0\0\0", JPEGS[0]), /a JPEG behind 7 bytes/],
};

for (const [name, [datagram, seen]] of Object.entries(REFUSED)) {
  pureTest(`DatagramAssembler refuses ${name} and says what it is`, () => {
    const error = assertThrows(() => new DatagramAssembler().push(datagram), FormatError);
    assertMatch(error.message, seen);
    assertMatch(error.message, /^Cannot read .+: .+, expected/);
  });
}

pureTest("DatagramAssembler ignores values that are pickled beside JPEGs", () => {
  const values = latin1("\x80\x04}X\x01\0\0\0nK\x05s.");
  const datagrams = [values, bytesPickle(JPEGS[0]), values, bytesPickle(latin1("end"))];
  assertEquals(assemble(datagrams), { jpegs: [JPEGS[0]], dropped: 0 });
});

formTest("gives nothing that is no JPEG", NUMBERED, (form, name) => {
  const assembler = new DatagramAssembler();
  assemble(sent(form).flat(), assembler);
  assertEquals(assemble(form(latin1("no JPEG at all"), 9), assembler).jpegs, [], name);
});

pureTest("DatagramAssembler passes over what may be the middle of a JPEG", () => {
  for (const middle of ["u%,", "\x80\x04\x95 and no pickle", "a\xff\0b", "12", "\xff\xd9"]) {
    const datagrams = [latin1(middle), ...cut(JPEGS[0], 3)];
    assertEquals(assemble(datagrams), { jpegs: [JPEGS[0]], dropped: 0 });
  }
});

pureTest("DatagramAssembler begins to wait anew with each frame", () => {
  const assembler = new DatagramAssembler();
  for (let times = 0; times < 3; times++) {
    for (let count = 0; count < 2000; count++) assembler.push(new Uint8Array(100).fill(200));
    const single = concat(pack("!BB", 0, 1), JPEGS[times]);
    assertEquals(assembler.push(single), JPEGS[times]);
  }
});

pureTest("DatagramAssembler does not wait for a JPEG for ever", () => {
  const assembler = new DatagramAssembler();
  const error = assertThrows(() => {
    for (let count = 0; count < 5000; count++) assembler.push(sample(100));
  }, FormatError);
  assertMatch(error.message, /no JPEG in 4096 datagrams, of which the last has 100 bytes/);
});

pureTest("DatagramAssembler survives hostile numbers", () => {
  const begin = JPEGS[0].subarray(0, 40);
  for (const numbers of [[0, 0], [5, 5], [0, 2 ** 32 - 1], [2 ** 32 - 1, 1], [0, 4097]]) {
    const assembler = new DatagramAssembler();
    assertEquals(assembler.push(concat(pack("!II", ...numbers), begin)), undefined);
    assertEquals(assembler.push(JPEGS[0]), JPEGS[0]);
  }
});

pureTest("DatagramAssembler bounds the bytes of a frame", () => {
  const piece = new Uint8Array(2 ** 16 - 100).fill(7);
  const begin = concat(JPEGS[0].subarray(0, 40), piece);
  const count = 1100;
  const forms: Form[] = [
    (jpeg) => [jpeg, ...Array(count - 1).fill(piece)],
    (jpeg, frame) =>
      [jpeg, ...Array(count - 1).fill(piece)]
        .map((bytes, at) => concat(pack("!IHH", frame, at, count), bytes)),
  ];
  for (const form of forms) {
    const assembler = new DatagramAssembler();
    assemble(cutOf(form, JPEGS[1]), assembler);
    assertEquals(assemble(form(begin, 8), assembler).jpegs, []);
    assert(assembler.dropped >= 1);
    assertEquals(assemble(cutOf(form, JPEGS[2], 9), assembler).jpegs, [JPEGS[2]]);
  }
});

/** A small frame in the form of a large one: two pieces. */
function cutOf(form: Form, jpeg: Uint8Array, frame = 1): Uint8Array[] {
  const [first] = form(jpeg, frame);
  const numbers = first.byteLength - jpeg.byteLength;
  if (numbers === 0) return cut(jpeg, 2);
  return cut(jpeg, 2).map((piece, at) => concat(pack("!IHH", frame, at, 2), piece));
}

pureTest("DatagramAssembler bounds the pieces of a frame", () => {
  const assembler = new DatagramAssembler();
  assembler.push(JPEGS[0].subarray(0, 40));
  for (let count = 0; count < 4096; count++) assembler.push(Uint8Array.of(7));
  assertEquals(assembler.dropped, 1);
  assertEquals(assembler.push(JPEGS[1]), JPEGS[1]);
});

pureTest("DatagramAssembler takes time in proportion to the bytes", () => {
  // 16 MiB byte by byte would take minutes if every byte were looked at again.
  const assembler = new DatagramAssembler();
  const [first, ...others] = cut(smallJpeg({ length: 2 ** 24 }), 4000);
  for (const piece of [first, ...others.slice(0, -1)]) {
    assertEquals(assembler.push(piece), undefined);
  }
  assertEquals(
    assembler.push(others.at(-1)!)?.byteLength,
    2 ** 24 + smallJpeg({ length: 0 }).byteLength,
  );
});
