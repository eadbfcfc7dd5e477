/** Reads pickles without running anything that they name. */
import { build, reduce, resolveGlobal } from "./numpy.ts";
import { PickleCursor } from "./cursor.ts";
import { opcodeName } from "./opcodes.ts";
import { type PickledValue, valueOf } from "./result.ts";
import { describe, type Item, refuse } from "./values.ts";

/** Limit of opcodes, and so of stack and memo. Numpy's longest array has about 70. */
const MAX_OPCODES = 100_000;

/** Bytes of the longest name of a module or an object; numpy's longest has 22. */
const MAX_NAME_LENGTH = 255;

/**
 * Reads the pickle of plain values and numpy arrays without executing anything: None, bools, numbers,
 * texts, bytes, arrays, and lists, tuples and dicts of them, in protocols 0 to 5 of Python 3 and 0 to
 * 2 of Python 2. The only calls are the constructors of {@linkcode reduce}.
 *
 * Opcodes as documented by Python's `pickletools`, PEP 3154 (protocol 4) and PEP 574 (protocol 5,
 * without out-of-band buffers). Bytes and data of arrays are views on the pickle. They are copied
 * once if the pickle does not store them in C order, or as bytes (protocols 0 to 2). A value that is
 * recalled from the memo counts each time, so that the whole is not larger than it would be without.
 *
 * @throws {FormatError} for everything else, with the name of what was refused
 *
 * @example
 * ```ts
 * import { readPickle } from "./unpickler.ts";
 * import { assertEquals } from "@std/assert";
 *
 * // pickle.dumps({"id": 7}, protocol=1)
 * const pickle = new TextEncoder().encode("}q\0X\x02\0\0\0idq\x01K\x07s.");
 * assertEquals(readPickle(pickle), {
 *   kind: "dict",
 *   entries: [[{ kind: "text", text: "id" }, { kind: "number", value: 7 }]],
 * });
 * ```
 */
export function readPickle(bytes: Uint8Array): PickledValue {
  return valueOf(new PickleMachine(bytes).run(), bytes.byteLength);
}

/** One run of the machine. */
class PickleMachine {
  #cursor: PickleCursor;
  #stack: Item[] = [];
  /** Heights of the stack at its open marks. Items below the last mark cannot be popped. */
  #marks: number[] = [];
  #memo = new Map<number, Item>();

  constructor(bytes: Uint8Array) {
    this.#cursor = new PickleCursor(bytes);
  }

  run(): Item {
    this.#readProtocol();
    for (let count = 0; count < MAX_OPCODES; count++) {
      const position = this.#cursor.position;
      const opcode = opcodeName(this.#cursor.uint8());
      if (opcode === "STOP") return this.#finish();
      if (!this.#pushValue(opcode) && !this.#collect(opcode) && !this.#arrange(opcode)) {
        refuse(`opcode ${opcode} at byte ${position}`, "one that plain values and arrays use");
      }
    }
    return refuse(`more than ${MAX_OPCODES} opcodes`, "fewer");
  }

  /** Protocols 0 and 1 have no header. */
  #readProtocol(): void {
    const first = this.#cursor.peek();
    if (first === undefined || opcodeName(first) !== "PROTO") return;
    this.#cursor.uint8();
    const protocol = this.#cursor.uint8();
    if (protocol < 2 || protocol > 5) refuse(`protocol ${protocol}`, "protocol 2 to 5");
  }

  #finish(): Item {
    const { left } = this.#cursor;
    if (left > 0) refuse(`${left} bytes after its end`, "none");
    const item = this.#pop();
    if (this.#stack.length + this.#marks.length > 0) refuse("several values", "a single one");
    return item;
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
      case "INT":
        return this.#push(cursor.intLine());
      case "LONG":
        return this.#pushInt(cursor.decimal());
      case "BININT":
        return this.#pushInt(cursor.int32());
      case "BININT1":
        return this.#pushInt(cursor.uint8());
      case "BININT2":
        return this.#pushInt(cursor.uint16());
      case "LONG1":
        return this.#pushInt(cursor.long(cursor.uint8()));
      case "LONG4":
        return this.#pushInt(cursor.long(cursor.uint32()));
      case "FLOAT":
        return this.#push({ type: "float", value: cursor.floatLine() });
      case "BINFLOAT":
        return this.#push({ type: "float", value: cursor.float64() });
      case "UNICODE":
        return this.#push(cursor.textLine());
      case "SHORT_BINUNICODE":
        return this.#pushText(cursor.uint8());
      case "BINUNICODE":
        return this.#pushText(cursor.uint32());
      case "BINUNICODE8":
        return this.#pushText(cursor.uint64());
      case "STRING":
        return this.#push({ type: "string", stored: cursor.quotedLine() });
      case "SHORT_BINSTRING":
        return this.#push({ type: "string", stored: cursor.bytes(cursor.uint8()) });
      case "BINSTRING":
        return this.#push({ type: "string", stored: cursor.bytes(cursor.uint32()) });
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
      default:
        return false;
    }
  }

  /** Executes opcodes that make or fill tuples, lists and dicts; returns `false` for others. */
  #collect(opcode: string): boolean {
    switch (opcode) {
      case "EMPTY_TUPLE":
        return this.#push({ type: "tuple", items: [] });
      case "TUPLE":
        return this.#push({ type: "tuple", items: this.#popToMark(opcode) });
      case "TUPLE1":
      case "TUPLE2":
      case "TUPLE3":
        return this.#push({ type: "tuple", items: this.#popMany(Number(opcode.at(-1))) });
      case "EMPTY_LIST":
        return this.#push({ type: "list", items: [] });
      case "LIST":
        return this.#push({ type: "list", items: this.#popToMark(opcode) });
      case "APPEND":
        return this.#append(this.#popMany(1));
      case "APPENDS":
        return this.#append(this.#popToMark(opcode));
      case "EMPTY_DICT":
        return this.#push({ type: "dict", entries: [] });
      case "DICT":
        return this.#push({ type: "dict", entries: pairsOf(this.#popToMark(opcode)) });
      case "SETITEM":
        return this.#setItems(this.#popMany(2));
      case "SETITEMS":
        return this.#setItems(this.#popToMark(opcode));
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
        return this.#memoize(this.#memo.size);
      case "PUT":
        return this.#memoize(this.#cursor.slotLine());
      case "BINPUT":
        return this.#memoize(this.#cursor.uint8());
      case "LONG_BINPUT":
        return this.#memoize(this.#cursor.uint32());
      case "GET":
        return this.#recall(this.#cursor.slotLine());
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

  #pushInt(value: number | bigint): true {
    return this.#push({ type: "int", value });
  }

  #pushText(length: number): true {
    return this.#push({ type: "text", stored: this.#cursor.bytes(length), latin1: false });
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

  #append(items: Item[]): true {
    const target = this.#stack[this.#indexBelow(1)];
    if (target.type !== "list") return refuse(`items for ${describe(target)}`, "a list");
    for (const item of items) target.items.push(item);
    return true;
  }

  #setItems(items: Item[]): true {
    const target = this.#stack[this.#indexBelow(1)];
    if (target.type !== "dict") return refuse(`entries for ${describe(target)}`, "a dict");
    for (const entry of pairsOf(items)) target.entries.push(entry);
    return true;
  }

  #memoize(slot: number): true {
    if (slot >= MAX_OPCODES) refuse(`memo slot ${slot}`, `one below ${MAX_OPCODES}`);
    this.#memo.set(slot, this.#stack[this.#indexBelow(1)]);
    return true;
  }

  #recall(slot: number): true {
    const item = this.#memo.get(slot);
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

  #popToMark(opcode: string): Item[] {
    const mark = this.#marks.pop();
    if (mark === undefined) return refuse("no mark on the stack", `one for ${opcode}`);
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

/** Keys and values, which take turns. */
function pairsOf(items: Item[]): [key: Item, value: Item][] {
  if (items.length % 2 === 1) refuse(`${items.length} keys and values`, "a value for each key");
  return Array.from({ length: items.length / 2 }, (_, at) => [items[2 * at], items[2 * at + 1]]);
}

export type { NumpyArray } from "./numpy.ts";
export type { PickledValue } from "./result.ts";
export { ARRAY_SUFFIX, arrayPrefix, bytesPickle } from "./pickler.ts";
