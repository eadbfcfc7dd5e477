/** Pairs under comparison, so that cycles end. */
type Seen = Map<unknown, unknown>;

/** Classes whose instances are compared by their text. */
const TEXTUAL: readonly unknown[] = [
  ...[Intl.Locale, RegExp, URL, URLSearchParams],
  ...[Temporal.Duration, Temporal.Instant, Temporal.ZonedDateTime],
  ...[Temporal.PlainDate, Temporal.PlainDateTime, Temporal.PlainTime],
  ...[Temporal.PlainMonthDay, Temporal.PlainYearMonth],
].map((constructor) => constructor.prototype);

/**
 * Whether two values are deeply equal: same prototype, same content.
 *
 * `NaN` equals itself and 0 equals -0; properties that are `undefined` differ from absent ones;
 * keys of maps and members of sets are compared deeply and without order.
 *
 * Stands in for the function of the same name in `@std/assert` 1.0.19.
 *
 * @throws {TypeError} for weak maps and weak sets, whose content cannot be read
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!samePrototype(a, b)) return false;
  if (isTypedArray(a) && isTypedArray(b)) return sameElements(a, b);
  if (isBuffer(a) && isBuffer(b)) return sameElements(new Uint8Array(a), new Uint8Array(b));
  for (const weak of [WeakMap, WeakSet]) {
    if (a instanceof weak) throw new TypeError(`Cannot compare ${weak.name} instances`);
  }
  if (a instanceof WeakRef && b instanceof WeakRef) return compare(a.deref(), b.deref(), seen);
  if (seen.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  seen.set(a, b);
  if (isCollection(a) && isCollection(b)) return sameMembers(a, b, seen);
  if (TEXTUAL.includes(Object.getPrototypeOf(a))) return String(a) === String(b);
  return sameProperties(a, b, seen);
}

/** An object without a prototype counts as a plain one. */
function samePrototype(a: object, b: object): boolean {
  return (Object.getPrototypeOf(a) ?? Object.prototype) ===
    (Object.getPrototypeOf(b) ?? Object.prototype);
}

type Elements = ArrayLike<number | bigint>;

function isTypedArray(value: object): value is object & Elements {
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

function isBuffer(value: object): value is ArrayBufferLike {
  return value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function sameElements(a: Elements, b: Elements): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) {
    if (a[at] !== b[at] && !Object.is(a[at], b[at])) return false;
  }
  return true;
}

type Collection = Set<unknown> | Map<unknown, unknown>;

function isCollection(value: object): value is Collection {
  return value instanceof Set || value instanceof Map;
}

/**
 * Whether each member has an equal in the other collection. As in the original, several members may
 * have the same one.
 */
function sameMembers(a: Collection, b: Collection, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  const others = new Map<unknown, unknown>(b.entries());
  for (const [key, value] of a.entries()) {
    const candidates = isObject(key)
      ? others
      : others.has(key)
      ? [[key, others.get(key)] as const]
      : [];
    let found = false;
    for (const [otherKey, otherValue] of candidates) {
      found = compare(key, otherKey, seen) && compare(value, otherValue, seen);
      if (found) break;
    }
    if (!found) return false;
  }
  return true;
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Own properties of plain objects and arrays; all of others, including class getters. */
function sameProperties(a: object, b: object, seen: Seen): boolean {
  const isPlain = [null, Object.prototype, Array.prototype].includes(Object.getPrototypeOf(a));
  const keysOf = isPlain ? enumerableKeys : inheritedKeys;
  const keys = new Set([...keysOf(a), ...keysOf(b)]);
  return [...keys].every((key) =>
    key in a === key in b && compare(Reflect.get(a, key), Reflect.get(b, key), seen)
  );
}

function enumerableKeys(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) =>
    Object.prototype.propertyIsEnumerable.call(value, key)
  );
}

function inheritedKeys(value: object): PropertyKey[] {
  const parent = Object.getPrototypeOf(value);
  const inherited = parent === null || parent === Object.prototype ? [] : inheritedKeys(parent);
  return [...Reflect.ownKeys(value), ...inherited];
}
