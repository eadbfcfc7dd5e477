/** The list of media in messages, and what they add up to. */
import { FormatError } from "../../base/errors.ts";
import type { MediaTrack } from "../../media/frame.ts";
import { PROTOCOL_VERSION } from "./framing.ts";
import {
  encodeJson,
  type JsonObject,
  optionalBoolean,
  optionalNumber,
  optionalText,
  optionalWord,
  parseJsonObject,
  required,
  toList,
  toObject,
} from "./json.ts";
import { DEFAULT_KINDS, LIST_KINDS, type ListEntry } from "./response.ts";

/** One message of a list. */
export interface ListPiece {
  /** Entries that are new, or take the place of those of the same names. */
  entries: readonly ListEntry[];
  /** Names that are not listed any more. */
  removed?: readonly string[];
  /** Further messages complete the list. @default false */
  more?: boolean;
  /** Messages with changes come once it is complete. @default false */
  follow?: boolean;
}

const TEXT = { pattern: /^[^]{0,65536}$/, expected: "a text" };
const BYTES = { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true };
const SECONDS = { min: 0, max: 1e10 };
/** Milliseconds since 1970, as far as dates reach (ECMA-262, section 21.4.1.1). */
const TIME = { min: -8.64e15, max: 8.64e15 };
const PIXELS = { min: 1, max: 65535, integer: true };
const DEGREES = { min: 0, max: 360 };
const CHANNELS = { min: 1, max: 1024, integer: true };

/** Entries of a list; a server lists 10,000 files, and its live sources. */
const MAX_ENTRIES = 100_000;

/** Types of the tracks of files. */
const TRACK_TYPES = ["video", "audio", "subtitles"] as const;

/** Tracks of an entry to read; further ones are ignored. */
const MAX_TRACKS = 256;

/** Encodes the payload of a list. */
export function encodeList(piece: ListPiece): Uint8Array<ArrayBuffer> {
  return encodeJson({ version: PROTOCOL_VERSION, ...piece });
}

/**
 * Parses the payload of a list.
 *
 * @throws {FormatError} for anything malformed
 */
export function parseList(payload: Uint8Array): ListPiece {
  const object = parseJsonObject(payload, "list");
  return {
    entries: toList(object.entries, "entries").map((entry) => readEntry(toObject(entry, "entry"))),
    removed: toList(object.removed ?? [], "removed").filter((name) => typeof name === "string"),
    more: optionalBoolean(object, "more"),
    follow: optionalBoolean(object, "follow"),
  };
}

/** Whether no further message of the list follows this one; true also for a malformed one. */
export function isWholeList(payload: Uint8Array): boolean {
  try {
    const { more, follow } = parseList(payload);
    return !more && !follow;
  } catch (error) {
    if (error instanceof FormatError) return true;
    throw error;
  }
}

function readEntry(entry: JsonObject): ListEntry {
  return {
    name: required(optionalText(entry, "name", TEXT), "name"),
    kind: required(optionalWord(entry, "kind", LIST_KINDS), "kind"),
    live: optionalBoolean(entry, "live") ?? false,
    size: optionalNumber(entry, "size", BYTES) ?? 0,
    modified: optionalNumber(entry, "modified", TIME),
    duration: optionalNumber(entry, "duration", SECONDS),
    codec: optionalText(entry, "codec", TEXT) ?? "",
    width: optionalNumber(entry, "width", PIXELS),
    height: optionalNumber(entry, "height", PIXELS),
    published: optionalBoolean(entry, "published"),
    defaultFor: optionalWord(entry, "defaultFor", DEFAULT_KINDS),
    rotation: optionalNumber(entry, "rotation", DEGREES),
    tracks: readTracks(entry),
    problem: optionalText(entry, "problem", TEXT),
    pending: optionalBoolean(entry, "pending"),
  };
}

function readTracks({ tracks }: JsonObject): MediaTrack[] | undefined {
  if (tracks === undefined || tracks === null) return undefined;
  return toList(tracks, "tracks").slice(0, MAX_TRACKS).map((value) => {
    const track = toObject(value, "track");
    return {
      type: required(optionalWord(track, "type", TRACK_TYPES), "type"),
      codec: optionalText(track, "codec", TEXT) ?? "",
      language: optionalText(track, "language", TEXT),
      title: optionalText(track, "title", TEXT),
      default: optionalBoolean(track, "default"),
      channels: optionalNumber(track, "channels", CHANNELS),
    };
  });
}

/** The list of media as far as its messages have come. */
export class ListedMedia {
  #entries = new Map<string, ListEntry>();
  #isComplete = false;

  /** Whether the whole list was there once; after that, messages change it. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** Number of entries without details. */
  get pending(): number {
    return this.#entries.values().reduce((sum, { pending }) => sum + (pending ? 1 : 0), 0);
  }

  /** Live sources as the server orders them, then files in the order of names. */
  get entries(): ListEntry[] {
    const entries = [...this.#entries.values()];
    const files = entries.filter(({ live }) => !live).map((entry) => ({
      entry,
      // As a walk through folders meets them: no character comes before the end of a part.
      key: entry.name.replaceAll("/", "\0"),
    }));
    files.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
    return [...entries.filter(({ live }) => live), ...files.map(({ entry }) => entry)];
  }

  /** The entry of a name. */
  find(name: string): ListEntry | undefined {
    return this.#entries.get(name);
  }

  /**
   * Adds a message.
   *
   * @throws {FormatError} if the list has become too long
   */
  add({ entries, removed = [], more = false }: ListPiece): void {
    for (const name of removed) this.#entries.delete(name);
    for (const entry of entries) this.#entries.set(entry.name, entry);
    if (this.#entries.size > MAX_ENTRIES) {
      throw new FormatError(`Cannot take the list: it has more than ${MAX_ENTRIES} entries`);
    }
    this.#isComplete ||= !more;
  }
}
