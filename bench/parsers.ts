/** Parsers for the output of other programs. */

/**
 * Parses the shell's `times`: user and system time in minutes and seconds, one line for the shell
 * and one for its children.
 *
 * @returns total of the children, seconds
 * @throws {Error} if the text is invalid
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
  /** Local and remote port. */
  local: number;
  remote: number;
  isListening: boolean;
  isConnected: boolean;
}

/** Parses `/proc/net/tcp`, see proc(5). */
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
 * Parses a line of `gst-launch-1.0 -v` in which a `fakesink` reports a buffer.
 *
 * @returns bytes of the buffer, `undefined` for other lines
 */
export function parseChainLine(line: string): number | undefined {
  const [, size] = line.match(/ last-message = chain .*?\((\d+) bytes, /) ?? [];
  return size === undefined ? undefined : Number(size);
}

/**
 * Parses the line of `ffmpeg -v verbose` in which an output reports its totals.
 *
 * @returns frames and their bytes, `undefined` for other lines
 */
export function parseMuxed(line: string): { frames: number; bytes: number } | undefined {
  const [, frames, bytes] = line.match(
    /^ *Output stream #0:0 \(video\): (\d+) packets muxed \((\d+) bytes\)/,
  ) ?? [];
  return frames === undefined ? undefined : { frames: Number(frames), bytes: Number(bytes) };
}
