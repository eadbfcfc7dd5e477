/** Feeds a media element from a WebSocket through Media Source Extensions, as fast as it plays. */
import { openPlay } from "./play_socket.js";
import { secondsAhead, StallError, StallWatch, UndecodableError } from "./stall_watch.js";

/**
 * @typedef {object} FeedEvents
 * @property {(info: import("./play_socket.js").MediaInfo) => void} info before the first data
 * @property {(event: import("./play_socket.js").PlayEvent) => void} event
 * @property {() => void} data after each append
 * @property {(end: import("./play_socket.js").PlayEnd) => void} end after the last append
 * @property {() => void} changed a live source goes on with other streams: a new request gets them
 * @property {(error: Error, undecodable: boolean) => void} failed no more data comes
 * @property {(time: number) => void} stalled playback cannot pass a time, in seconds, although more
 *   data comes
 * @property {() => void} interrupted a new source has paused the element while it played
 */

/** The constructor of media sources; iPhones have the managed one only. */
const Source = globalThis.MediaSource ??
  /** @type {typeof MediaSource | undefined} */ (Reflect.get(globalThis, "ManagedMediaSource"));

/** Names of codecs, and a media type that browsers accept if they play them. */
const PROBES = {
  h264: 'video/mp4; codecs="avc1.640028"',
  vp9: 'video/mp4; codecs="vp09.00.10.08"',
  av1: 'video/mp4; codecs="av01.0.05M.08"',
  "vp9-alpha": 'video/webm; codecs="vp9,opus"',
  hevc: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  opus: 'audio/mp4; codecs="opus"',
  flac: 'audio/mp4; codecs="flac"',
  mp3: 'audio/mp4; codecs="mp4a.6B"',
};

/** Seconds that are buffered ahead. */
const MAX_AHEAD = 30;

/** Bytes that are buffered ahead. */
const MAX_AHEAD_BYTES = 60e6;

/** Seconds that stay buffered behind the position. */
const KEEP_BEHIND = 60;

/** The same when the buffer of the browser is full. */
const KEEP_BEHIND_FULL = 5;

/** Seconds behind the live edge: after a seek to it, from which playback speeds up, and seeks. */
const LIVE_AHEAD = 0.3;
const LIVE_SLOW = 0.8;
const LIVE_LOST = 1.5;

/** Playback rate to catch up with the live edge: too little to be heard. */
const CATCH_UP_RATE = 1.05;

/** Milliseconds between two checks for room in the buffer, and between two requests. */
const INTERVAL = 200;

/** Feeds one media element. */
export class MediaFeed {
  /** Bytes received since the page was opened. */
  bytes = 0;
  #video;
  #on;
  /** @type {MediaSource | undefined} */
  #source;
  /** @type {SourceBuffer | undefined} */
  #buffer;
  #type = "";
  #address = "";
  #live = false;
  #rate = 1;
  /** Bytes received of the current response, and the time at which it begins, seconds. */
  #received = { bytes: 0, begin: 0 };
  #stalls;
  /** Time of the last request, milliseconds. */
  #requestedAt = -Infinity;
  /** Whether the response to the last request has begun. */
  #hasInfo = false;
  /** @type {AbortController | undefined} */
  #control;
  /** The end of the last feed; a new one waits for it. */
  #feeding = Promise.resolve();

  /**
   * @param {HTMLVideoElement} video
   * @param {FeedEvents} on
   */
  constructor(video, on) {
    this.#video = video;
    this.#on = on;
    this.#stalls = new StallWatch(video);
  }

  /** Whether more data is to come. */
  get isOpen() {
    return this.#control !== undefined;
  }

  /** Whether a response is pending that will replace the buffered data. */
  get isPending() {
    return this.isOpen && !this.#hasInfo;
  }

  /**
   * Seconds that are buffered from a time on; -1 if that time is not buffered.
   *
   * @param {number} time seconds
   */
  ahead(time = this.#video.currentTime) {
    return secondsAhead(this.#video, time);
  }

  /**
   * Requests media, which replaces the buffered data.
   *
   * @param {Record<string, string>} query of `/api/play`
   * @param {{ rate: number }} options playback rate
   */
  open(query, { rate }) {
    this.close();
    const control = new AbortController();
    this.#control = control;
    this.#hasInfo = false;
    this.#rate = rate;
    this.#feeding = this.#feeding.then(() => this.#feed(query, control.signal)).catch((error) => {
      if (control.signal.aborted) return;
      this.#control = undefined;
      if (error instanceof StallError) this.#on.stalled(error.time);
      else this.#on.failed(error, error instanceof UndecodableError);
    });
  }

  /** @param {number} rate playback rate */
  setRate(rate) {
    this.#rate = rate;
    if (!this.#live) this.#video.playbackRate = rate;
  }

  /** Stops the request; the buffered data stays. */
  close() {
    this.#control?.abort();
    this.#control = undefined;
  }

  /** Stops the request, and removes the buffered data. */
  clear() {
    this.close();
    this.#detach();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** Seeks to the live edge. */
  toLiveEdge() {
    const { buffered } = this.#video;
    if (buffered.length === 0) return;
    const last = buffered.length - 1;
    this.#video.currentTime = Math.max(buffered.start(last), buffered.end(last) - LIVE_AHEAD);
  }

  /**
   * @param {Record<string, string>} query
   * @param {AbortSignal} signal
   */
  async #feed(query, signal) {
    signal.throwIfAborted();
    // While a key is held down, only some of its seeks become requests.
    if (performance.now() - this.#requestedAt < INTERVAL) await pause(signal);
    this.#requestedAt = performance.now();
    /** @param {import("./play_socket.js").PlayEvent} event */
    const onEvent = (event) => {
      // The last events of a request may come after the next one has begun.
      if (!signal.aborted) this.#on.event(event);
    };
    for await (const part of openPlay(query, { onEvent, signal })) {
      if (part.kind === "begin") {
        await this.#prepare(part, signal);
        signal.throwIfAborted();
        this.#hasInfo = true;
        this.#on.info(part);
      } else if (part.kind === "data") {
        this.bytes += part.data.byteLength;
        this.#received.bytes += part.data.byteLength;
        await this.#append(part.data, signal);
        this.#followBuffer();
        this.#checkStall();
        this.#on.data();
        await this.#waitForRoom(signal);
      } else {
        if (this.#source?.readyState === "open" && !part.hasChanged) this.#source.endOfStream();
        this.#control = undefined;
        this.#on.end(part);
        if (part.hasChanged) this.#on.changed();
      }
    }
  }

  /**
   * @param {import("./play_socket.js").MediaInfo} info
   * @param {AbortSignal} signal
   */
  async #prepare({ type, begin, start, duration, live }, signal) {
    if (!Source?.isTypeSupported(type)) {
      throw new UndecodableError(`Cannot play ${type} in this browser`);
    }
    if (!this.#canReuse(type)) await this.#attach(type, signal);
    const [source, buffer] = [this.#source, this.#buffer];
    if (source === undefined || buffer === undefined) return;
    // A new source, whose duration is NaN, refuses remove(). An ended one is reopened by it.
    if (!Number.isNaN(source.duration)) buffer.remove(0, Infinity);
    await this.#settled();
    buffer.abort();
    buffer.timestampOffset = begin;
    source.duration = live || duration === null ? Infinity : duration;
    this.#live = live;
    this.#received = { bytes: 0, begin };
    this.#stalls.begin(start);
    this.#video.playbackRate = this.#rate;
    if (Math.abs(this.#video.currentTime - start) > 0.01) this.#video.currentTime = start;
  }

  /**
   * Whether the source buffer can be used again: its first append has fixed its streams.
   *
   * @param {string} type
   */
  #canReuse(type) {
    return this.#buffer !== undefined && this.#source?.readyState !== "closed" &&
      this.#type === type && this.#video.error === null;
  }

  /**
   * @param {string} type
   * @param {AbortSignal} signal
   */
  async #attach(type, signal) {
    if (Source === undefined) return;
    this.#detach();
    const source = new Source();
    this.#source = source;
    this.#address = URL.createObjectURL(source);
    const opened = once(source, ["sourceopen"], signal);
    // A managed source opens only if remote playback is disabled.
    this.#video.disableRemotePlayback = true;
    const { paused } = this.#video;
    this.#video.src = this.#address;
    await opened;
    if (!paused && this.#video.paused) this.#on.interrupted();
    this.#buffer = source.addSourceBuffer(type);
    this.#type = type;
  }

  #detach() {
    if (this.#address !== "") URL.revokeObjectURL(this.#address);
    this.#address = "";
    this.#source = undefined;
    this.#buffer = undefined;
  }

  /**
   * @param {ArrayBuffer} data
   * @param {AbortSignal} signal
   */
  async #append(data, signal) {
    for (let refusals = 0;; refusals++) {
      signal.throwIfAborted();
      try {
        this.#buffer?.appendBuffer(data);
        return await this.#settled();
      } catch (error) {
        const full = error instanceof DOMException && error.name === "QuotaExceededError";
        if (!full && this.#video.error !== null) {
          throw new UndecodableError(this.#video.error.message, { cause: error });
        }
        if (!full) throw error;
      }
      await this.#removeBehind(KEEP_BEHIND_FULL);
      if (refusals > 0) this.#checkStall({ full: true });
      await pause(signal);
    }
  }

  #checkStall({ full = false } = {}) {
    // A live source seeks to the live edge instead.
    if (!this.#live) this.#stalls.check({ bytes: this.#received.bytes, full });
  }

  /**
   * Removes old data, and waits while enough is buffered ahead.
   *
   * @param {AbortSignal} signal
   */
  async #waitForRoom(signal) {
    if (this.#behind() > KEEP_BEHIND + 10) await this.#removeBehind(KEEP_BEHIND);
    if (this.#live) return;
    while (this.ahead() > this.#maxAhead()) await pause(signal);
  }

  /** Seconds to buffer ahead; fewer at high data rates. */
  #maxAhead() {
    const { bytes, begin } = this.#received;
    const { buffered } = this.#video;
    const end = buffered.length === 0 ? begin : buffered.end(buffered.length - 1);
    const rate = bytes / Math.max(1, end - begin);
    return Math.min(MAX_AHEAD, MAX_AHEAD_BYTES / Math.max(1, rate));
  }

  /** Seconds that are buffered behind the position. */
  #behind() {
    const { buffered, currentTime } = this.#video;
    return buffered.length === 0 ? 0 : currentTime - buffered.start(0);
  }

  /** @param {number} seconds that stay buffered */
  async #removeBehind(seconds) {
    const end = this.#video.currentTime - seconds;
    if (end <= 0 || this.#behind() <= seconds) return;
    this.#buffer?.remove(0, end);
    await this.#settled();
  }

  /** Skips a gap at the start, and keeps a live source near its live edge. */
  #followBuffer() {
    const { buffered, currentTime, paused } = this.#video;
    if (buffered.length === 0) return;
    const ahead = this.ahead();
    const last = buffered.length - 1;
    if (this.#live) {
      const late = buffered.end(last) - currentTime;
      if (ahead < 0 && (late > 0 || currentTime > buffered.end(last) + 1)) this.toLiveEdge();
      else if (!paused && late > LIVE_LOST) this.toLiveEdge();
      const rate = late > LIVE_SLOW ? CATCH_UP_RATE : 1;
      if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
    } else if (ahead < 0 && currentTime < buffered.start(0)) {
      // Data comes in order: this gap stays empty.
      this.#video.currentTime = buffered.start(0);
    }
  }

  /** Waits until the buffer has finished its operation. */
  async #settled() {
    if (!this.#buffer?.updating) return;
    if (await once(this.#buffer, ["updateend", "error"]) === "error") {
      throw new UndecodableError("Cannot decode this media in this browser");
    }
  }
}

/**
 * Waits for one of several events.
 *
 * @param {EventTarget} target
 * @param {string[]} names
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>} the name of the event
 */
function once(target, names, signal) {
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    for (const name of names) {
      const finish = () => {
        done.abort();
        resolve(name);
      };
      target.addEventListener(name, finish, { signal: done.signal });
    }
    const fail = () => {
      done.abort();
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", fail, { signal: done.signal });
  });
}

/**
 * Waits for `INTERVAL`.
 *
 * @param {AbortSignal} signal
 */
async function pause(signal) {
  await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  signal.throwIfAborted();
}

/** Whether this browser has Media Source Extensions. */
export function canFeed() {
  return Source !== undefined;
}

/** Codecs that this browser plays, as the parameter `can` of `/api/play` lists them. */
export function playableCodecs() {
  return Object.entries(PROBES).filter(([, type]) => Source?.isTypeSupported(type))
    .map(([name]) => name).join(",");
}
