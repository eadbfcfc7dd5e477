import type { Encoding } from "../core/frame.ts";
import type { Notice } from "../wire/answer.ts";
import { formatBytes } from "./progress.ts";

/** What was asked for, as far as it decides what helps. */
export interface Asked {
  encoding: Encoding;
  /** It is written to a file, and not looked at. */
  recording: boolean;
}

/** What a notice says to the user; `undefined` where the progress line tells it. */
export function describeNotice(notice: Notice, asked: Asked): string | undefined {
  if (notice.code === "dropped") return undefined;
  if (notice.code === "slow_link") return describeSlowLink(notice, asked);
  return notice.message || notice.code;
}

function describeSlowLink({ message, needed, achieved }: Notice, asked: Asked): string {
  const said = needed === undefined || achieved === undefined
    ? message || "The link is too slow"
    : `The link is too slow: ${formatBytes(needed)}/s needed, ${formatBytes(achieved)}/s achieved`;
  return `${said}; try ${helpFor(asked)}`;
}

/** The flags that take less of the link. */
function helpFor({ encoding, recording }: Asked): string {
  switch (encoding) {
    case "raw":
      return recording ? "--encoding copy, or --encoding h264" : "--encoding h264, or --size";
    case "mjpeg":
      return "--encoding h264, or a lower --quality";
    case "copy":
      return "--encoding h264 with --bitrate or --size";
    case "h264":
      return "a lower --bitrate, or --size";
  }
}
