import { printable } from "../core/log.ts";
import type { ListEntry } from "../wire/answer.ts";
import { formatBytes, formatTime } from "./progress.ts";

/** Renders the list of media as columns: name, kind, size, duration, codec, and the picture's size. */
export function renderList(entries: readonly ListEntry[]): string {
  if (entries.length === 0) return "The server has no media\n";
  const rows = [
    ["NAME", "KIND", "SIZE", "DURATION", "CODEC", "PICTURE"],
    ...entries.map((entry) => [
      printable(entry.name),
      entry.live ? `${entry.kind}, live` : entry.kind,
      entry.live ? "-" : formatBytes(entry.size),
      entry.live || entry.duration === undefined ? "-" : formatTime(entry.duration),
      printable(entry.codec) || "-",
      entry.width === undefined ? "-" : `${entry.width}x${entry.height}`,
    ]),
  ];
  const widths = rows[0].map((_, column) =>
    Math.max(...rows.map((row) => [...row[column]].length))
  );
  const lines = rows.map((row) =>
    row.map((cell, column) => cell + " ".repeat(widths[column] - [...cell].length)).join("  ")
      .trimEnd()
  );
  return `${lines.join("\n")}\n`;
}
