/** Pickles put together by hand, byte for byte as numpy and hostile peers write them. */

import { concat, latin1 } from "./bytes.ts";

/** Four bytes, little-endian, as in a string for {@linkcode latin1}. */
export function uint32(value: number): string {
  return String.fromCharCode(...new Uint8Array(Uint32Array.of(value).buffer));
}

/** SHORT_BINUNICODE. */
export function text(value: string): string {
  return `\x8c${String.fromCharCode(value.length)}${value}`;
}

/** Options of {@linkcode numpyPickle}. */
export interface NumpyPickleOptions {
  protocol?: number;
  /** Package that holds numpy's constructors: `numpy.core`, and `numpy._core` in numpy 2. */
  core?: string;
  shape?: number[];
  /** Type letter and item size. */
  dtype?: string;
  byteOrder?: string;
  fortran?: boolean;
  data?: Uint8Array;
}

/** The pickle of an array as numpy writes it with any of protocols 2 to 5. */
export function numpyPickle(options: NumpyPickleOptions = {}): Uint8Array<ArrayBuffer> {
  const {
    protocol = 4,
    core = "numpy.core",
    shape = [1, 2, 3],
    dtype = "u1",
    byteOrder = "|",
    fortran = false,
    data = Uint8Array.of(1, 2, 3, 4, 5, 250),
  } = options;
  const extents = `(${shape.map((extent) => `J${uint32(extent)}`).join("")}t`;
  const order = fortran ? "\x88" : "\x89";
  const length = uint32(data.byteLength);
  if (protocol < 4) {
    const bytes = protocol === 2 ? inText(data) : concat("B", length, data);
    const letter = protocol === 2 ? inText(latin1("b")) : concat("C\x01b");
    return concat(
      `\x80${String.fromCharCode(protocol)}c${core}.multiarray\n_reconstruct\nq\x00`,
      "cnumpy\nndarray\nq\x01K\x00\x85q\x02",
      letter,
      `q\x07\x87q\x08Rq\x09(K\x01${extents}q\x0acnumpy\ndtype\nq\x0b`,
      `X${uint32(dtype.length)}${dtype}q\x0c\x89\x88\x87q\x0dRq\x0e`,
      `(K\x03X\x01\x00\x00\x00${byteOrder}q\x0fNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x10b`,
      order,
      bytes,
      "q\x13tq\x14b.",
    );
  }
  const itemType = `${text("dtype")}\x94\x93\x94${text(dtype)}\x94\x89\x88\x87\x94R\x94` +
    `(K\x03${text(byteOrder)}\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b`;
  if (protocol === 5) {
    return concat(
      `\x80\x05${text(`${core}.numeric`)}\x94${text("_frombuffer")}\x94\x93\x94(`,
      concat("\x96", length, "\x00\x00\x00\x00", data),
      `\x94${text("numpy")}\x94${itemType}${extents}\x94${
        text(fortran ? "F" : "C")
      }\x94t\x94R\x94.`,
    );
  }
  return concat(
    `\x80\x04\x95\x06\x00\x00\x00\x00\x00\x00\x00${text(`${core}.multiarray`)}\x94`,
    `${text("_reconstruct")}\x94\x93\x94${text("numpy")}\x94${text("ndarray")}\x94\x93\x94`,
    `K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01${extents}\x94h\x03${itemType}${order}`,
    concat("B", length, data),
    "\x94t\x94b.",
  );
}

/** Bytes in protocol 2: Latin-1 text in UTF-8, and a call that encodes it. */
function inText(bytes: Uint8Array): Uint8Array {
  const utf8 = new TextEncoder().encode(
    Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""),
  );
  return concat("c_codecs\nencode\nX", uint32(utf8.byteLength), utf8, "X\x06\0\0\0latin1\x86R");
}

/** A file as `numpy.save()` writes it: the header is a Python literal, padded to 64 bytes. */
export function npyFile(header: string, data: Uint8Array, version = 1): Uint8Array<ArrayBuffer> {
  const before = version === 1 ? 10 : 12;
  const length = Math.ceil((before + header.length + 1) / 64) * 64 - before;
  const size = uint32(length).slice(0, version === 1 ? 2 : 4);
  const start = `\x93NUMPY${String.fromCharCode(version)}\0${size}`;
  return concat(start, `${header.padEnd(length - 1)}\n`, data);
}
