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
