/** Plain values in pickles of real Python, and messages of real scripts. */
import { assertEquals } from "@std/assert";
import { messageOf } from "../../../../lib/protocol/script/pickle/message.ts";
import { readNpy } from "../../../../lib/protocol/script/npy.ts";
import { type PickledValue, readPickle } from "../../../../lib/protocol/script/pickle/unpickler.ts";
import { interopTest, runPython } from "../../../peers/numpy.ts";

/** Prints pickles of plain values in protocols 0 to 5, with what `described()` below makes of them. */
const DUMP_VALUES = `
import json, pickle, struct
import numpy as np
def described(value):
    if value is None:
        return ["none"]
    if isinstance(value, (bool, np.bool_)):
        return ["bool", bool(value)]
    if isinstance(value, (int, np.integer)) and abs(int(value)) >= 2**53:
        return ["number", str(value)]
    if isinstance(value, (int, float, np.number)):
        return ["number", struct.pack(">d", float(value)).hex()]
    if isinstance(value, str):
        return ["text", value]
    if isinstance(value, (bytes, bytearray)):
        return ["bytes", value.hex()]
    if isinstance(value, np.ndarray):
        return ["array", list(value.shape), value.dtype.name, value.tobytes().hex()]
    if isinstance(value, (list, tuple)):
        return ["list", [described(item) for item in value]]
    return ["dict", [[described(key), described(item)] for key, item in value.items()]]
image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
shared = ["again"]
numbers = [
    0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**53 - 1, 2**53,
    -2**53, 2**63, -2**64, 3**1200, -3**1200, 0.0, -0.0, 1.5, -2.5e-300, 1e300, 5e-324,
    float("inf"), float("-inf"), float("nan"), 0.1,
]
values = {
    "None": None, "True": True, "False": False, "numbers": numbers,
    "texts": ["", "end", "\\n\\r\\\\\\0\\x1a'\\"", "\\xe9\\xff", "\\u20ac", "\\U0001f600\\\\u0041", "x" * 300],
    "a long text": "\\u20ac" * 70000,
    "bytes": [b"", b"end", bytes(range(256)), b"\\\\u0041\\n", bytes(300), bytes(70000)],
    "bytearrays": [bytearray(), bytearray(b"end"), bytearray(range(256)), bytearray(70000)],
    "empty": [[], (), {}], "tuples": [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),)],
    "keys": {None: 1, True: 2, 3: 4, 5.5: 6, "a": 7, b"b": 8, (9, "c"): 10, np.int64(11): 12},
    "scalars": [
        np.bool_(True), np.bool_(False), np.uint8(200), np.int8(-100), np.uint16(60000),
        np.int16(-3), np.int32(-70000), np.uint32(2**32 - 1), np.int64(-2**62), np.uint64(2**64 - 1),
        np.int64(5), np.float16(1.5), np.float32(0.1), np.float64(0.1), np.float32("nan"),
        np.dtype(">i4").type(7), np.array([258], ">u2")[0],
    ],
    "an image in a dict": {"frame": image, "id": 7, "stamp": 1.5, "size": (2, 4)},
    "images in a list": [image, np.asfortranarray(image), image.transpose(2, 0, 1), image[::-1]],
    "the same again": [shared, shared, {"a": shared}, image, image, "again", "again"],
    "detections": [
        {"label": "person", "score": np.float32(i / 7), "box": [i, i + 1, i + 2.5, i * 3]}
        for i in range(1500)
    ],
    "nested": [[[[{"a": ({"b": [{}]},)}]]]],
    "many": list(range(40000)),
}
for what, value in values.items():
    for protocol in range(6):
        dumped = pickle.dumps(value, protocol=protocol)
        print(json.dumps([f"{what} in protocol {protocol}", dumped.hex(), described(value)]))
`;

/** Prints messages in protocols 0 to 5: the image's kind and data, and the rest as JSON. */
const DUMP_MESSAGES = `
import json, pickle
import cv2
import numpy as np
image = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
depth = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64)
encoded = cv2.imencode(".jpg", image)
jpeg = encoded[1]
column = jpeg.reshape(-1, 1)
row = jpeg.reshape(1, -1)
def images():
    for array in [
        image, depth, depth.astype(np.float32), image[:, :, :1], np.dstack([image, image[:, :, 0]]),
        np.asfortranarray(image), image.transpose(1, 0, 2), depth.T, image[::2, ::-1],
    ]:
        yield array, ["array", list(array.shape), array.dtype.name, array.tobytes().hex()]
    for value in [jpeg, column, row, jpeg.tobytes(), bytearray(jpeg.tobytes()), encoded]:
        yield value, ["jpeg", jpeg.tobytes().hex()]
boxes = np.array([[1, 2], [3, 4]], np.float32) / 8
for value, expected in images():
    for message, rest in [
        (value, None),
        ([value], None),
        ({"frame": value}, None),
        ({"data": {"frame": (value,)}, "empty": []}, {"empty": []}),
        ((7, value), [7]),
        (("cam", 1.5, value), ["cam", 1.5]),
        ({"frame": value, "boxes": boxes, "ok": np.bool_(True)}, {"boxes": boxes.tolist(), "ok": True}),
        ({1: "a", b"k": b"\\0\\1", (1, 2): None, "frame": value, "n": float("nan")},
            {"1": "a", "k": "AAE=", "[1,2]": None, "n": None}),
        ([{"x": 2**64}, {"frame": value}, "text"], [{"x": 2**64}, "text"]),
    ]:
        for protocol in range(6):
            dumped = pickle.dumps(message, protocol=protocol).hex()
            print(json.dumps([dumped, expected, rest]))
`;

/** Prints files of \`numpy.save\`, with shape, dtype and data. */
const DUMP_NPY = `
import io, json
import numpy as np
image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
arrays = [
    image, np.asfortranarray(image), image.transpose(1, 0, 2), image[:, ::2], image[:0],
    image.astype(np.uint16), image.astype(">u2"), image.astype(np.float32), image / 255,
    image > 7, np.array(7), np.arange(5), image.astype(np.complex64), image.astype(np.float16),
    np.zeros((1,) * 32, np.int8),
]
for array in arrays:
    for version in [(1, 0), (2, 0), (3, 0)]:
        file = io.BytesIO()
        np.lib.format.write_array(file, array, version)
        dtype = (">" if array.dtype.byteorder == ">" else "") + array.dtype.name
        print(json.dumps([file.getvalue().hex(), list(array.shape), dtype, array.tobytes().hex()]))
`;

/** What `described()` of the script makes of a value. */
function described(value: PickledValue): unknown[] {
  switch (value.kind) {
    case "none":
      return [value.kind];
    case "bool":
      return [value.kind, value.value];
    case "number":
      return [value.kind, numberOf(value.value)];
    case "text":
      return [value.kind, value.text];
    case "bytes":
      return [value.kind, value.bytes.toHex()];
    case "array":
      return [value.kind, value.array.shape, value.array.dtype, value.array.data.toHex()];
    case "list":
      return [value.kind, value.items.map(described)];
    case "dict":
      return [value.kind, value.entries.map((entry) => entry.map(described))];
  }
}

/** A number bit by bit, if it is none that only a bigint can hold. */
function numberOf(value: number | bigint): string {
  if (typeof value === "bigint") return String(value);
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return new Uint8Array(view.buffer).toHex();
}

await interopTest("readPickle() reads plain values that Python writes", async (python) => {
  const lines = await runPython(python, DUMP_VALUES) as [string, string, unknown[]][];
  for (const [what, pickle, expected] of lines) {
    const value = readPickle(Uint8Array.fromHex(pickle));
    assertEquals(JSON.stringify(described(value)), JSON.stringify(expected), what);
  }
});

await interopTest("messageOf() finds the image that a script sends", async (python) => {
  const lines = await runPython(python, DUMP_MESSAGES) as [string, unknown[], unknown][];
  for (const [pickle, expected, rest] of lines) {
    const message = messageOf(readPickle(Uint8Array.fromHex(pickle)));
    const { image } = message;
    const found = image?.kind === "jpeg"
      ? [image.kind, image.bytes.toHex()]
      : image && described(image);
    assertEquals(JSON.stringify(found), JSON.stringify(expected), pickle.slice(0, 100));
    assertEquals<unknown>(message.rest ?? null, rest, pickle.slice(0, 100));
    assertEquals("rest" in message, rest !== null);
  }
}, ["numpy", "cv2"]);

await interopTest("readNpy() reads what numpy.save() writes", async (python) => {
  for (const [file, ...expected] of await runPython(python, DUMP_NPY) as [string, ...unknown[]][]) {
    const { shape, dtype, data } = readNpy(Uint8Array.fromHex(file));
    assertEquals<unknown[]>([shape, dtype, data.toHex()], expected);
  }
});
