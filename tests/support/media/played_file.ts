/** Plays files without a connection, for tests of resuming. */
import { createHash } from "node:crypto";
import { MAX_FRAME_SIZE, type StreamDescription } from "../../../lib/media/frame.ts";
import type { ResumePoint } from "../../../lib/protocol/native/request.ts";
import type { Notice } from "../../../lib/protocol/native/response.ts";
import { Controls } from "../../../lib/server/playback/controls.ts";
import { Player } from "../../../lib/server/playback/player.ts";
import { openResumePlan, Resume } from "../../../lib/server/playback/resume.ts";
import { ResumeSearch } from "../../../lib/server/playback/resume_search.ts";
import { partFrom } from "../../../lib/sources/cache/sought.ts";
import { openDecoder } from "../../../lib/sources/file/decoder.ts";
import type { MediaFile } from "../../../lib/sources/file/library.ts";
import type { MediaOptions } from "../../../lib/sources/file/plan.ts";
import type { WholeFrame } from "../peers/cut_responses.ts";

/** The result of {@linkcode play}. */
export interface Played {
  streams: readonly StreamDescription[];
  frames: WholeFrame[];
  notices: Notice[];
  /** Options of each time that the file was opened. */
  opened: MediaOptions[];
  warning: string | undefined;
}

/** Options of {@linkcode play}. */
export interface PlayOptions {
  /** Frames that the client already has. */
  resume?: ResumePoint[];
  loop?: boolean;
  /** Largest number of frames. */
  limit?: number;
  /** Milliseconds. */
  now?: () => number;
  controls?: Controls;
  /** Replaces the options of a part. */
  instead?: (part: MediaOptions) => MediaOptions;
}

/** Plays a file as fast as possible. */
export async function play(
  file: MediaFile,
  options: MediaOptions,
  playOptions: PlayOptions = {},
): Promise<Played> {
  const { resume, loop = false, limit = Infinity, now, controls = immediate() } = playOptions;
  const { instead = (part) => part } = playOptions;
  const opened: MediaOptions[] = [];
  const open = (part: MediaOptions) => {
    opened.push(part);
    return openDecoder(file, {
      ...instead(part),
      maxFrameSize: MAX_FRAME_SIZE,
      signal: controls.current,
    });
  };
  await using first = await open(options);
  const { streams } = first;
  const search = resume && new ResumeSearch(new Resume(resume, streams), {
    ...{ file, options, loop, streams },
    clock: now && { now },
  });
  const player = new Player(first, {
    ...{ file, options, loop, controls, open, onSoughtEnd: () => {}, search },
    openParts: (parts) => openResumePlan(parts, { options, open }),
    openSought: async (to) => ({ source: await open(partFrom(options, to)), from: to }),
  });
  const frames: WholeFrame[] = [];
  const notices: Notice[] = [];
  for await (const step of player.steps()) {
    if (step.kind === "notice") notices.push(step.notice);
    if (step.kind !== "frame") continue;
    const { streamId, timestamp, keyframe, discontinuity = false, data } = step.frame;
    frames.push({
      ...{ streamId, timestamp, keyframe, discontinuity, dropped: false, size: data.byteLength },
      md5: createHash("md5").update(data).digest("hex"),
      data: data.slice(),
    });
    if (frames.length >= limit) break;
  }
  return { streams, frames, notices, opened, warning: player.warning };
}

/** Controls of a request that is played as fast as possible. */
export function immediate(): Controls {
  const controls = new Controls({ command: "get_video", speed: 0 });
  controls.attach(new AbortController().signal);
  controls.begin({ seekable: true });
  return controls;
}
