/** Pickles of real numpy, read; and our own, loaded by real numpy. */
import { assertEquals, assertThrows } from "@std/assert";
import { FormatError } from "../../../../lib/base/errors.ts";
import { FRAME_HEADROOM, FRAME_TAILROOM } from "../../../../lib/media/frame.ts";
import { SCRIPT_END } from "../../../../lib/protocol/script/request.ts";
import { parseScriptLength, parseScriptMessage } from "../../../support/peers/script_messages.ts";
import { readPickle } from "../../../../lib/protocol/script/pickle/unpickler.ts";
import { ScriptFrameWriter } from "../../../../lib/protocol/script/writer.ts";
import { interopTest, runPython } from "../../../peers/numpy.ts";

/** Prints one line of JSON for every array, in protocols 0 to 5: its pickle and what it holds. */
const DUMP = `
import json, pickle
import numpy as np
image = np.random.default_rng(1).integers(0, 256, (7, 5, 3), dtype=np.uint8)
readonly = image.copy()
readonly.flags.writeable = False
arrays = {
    "image": image,
    "Fortran order": np.asfortranarray(image),
    "rows and columns swapped": image.transpose(1, 0, 2),
    "planes first": image.transpose(2, 0, 1),
    "every second column": image[:, ::2],
    "upside down": image[::-1],
    "red first": image[:, :, ::-1],
    "part": image[2:5, 1:4],
    "first rows": image[:2],
    "grey": image[:, :, 0],
    "grey with an axis": image[:, :, :1],
    "alpha": np.dstack([image, image[:, :, 0]]),
    "not writeable": readonly,
    "repeated": np.broadcast_to(image[:1], (4, 5, 3)),
    "no rows": image[:0],
    "no items in Fortran order": np.asfortranarray(image[:, :0]),
    "wide": np.zeros((1, 70000, 3), np.uint8),
    "more than one frame": np.zeros((200, 200, 3), np.uint8) + image[0, 0],
    "row": image.reshape(-1),
    "number": np.array(7, np.uint8),
    "bool": image > 99,
    "uint16": image.astype(np.uint16) * 257,
    "uint16, big-endian, alpha": np.dstack([image, image[:, :, 0]]).astype(">u2"),
    "int16 in Fortran order": np.asfortranarray(image.astype(np.int16)),
    "int32 swapped": image.astype(">i4").transpose(1, 0, 2),
    "float32 transposed": image[:, :, 0].astype(np.float32).T,
    "float32": image.astype(np.float32),
    "float64": image / 255,
    "complex": image.astype(np.complex64),
}
for what, array in arrays.items():
    for protocol in range(6):
        print(json.dumps({
            "what": what,
            "protocol": protocol,
            "pickle": pickle.dumps(array, protocol=protocol).hex(),
            "shape": array.shape,
            "dtype": (">" if array.dtype.byteorder == ">" else "") + array.dtype.name,
            "data": array.tobytes().hex(),
        }))
`;

/** Prints pickles, in protocols 0 to 5, of things that are neither plain values nor arrays. */
const DUMP_OTHERS = `
import datetime, json, os, pickle
import numpy as np
class Hostile:
    def __reduce__(self):
        return os.system, ("exit 1",)
class Nested:
    def __reduce__(self):
        return np.ndarray, (Hostile(),)
image = np.zeros((2, 2, 3), np.uint8)
holder = {"image": image}
holder["self"] = [holder]
holder_tuple = ([],)
holder_tuple[0].append(holder_tuple)
others = [
    Hostile(), Nested(), [Hostile()], {"frame": image, "more": [Hostile()]}, {Nested(): 1}, {1},
    frozenset([1]), 1j, ..., bytearray, os.system, eval, datetime.datetime.now(), 1 << 2100,
    image.astype(object), np.zeros(2, [("a", "u1")]), np.array(["text"]), np.array([b"bytes"]),
    np.complex64(1j), np.str_("text"), np.datetime64("2000-01-01"), holder, holder_tuple,
    np.array(["2000-01-01"], "M8[D]"), np.ma.masked_array(image), np.dtype("u1"), np.matrix([1]),
    np.zeros(2, np.dtype("u1", metadata={"a": 1})).view(np.recarray), np.array([Hostile()]),
]
for index, other in enumerate(others):
    for protocol in range(6):
        print(json.dumps([f"{index} in {protocol}", pickle.dumps(other, protocol=protocol).hex()]))
`;

/** Prints pickles of bytes, in protocols 0 to 5. */
const DUMP_BYTES = `
import json, pickle
for value in [b"end", b"", bytes(range(256)), bytes(70000)]:
    for protocol in range(6):
        print(json.dumps([value.hex(), pickle.dumps(value, protocol=protocol).hex()]))
`;

/** Loads classic messages from its input, every warning an error, and says what they hold. */
const LOAD = `
import json, pickle, struct, sys, warnings
warnings.simplefilter("error")
while True:
    header = sys.stdin.buffer.read(4)
    if not header:
        break
    value = pickle.loads(sys.stdin.buffer.read(struct.unpack("i", header)[0]))
    if isinstance(value, bytes):
        print(json.dumps({"bytes": value.decode()}))
    else:
        print(json.dumps({
            "shape": value.shape,
            "dtype": str(value.dtype),
            "data": value.tobytes().hex(),
            "usable": value.flags.c_contiguous and value.flags.aligned,
        }))
`;

interface DumpedArray {
  what: string;
  protocol: number;
  pickle: string;
  shape: number[];
  dtype: string;
  data: string;
}

await interopTest("readPickle() reads what numpy writes", async (python) => {
  const lines = await runPython(python, DUMP);
  for (const { what, protocol, pickle, shape, dtype, data } of lines as DumpedArray[]) {
    const value = readPickle(Uint8Array.fromHex(pickle));
    assertEquals<unknown>(
      value.kind === "array" && { ...value.array, data: value.array.data.toHex() },
      { shape, dtype, data },
      `${what} in protocol ${protocol}`,
    );
  }
});

await interopTest(
  "readPickle() gives views on numpy's protocols 3 to 5 in C order",
  async (python) => {
    const lines = await runPython(python, DUMP) as DumpedArray[];
    for (const { pickle, protocol } of lines.filter(({ what }) => what === "image")) {
      const bytes = Uint8Array.fromHex(pickle);
      const value = readPickle(bytes);
      const isView = value.kind === "array" && value.array.data.buffer === bytes.buffer;
      assertEquals(isView, protocol > 2, `protocol ${protocol}`);
    }
  },
);

await interopTest("readPickle() reads bytes that Python writes", async (python) => {
  for (const [expected, pickle] of await runPython(python, DUMP_BYTES) as string[][]) {
    const value = readPickle(Uint8Array.fromHex(pickle));
    assertEquals(value.kind === "bytes" && value.bytes.toHex(), expected);
  }
});

await interopTest("readPickle() refuses everything else that Python writes", async (python) => {
  for (const [what, pickle] of await runPython(python, DUMP_OTHERS) as string[][]) {
    assertThrows(() => readPickle(Uint8Array.fromHex(pickle)), FormatError, undefined, what);
  }
});

await interopTest("ScriptFrameWriter and CLASSIC_END write what numpy loads", async (python) => {
  const sizes = [[1, 1], [2, 3], [321, 241], [256, 70], [1, 66_000]];
  const messages: Uint8Array<ArrayBuffer>[] = [];
  const expected: unknown[] = [];
  for (const [width, height] of sizes) {
    const length = width * height * 3;
    const data = new Uint8Array(FRAME_HEADROOM + length + FRAME_TAILROOM)
      .subarray(FRAME_HEADROOM, FRAME_HEADROOM + length);
    data.forEach((_, index) => data[index] = index * 7 + (index >> 8));
    messages.push(new ScriptFrameWriter({ width, height }).wrap(data));
    expected.push({
      shape: [height, width, 3],
      dtype: "uint8",
      data: data.toHex(),
      usable: true,
    });
  }
  messages.push(SCRIPT_END);
  expected.push({ bytes: "end" });
  for (const message of messages) {
    assertEquals(parseScriptLength(message.subarray(0, 4)), message.byteLength - 4);
    parseScriptMessage(message.subarray(4));
  }
  assertEquals(await runPython(python, LOAD, new Blob(messages)), expected);
});
