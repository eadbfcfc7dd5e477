/** Where a program listens, or connects to. */
export interface Address {
  /** Name or IP address. */
  hostname: string;
  /** TCP port. */
  port: number;
}

/** Writes an address the way users type it: `127.0.0.1:7777`, `[::1]:7777`. */
export function formatAddress({ hostname, port }: Address): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/**
 * What counts as one peer: of IPv4 the address, also where that is written as one of IPv6, of IPv6
 * the network of 64 bits, of which a peer has all addresses.
 *
 * @returns `10.0.0.1`, or `2001:db8:0:7::/64`
 */
export function networkOf(address: string): string {
  const inside = address.match(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i)?.[1];
  if (inside !== undefined) return inside;
  if (!address.includes(":")) return address;
  const [head, tail] = address.split("::");
  const start = head === "" ? [] : head.split(":");
  const end = tail === undefined || tail === "" ? [] : tail.split(":");
  const missing = tail === undefined ? 0 : 8 - start.length - end.length;
  const groups = [...start, ...Array(Math.max(0, missing)).fill("0"), ...end];
  const network = groups.slice(0, 4).map((group) => parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}
