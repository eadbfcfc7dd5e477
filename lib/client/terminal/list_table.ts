/** The list of media for the user. */
import { padText, shortenEnd, shortenMiddle, textWidth } from "../../base/text_width.ts";
import { printable } from "../../base/log.ts";
import type { MediaTrack } from "../../media/frame.ts";
import type { ListEntry } from "../../protocol/native/response.ts";
import { formatBytes, formatCount, formatTime } from "./progress.ts";

/** Options of {@linkcode renderList}. */
export interface ListTableOptions {
  /** Columns of the terminal: rows are not wider. @default Infinity */
  columns?: number;
  /** Details and tracks stand below each row. @default false */
  long?: boolean;
}

const TITLES = ["NAME", "KIND", "SIZE", "DURATION", "CODEC", "PICTURE"];

/** Between two columns of the table. */
const GAP = "  ";

/** Columns that a name takes at least, however narrow the terminal is. */
const MIN_NAME = 12;

/** Renders the list of media as a table, and below it the files that cannot be read. */
export function renderList(
  entries: readonly ListEntry[],
  { columns = Infinity, long = false }: ListTableOptions = {},
): string {
  if (entries.length === 0) return "The server has no media\n";
  const readable = entries.filter(({ problem }) => problem === undefined);
  const rows = [TITLES, ...readable.map(cellsOf)];
  const widths = TITLES.map((_, column) => Math.max(...rows.map((row) => textWidth(row[column]))));
  const [nameWidth, ...otherWidths] = widths;
  const others = otherWidths.reduce((sum, width) => sum + GAP.length + width, 0);
  const room = Math.max(MIN_NAME, columns - others);
  const lines = rows.flatMap(([name, ...cells], at) => [
    [shortenMiddle(name, room), ...cells]
      .map((cell, column) =>
        padText(cell, column === 0 ? Math.min(nameWidth, room) : widths[column])
      )
      .join(GAP).trimEnd(),
    ...(long && at > 0 ? detailsOf(readable[at - 1]) : []),
  ]);
  const table = readable.length > 0 ? lines : [];
  const text = [...table, ...problemLines(entries, columns)]
    .map((line) => `${shortenEnd(line, columns)}\n`);
  return text.join("");
}

/** Renders an entry as one line, for changes of a list. */
export function renderEntry(entry: ListEntry): string {
  const { name, kind, size, problem, pending } = entry;
  if (problem !== undefined) return `${printable(name)}${GAP}cannot be read: ${printable(problem)}`;
  if (pending) return `${printable(name)}${GAP}${kind}, ${formatBytes(size)} so far`;
  const cells = cellsOf(entry).filter((cell) => cell !== "-");
  return cells.join(GAP);
}

/** The texts of a row. */
function cellsOf(entry: ListEntry): string[] {
  const { name, kind, live, published, size, duration, codec, width, height } = entry;
  return [
    printable(name),
    [kind, live ? "live" : "", published ? "published" : ""].filter((word) => word !== "")
      .join(", "),
    live ? "-" : formatBytes(size),
    live || duration === undefined ? "-" : formatTime(duration),
    printable(codec) || "-",
    width === undefined ? "-" : `${width}x${height}`,
  ];
}

/** Lines below the row of an entry: its exact size, how it is turned, and its tracks. */
function detailsOf({ live, size, duration, rotation, tracks = [] }: ListEntry): string[] {
  if (live) return [];
  const about = [
    `${size.toLocaleString("en-US")} bytes`,
    duration === undefined ? "" : `${duration} s`,
    rotation === undefined ? "" : `turned by ${rotation} degrees`,
  ];
  const numbers = new Map<MediaTrack["type"], number>();
  const lines = tracks.map((track) => {
    const number = (numbers.get(track.type) ?? 0) + 1;
    numbers.set(track.type, number);
    return `${track.type} ${number}: ${describeTrack(track)}`;
  });
  return [about.filter((text) => text !== "").join(", "), ...lines].map((line) => `    ${line}`);
}

function describeTrack(
  { codec, language, title, channels, default: isDefault }: MediaTrack,
): string {
  const parts = [
    codec,
    channels === undefined ? "" : formatCount(channels, "channel"),
    language ?? "",
    title === undefined ? "" : `"${title}"`,
    isDefault ? "default" : "",
  ];
  return printable(parts.filter((part) => part !== "").join(", "));
}

/** The files that cannot be read, and why. */
function problemLines(entries: readonly ListEntry[], columns: number): string[] {
  const unreadable = entries.filter(({ problem }) => problem !== undefined);
  if (unreadable.length === 0) return [];
  const names = unreadable.map(({ name }) => printable(name));
  const width = Math.min(
    Math.max(...names.map(textWidth)),
    Math.max(MIN_NAME, Math.floor(columns / 2)),
  );
  return [
    `Cannot be read (${formatCount(unreadable.length, "file")}):`,
    ...unreadable.map(({ problem = "" }, at) =>
      `  ${padText(shortenMiddle(names[at], width), width)}${GAP}${printable(problem)}`
    ),
  ];
}
