/** Pairs under comparison, so that cycles end. */
type Seen = Map<unknown, unknown>;

/**
 * Whether two values are equal in depth: same prototype, same content.
 *
 * `NaN` equals itself and 0 equals -0; properties that are `undefined` differ from absent ones; keys
 * of maps and members of sets are compared in depth, their order is not.
 *
 * Stands in for the function of the same name in `@std/assert` 1.0.19.
 *
 * @throws {TypeError} for weak maps and weak sets, whose content cannot be read
 */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, seen: Seen): boolean {
  if (Object.is(a, b) || (typeof a === "number" && a === b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (!samePrototype(a, b)) return false;
  if (a instanceof RegExp || a instanceof URL || a instanceof URLSearchParams) {
    return String(a) === String(b);
  }
  for (const weak of [WeakMap, WeakSet]) {
    if (a instanceof weak) throw new TypeError(`Cannot compare ${weak.name} instances`);
  }
  if (a instanceof WeakRef && b instanceof WeakRef) return compare(a.deref(), b.deref(), seen);
  if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) return sameView(a, b);
  if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
    return sameElements(new Uint8Array(a), new Uint8Array(b));
  }
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Set && b instanceof Set) return sameMembers(a, b, seen);
  if (a instanceof Map && b instanceof Map) return sameMembers(a, b, seen);
  return sameProperties(a, b, seen);
}

/** An object without a prototype counts as a plain one. */
function samePrototype(a: object, b: object): boolean {
  return (Object.getPrototypeOf(a) ?? Object.prototype) ===
    (Object.getPrototypeOf(b) ?? Object.prototype);
}

function sameView(a: ArrayBufferView, b: ArrayBufferView): boolean {
  if (a instanceof DataView) {
    return sameElements(
      new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
      new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
    );
  }
  return sameElements(
    a as unknown as ArrayLike<number | bigint>,
    b as unknown as ArrayLike<number | bigint>,
  );
}

function sameElements(a: ArrayLike<number | bigint>, b: ArrayLike<number | bigint>): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) {
    if (a[at] !== b[at] && !(Number.isNaN(a[at]) && Number.isNaN(b[at]))) return false;
  }
  return true;
}

type Collection = Set<unknown> | Map<unknown, unknown>;

function sameMembers(a: Collection, b: Collection, seen: Seen): boolean {
  if (a.size !== b.size) return false;
  const left = new Map(b.entries());
  return [...a.entries()].every(([key, value]) => {
    const candidates = isObject(key) ? left : left.has(key) ? [[key, left.get(key)]] : [];
    for (const [otherKey, otherValue] of candidates) {
      if (compare(key, otherKey, seen) && compare(value, otherValue, seen)) {
        return left.delete(otherKey);
      }
    }
    return false;
  });
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Plain objects and arrays by what they own; others by all they have, getters of classes too. */
function sameProperties(a: object, b: object, seen: Seen): boolean {
  if (Object.keys(a).length !== Object.keys(b).length) return false;
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
