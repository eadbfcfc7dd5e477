/** Reads pickles without running anything that they name. */
import { build, type NumpyArray, reduce, resolveGlobal, toArray } from "./numpy.ts";
import { opcodeName } from "./opcodes.ts";
import { bytesOf, describe, type Item, refuse } from "./values.ts";

/** Value of a pickle. */
export type PickleValue =
  | { kind: "array"; array: NumpyArray }
  | { kind: "bytes"; bytes: Uint8Array };

/** Limit of opcodes, and so of stack, memo and nesting. Numpy's longest array has about 70. */
const MAX_OPCODES = 256;

/** Bytes of the longest name of a module or an object; numpy's longest has 22. */
const MAX_NAME_LENGTH = 255;

/**
 * Reads the pickle of a numpy array or of plain bytes without executing anything. Supports only the
 * opcodes of numpy's pickles; values are plain data, and the only calls are the constructors of
 * {@linkcode reduce}.
 *
 * Opcodes as documented by Python's `pickletools`, PEP 3154 (protocol 4) and PEP 574 (protocol 5,
 * without out-of-band buffers). The data is copied once, if the pickle does not store it in C order or
 * as bytes (protocol 2).
 *
 * @throws {FormatError} for everything else, with the name of what was refused
 */
export function readPickle(bytes: Uint8Array): PickleValue {
  return new PickleMachine(bytes).run();
}

/** One run of the machine. */
class PickleMachine {
  #cursor: PickleCursor;
  #stack: Item[] = [];
  /** Heights of the stack at its open marks. Items below the last mark cannot be popped. */
  #marks: number[] = [];
  #memo: Item[] = [];

  constructor(bytes: Uint8Array) {
    this.#cursor = new PickleCursor(bytes);
  }

  run(): PickleValue {
    this.#readProtocol();
    for (let count = 0; count < MAX_OPCODES; count++) {
      const position = this.#cursor.position;
      const opcode = opcodeName(this.#cursor.uint8());
      if (opcode === "STOP") return this.#finish();
      if (!this.#pushValue(opcode) && !this.#arrange(opcode)) {
        refuse(`opcode ${opcode} at byte ${position}`, "one that numpy arrays use");
      }
    }
    return refuse(`more than ${MAX_OPCODES} opcodes`, "as few as numpy arrays need");
  }

  #readProtocol(): void {
    const first = opcodeName(this.#cursor.uint8());
    if (first !== "PROTO") {
      refuse(`opcode ${first} at its start (protocol 0 or 1, or no pickle)`, "protocol 2 to 5");
    }
    const protocol = this.#cursor.uint8();
    if (protocol < 2 || protocol > 5) refuse(`protocol ${protocol}`, "protocol 2 to 5");
  }

  #finish(): PickleValue {
    const { left } = this.#cursor;
    if (left > 0) refuse(`${left} bytes after its end`, "none");
    const item = this.#pop();
    if (this.#stack.length + this.#marks.length > 0) refuse("several values", "a single one");
    if (item.type === "array") return { kind: "array", array: toArray(item) };
    if (item.type === "bytes") return { kind: "bytes", bytes: bytesOf(item) };
    return refuse(describe(item), "an array or bytes");
  }

  /** Executes opcodes that push a new value; returns `false` for others. */
  #pushValue(opcode: string): boolean {
    const cursor = this.#cursor;
    switch (opcode) {
      case "NONE":
        return this.#push({ type: "none" });
      case "NEWTRUE":
      case "NEWFALSE":
        return this.#push({ type: "bool", value: opcode === "NEWTRUE" });
      case "BININT":
        return this.#push({ type: "int", value: cursor.int32() });
      case "BININT1":
        return this.#push({ type: "int", value: cursor.uint8() });
      case "BININT2":
        return this.#push({ type: "int", value: cursor.uint16() });
      case "SHORT_BINUNICODE":
        return this.#push({ type: "text", stored: cursor.bytes(cursor.uint8()) });
      case "BINUNICODE":
        return this.#push({ type: "text", stored: cursor.bytes(cursor.uint32()) });
      case "SHORT_BINBYTES":
        return this.#pushBytes(cursor.uint8());
      case "BINBYTES":
        return this.#pushBytes(cursor.uint32());
      case "BINBYTES8":
      case "BYTEARRAY8":
        return this.#pushBytes(cursor.uint64());
      case "GLOBAL":
        return this.#push(
          resolveGlobal(cursor.line(MAX_NAME_LENGTH), cursor.line(MAX_NAME_LENGTH)),
        );
      case "EMPTY_TUPLE":
        return this.#push({ type: "tuple", items: [] });
      default:
        return false;
    }
  }

  /** Executes opcodes that use the stack or the memo; returns `false` for others. */
  #arrange(opcode: string): boolean {
    switch (opcode) {
      case "FRAME":
        // Frames are for prefetching: only check that they fit.
        this.#cursor.require(this.#cursor.uint64());
        return true;
      case "MARK":
        this.#marks.push(this.#stack.length);
        return true;
      case "TUPLE":
        return this.#push({ type: "tuple", items: this.#popToMark() });
      case "TUPLE1":
      case "TUPLE2":
      case "TUPLE3":
        return this.#push({ type: "tuple", items: this.#popMany(Number(opcode.at(-1))) });
      case "STACK_GLOBAL":
        return this.#pushGlobal();
      case "REDUCE": {
        const [callable, argument] = this.#popMany(2);
        return this.#push(reduce(callable, argument));
      }
      case "BUILD": {
        const [target, state] = this.#popMany(2);
        build(target, state);
        return this.#push(target);
      }
      case "MEMOIZE":
        return this.#memoize(this.#memo.length);
      case "BINPUT":
        return this.#memoize(this.#cursor.uint8());
      case "LONG_BINPUT":
        return this.#memoize(this.#cursor.uint32());
      case "BINGET":
        return this.#recall(this.#cursor.uint8());
      case "LONG_BINGET":
        return this.#recall(this.#cursor.uint32());
      default:
        return false;
    }
  }

  #push(item: Item): true {
    this.#stack.push(item);
    return true;
  }

  #pushBytes(length: number): true {
    return this.#push({ type: "bytes", stored: this.#cursor.bytes(length), latin1: false });
  }

  #pushGlobal(): true {
    const [module, name] = this.#popMany(2);
    if (module.type !== "text" || name.type !== "text") {
      return refuse(`global ${describe(module)}, ${describe(name)}`, "two texts");
    }
    return this.#push(resolveGlobal(module.stored, name.stored));
  }

  #memoize(slot: number): true {
    if (slot >= MAX_OPCODES) refuse(`memo slot ${slot}`, `one below ${MAX_OPCODES}`);
    this.#memo[slot] = this.#stack[this.#indexBelow(1)];
    return true;
  }

  #recall(slot: number): true {
    const item = this.#memo[slot];
    if (item === undefined) return refuse(`empty memo slot ${slot}`, "one with a value");
    return this.#push(item);
  }

  #pop(): Item {
    return this.#popMany(1)[0];
  }

  /** Pops the last `count` values, in the order in which they were pushed. */
  #popMany(count: number): Item[] {
    return this.#stack.splice(this.#indexBelow(count), count);
  }

  #popToMark(): Item[] {
    const mark = this.#marks.pop();
    if (mark === undefined) return refuse("no mark on the stack", "one for TUPLE");
    return this.#stack.splice(mark);
  }

  /** Index of the value `count` below the top of the stack. */
  #indexBelow(count: number): number {
    const index = this.#stack.length - count;
    if (index < (this.#marks.at(-1) ?? 0)) {
      refuse("too few values on its stack", `${count} above the last mark`);
    }
    return index;
  }
}

/** Reads a pickle's bytes in order, with bounds checks. */
export class PickleCursor {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.byteLength - this.#at;
  }

  /** @throws {FormatError} at the end, as the methods below */
  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Rounded above 2^53, which is more than any pickle has. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  /** The next `length` bytes, as a view. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** The bytes up to the next end of line, as a view; at most `longest` of them. */
  line(longest: number): Uint8Array {
    const rest = this.#bytes.subarray(this.#at, this.#at + longest + 1);
    const length = rest.indexOf(0x0a);
    if (length < 0) refuse("name without an end", `an end of line in ${longest} bytes`);
    this.#at += length + 1;
    return rest.subarray(0, length);
  }

  /** @throws {FormatError} unless `length` bytes are left */
  require(length: number): void {
    if (length > this.left) {
      refuse(`${this.left} bytes left after byte ${this.#at}`, `${length} more`);
    }
  }

  #take(length: number): number {
    this.require(length);
    const start = this.#at;
    this.#at += length;
    return start;
  }
}

export type { NumpyArray } from "./numpy.ts";
export { ARRAY_SUFFIX, arrayPrefix, bytesPickle } from "./pickler.ts";
