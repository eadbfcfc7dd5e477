/** Mutates JSON into valid JSON that is mostly no valid message. */
import { mutateBytes, type Mutator } from "./mutate_bytes.ts";
import type { Random } from "./random.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Depth of nesting that overflows a recursive parser. */
const DEEP = 3000;

/** Unusual values, as JSON. */
const ODD = [
  ...["null", "true", "false", "0", "-0", "1", "-1", "0.5", "1e308", "-1e308", "1e999", "5e-324"],
  ...["2147483647", "2147483648", "4294967296", "9007199254740991", "9007199254740993", "65536"],
  ...['""', '" "', '"0"', '"NaN"', '"\\u0000"', '"\\ud800"', '"\\udc00x"', '"\\u2028"', '"é"'],
  ...['"__proto__"', '"../../etc/passwd"', '"-i"', '"AAAA"', '"AAA="', '"A"', "[]", "{}", "[[]]"],
  ...["[0]", "[0,0]", "[1,1]", "[1,0]", "[-1,1]", "[1,2147483648]", '{"__proto__":{"x":1}}'],
];

/** Keys with a meaning in JavaScript. */
const ODD_KEYS = ["__proto__", "constructor", "toString", "", "length", "version", "id", "name"];

/** Changes values, keys and their order, and sometimes bytes. */
export const mutateJson: Mutator = (input, others, random) => {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(input));
  } catch {
    return mutateBytes(input, others, random);
  }
  let text = JSON.stringify(value);
  for (let count = 1 + random.size(6); count > 0; count--) text = changeOnce(text, others, random);
  const bytes = encoder.encode(text);
  return random.once(5) ? mutateBytes(bytes, others, random) : bytes;
};

/** Marks the position of raw JSON, which `JSON.stringify` cannot write. */
const MARK = "\u{f8ff}here";

function changeOnce(text: string, others: readonly Uint8Array[], random: Random): string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text;
  }
  const odd = oddValue(others, random);
  const changed = JSON.stringify(change(value, random));
  return changed.replaceAll(JSON.stringify(MARK), () => odd);
}

/** A value as it is written. */
function oddValue(others: readonly Uint8Array[], random: Random): string {
  switch (random.below(12)) {
    case 0:
      return JSON.stringify("x".repeat(random.pick([1, 2, 60, 64, 65, 1024, 1025, 4097])));
    case 1:
      if (random.once(40)) return JSON.stringify("x".repeat(60_000));
      return random.once(40) ? "[".repeat(DEEP) + "]".repeat(DEEP) : '{"a":[{"b":[null]}]}';
    case 2: {
      const other = decoder.decode(random.pick(others));
      return isJson(other) ? other : "0";
    }
    case 3:
      return String((random.below(2 ** 32) - 2 ** 31) / random.pick([1, 3, 1000]));
    default:
      return random.pick(ODD);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A value in which one place is marked, gone, or somewhere else. */
function change(value: unknown, random: Random): unknown {
  if (Array.isArray(value) && value.length > 0 && !random.once(8)) {
    const items = [...value];
    const at = random.below(items.length);
    switch (random.below(6)) {
      case 0:
        items.splice(at, 1);
        break;
      case 1:
        items.push(...Array(random.pick([1, 2, 100])).fill(items[at]));
        break;
      case 2:
        items.reverse();
        break;
      default:
        items[at] = change(items[at], random);
    }
    return items;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value) || random.once(16)) {
    return MARK;
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return { [random.pick(ODD_KEYS)]: MARK };
  const at = random.below(entries.length);
  const [key, inner] = entries[at];
  switch (random.below(8)) {
    case 0:
      entries.splice(at, 1);
      break;
    case 1:
      entries.push([random.pick(ODD_KEYS), MARK]);
      break;
    case 2:
      entries[at] = [random.pick(ODD_KEYS), inner];
      break;
    case 3: // another's value
      entries[at] = [key, random.pick(entries)[1]];
      break;
    default:
      entries[at] = [key, change(inner, random)];
  }
  return Object.fromEntries(entries);
}
