/** What other programs print, as values. Pure. */

/**
 * Adds up what the shell's `times` prints: minutes and seconds, user and system, in one line for
 * the shell and one for all that it has run.
 *
 * @returns seconds, of what the shell has run
 * @throws {Error} where it is something else
 */
export function parseTimes(text: string): number {
  const [, user, system] = text.match(/^.*\n(\S+) (\S+)\n$/) ?? [];
  const seconds = [user, system].map((time = "") => {
    const [, minutes, rest] = time.match(/^(\d+)m(\d+(?:[.,]\d+)?)s$/) ?? [];
    return Number(minutes) * 60 + Number(rest?.replace(",", "."));
  });
  const sum = seconds[0] + seconds[1];
  if (Number.isNaN(sum)) throw new Error(`Cannot read times: "${text}"`);
  return sum;
}

/** A line of Linux's table of TCP connections over IPv4. */
export interface TcpEntry {
  /** Ports, of this end and of the other. */
  local: number;
  remote: number;
  isListening: boolean;
  isConnected: boolean;
}

/** Reads `/proc/net/tcp`, as proc(5) describes it. */
export function parseTcpTable(text: string): TcpEntry[] {
  const lines = text.matchAll(
    /^ *\d+: [0-9A-F]{8}:([0-9A-F]{4}) [0-9A-F]{8}:([0-9A-F]{4}) ([0-9A-F]{2}) /gm,
  );
  return Array.from(lines, ([, local, remote, state]) => ({
    local: parseInt(local, 16),
    remote: parseInt(remote, 16),
    isListening: state === "0A",
    isConnected: state === "01",
  }));
}

/**
 * Reads a line of `gst-launch-1.0 -v` in which a `fakesink` tells what it has taken.
 *
 * @returns bytes of a buffer, `undefined` where the line tells something else
 */
export function parseChainLine(line: string): number | undefined {
  const [, size] = line.match(/ last-message = chain .*?\((\d+) bytes, /) ?? [];
  return size === undefined ? undefined : Number(size);
}

/**
 * Reads a line of `ffmpeg -v verbose` in which an output tells, at its end, what it was given.
 *
 * @returns frames and their bytes, `undefined` where the line tells something else
 */
export function parseMuxed(line: string): { frames: number; bytes: number } | undefined {
  const [, frames, bytes] = line.match(
    /^ *Output stream #0:0 \(video\): (\d+) packets muxed \((\d+) bytes\)/,
  ) ?? [];
  return frames === undefined ? undefined : { frames: Number(frames), bytes: Number(bytes) };
}
