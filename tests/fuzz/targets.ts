/** All that is fuzzed. */
import type { MediaFolder } from "../support/media/media_folder.ts";
import { ADDRESS_TARGET } from "./address_targets.ts";
import { CODEC_TARGETS } from "./codec_targets.ts";
import { DATAGRAM_TARGETS } from "./datagram_targets.ts";
import { FRAMING_TARGETS } from "./framing_targets.ts";
import { GATEWAY_TARGETS } from "./gateway_targets.ts";
import { headerTarget } from "./header_targets.ts";
import { matroskaTarget } from "./matroska_targets.ts";
import { MESSAGE_TARGETS } from "./message_targets.ts";
import { mp4FileTarget } from "./mp4_file_targets.ts";
import { mp4Target } from "./mp4_targets.ts";
import { nutTarget } from "./nut_targets.ts";
import { PICKLE_TARGETS } from "./pickle_targets.ts";
import { SCRIPT_TARGETS } from "./script_targets.ts";
import type { Target } from "./target.ts";

/**
 * All targets that need no server.
 *
 * @param folder for the files that FFmpeg makes for some of them
 */
export async function openTargets(folder: MediaFolder): Promise<Target[]> {
  return [
    ...MESSAGE_TARGETS,
    ...FRAMING_TARGETS,
    ...PICKLE_TARGETS,
    ...SCRIPT_TARGETS,
    ...DATAGRAM_TARGETS,
    ...GATEWAY_TARGETS,
    ...CODEC_TARGETS,
    ADDRESS_TARGET,
    ...await Promise.all([
      nutTarget(folder),
      mp4Target(folder),
      mp4FileTarget(folder),
      matroskaTarget(folder),
      headerTarget(folder),
    ]),
  ];
}
