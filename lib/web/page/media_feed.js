/** Feeds a media element with what comes over a connection, no faster than it is played. */
import { openPlay } from "./play_socket.js";
import { secondsAhead, StallWatch, StuckError, UndecodableError } from "./stall_watch.js";

/**
 * Told how it goes.
 *
 * @typedef {object} FeedEvents
 * @property {(begin: import("./play_socket.js").Beginning) => void} begin something is coming
 * @property {(news: import("./play_socket.js").News) => void} news
 * @property {() => void} data more is there to be played
 * @property {(end: { dropped: number, warning: string | null }) => void} end all is there
 * @property {(error: Error, undecodable: boolean) => void} failed no more comes
 * @property {(moment: number) => void} stuck it cannot be played beyond a moment, in seconds, though
 *   more comes
 * @property {() => void} interrupted what played has been paused for something of another kind
 */

/** Seconds that are kept ready. */
const AHEAD = 30;

/** Bytes of them at the most. */
const AHEAD_BYTES = 60e6;

/** Seconds that are kept to go back to. */
const BEHIND = 60;

/** The same, when the browser has no more room. */
const BEHIND_IN_NEED = 5;

/** Seconds behind the newest at which what is live is shown, and from which on it catches up. */
const LIVE_AHEAD = 0.3;
const LIVE_SLOW = 0.8;
const LIVE_LOST = 1.5;

/** Speed at which it catches up: too little to be heard. */
const CATCH_UP = 1.05;

/** Milliseconds between two looks at whether there is room again, and between two questions. */
const INTERVAL = 200;

/** Feeds one media element. */
export class MediaFeed {
  /** Bytes that have come since the page was opened. */
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
  /** Bytes since the last beginning, and seconds at which they begin. */
  #run = { bytes: 0, begin: 0 };
  #stalls;
  /** When it was last asked for something, in milliseconds. */
  #asked = -Infinity;
  /** Of what was asked for, the beginning has come. */
  #begun = false;
  /** @type {AbortController | undefined} */
  #control;
  #over = Promise.resolve();

  /**
   * @param {HTMLVideoElement} video
   * @param {FeedEvents} on
   */
  constructor(video, on) {
    this.#video = video;
    this.#on = on;
    this.#stalls = new StallWatch(video);
  }

  /** Whether more is to come. */
  get isOpen() {
    return this.#control !== undefined;
  }

  /** Whether what is there will give way to what was asked for. */
  get isLeaving() {
    return this.isOpen && !this.#begun;
  }

  /**
   * Seconds that are there to be played from a moment on; below zero where that moment is not there.
   *
   * @param {number} moment seconds
   */
  ahead(moment = this.#video.currentTime) {
    return secondsAhead(this.#video, moment);
  }

  /**
   * Begins anew: what was there goes away.
   *
   * @param {Record<string, string>} question the query of the play
   * @param {{ rate: number }} options speed at which it is played
   */
  open(question, { rate }) {
    this.close();
    const control = new AbortController();
    this.#control = control;
    this.#begun = false;
    this.#rate = rate;
    this.#over = this.#over.then(() => this.#feed(question, control.signal)).catch((error) => {
      if (control.signal.aborted) return;
      this.#control = undefined;
      if (error instanceof StuckError) this.#on.stuck(error.moment);
      else this.#on.failed(error, error instanceof UndecodableError);
    });
  }

  /** Takes no more; what is there stays. */
  close() {
    this.#control?.abort();
    this.#control = undefined;
  }

  /** Takes no more, and forgets what is there. */
  clear() {
    this.close();
    this.#forget();
    this.#video.removeAttribute("src");
    this.#video.load();
  }

  /** Goes to the newest of what is live. */
  toNewest() {
    const { buffered } = this.#video;
    if (buffered.length === 0) return;
    const last = buffered.length - 1;
    this.#video.currentTime = Math.max(buffered.start(last), buffered.end(last) - LIVE_AHEAD);
  }

  /**
   * @param {Record<string, string>} question
   * @param {AbortSignal} signal
   */
  async #feed(question, signal) {
    signal.throwIfAborted();
    // Who holds a key down wants to get far, and nothing of what lies between.
    if (performance.now() - this.#asked < INTERVAL) await pause(signal);
    this.#asked = performance.now();
    const onNews = this.#on.news;
    for await (const part of openPlay(question, { onNews, signal })) {
      if (part.kind === "begin") {
        await this.#prepare(part, signal);
        signal.throwIfAborted();
        this.#begun = true;
        this.#on.begin(part);
      } else if (part.kind === "data") {
        this.bytes += part.data.byteLength;
        this.#run.bytes += part.data.byteLength;
        await this.#append(part.data, signal);
        this.#follow();
        this.#checkStall();
        this.#on.data();
        await this.#room(signal);
      } else {
        if (this.#source?.readyState === "open") this.#source.endOfStream();
        this.#control = undefined;
        this.#on.end(part);
      }
    }
  }

  /**
   * @param {import("./play_socket.js").Beginning} begin
   * @param {AbortSignal} signal
   */
  async #prepare({ type, begin, start, duration, live }, signal) {
    if (!Source?.isTypeSupported(type)) {
      throw new UndecodableError(`This browser does not play ${type}`);
    }
    if (!this.#fits(type)) await this.#renew(type, signal);
    const [source, buffer] = [this.#source, this.#buffer];
    if (source === undefined || buffer === undefined) return;
    // A new source, whose duration is not known yet, has nothing to remove, and refuses to. One
    // that has ended is opened again by this.
    if (!Number.isNaN(source.duration)) buffer.remove(0, Infinity);
    await this.#settled();
    buffer.abort();
    buffer.timestampOffset = begin;
    source.duration = live || duration === null ? Infinity : duration;
    this.#live = live;
    this.#run = { bytes: 0, begin };
    this.#stalls.begin(start);
    this.#video.playbackRate = this.#rate;
    if (Math.abs(this.#video.currentTime - start) > 0.01) this.#video.currentTime = start;
  }

  /**
   * Whether what is there can take more. A buffer has learned from its first piece what streams
   * there are.
   *
   * @param {string} type
   */
  #fits(type) {
    return this.#buffer !== undefined && this.#source?.readyState !== "closed" &&
      this.#type === type && this.#video.error === null;
  }

  /**
   * @param {string} type
   * @param {AbortSignal} signal
   */
  async #renew(type, signal) {
    if (Source === undefined) return;
    this.#forget();
    const source = new Source();
    this.#source = source;
    this.#address = URL.createObjectURL(source);
    const opened = once(source, ["sourceopen"], signal);
    // A managed source is opened only where it cannot be sent on to a television.
    this.#video.disableRemotePlayback = true;
    const { paused } = this.#video;
    this.#video.src = this.#address;
    await opened;
    if (!paused && this.#video.paused) this.#on.interrupted();
    this.#buffer = source.addSourceBuffer(type);
    this.#type = type;
  }

  #forget() {
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
      await this.#removeBehind(BEHIND_IN_NEED);
      if (refusals > 0) this.#checkStall({ full: true });
      await pause(signal);
    }
  }

  #checkStall({ full = false } = {}) {
    // What is live goes to its newest instead.
    if (!this.#live) this.#stalls.check({ bytes: this.#run.bytes, full });
  }

  /** Waits while there is enough to play. */
  async #room(/** @type {AbortSignal} */ signal) {
    if (this.#behind() > BEHIND + 10) await this.#removeBehind(BEHIND);
    if (this.#live) return;
    while (this.ahead() > this.#enough()) await pause(signal);
  }

  /** Seconds that are enough: fewer where a second has many bytes. */
  #enough() {
    const { bytes, begin } = this.#run;
    const { buffered } = this.#video;
    const end = buffered.length === 0 ? begin : buffered.end(buffered.length - 1);
    const rate = bytes / Math.max(1, end - begin);
    return Math.min(AHEAD, AHEAD_BYTES / Math.max(1, rate));
  }

  /** Seconds that are there from before the present moment. */
  #behind() {
    const { buffered, currentTime } = this.#video;
    return buffered.length === 0 ? 0 : currentTime - buffered.start(0);
  }

  /** @param {number} seconds that stay */
  async #removeBehind(seconds) {
    const end = this.#video.currentTime - seconds;
    if (end <= 0 || this.#behind() <= seconds) return;
    this.#buffer?.remove(0, end);
    await this.#settled();
  }

  /** Goes over what is missing, and keeps what is live near its newest. */
  #follow() {
    const { buffered, currentTime, paused } = this.#video;
    if (buffered.length === 0) return;
    const ahead = this.ahead();
    const last = buffered.length - 1;
    if (this.#live) {
      const late = buffered.end(last) - currentTime;
      if (ahead < 0 && (late > 0 || currentTime > buffered.end(last) + 1)) this.toNewest();
      else if (!paused && late > LIVE_LOST) this.toNewest();
      const rate = late > LIVE_SLOW ? CATCH_UP : 1;
      if (this.#video.playbackRate !== rate) this.#video.playbackRate = rate;
    } else if (ahead < 0 && currentTime < buffered.start(0)) {
      // Things come in order, so that nothing more comes from before: there is nothing.
      this.#video.currentTime = buffered.start(0);
    }
  }

  /** Waits until the buffer has done what it was told. */
  async #settled() {
    if (!this.#buffer?.updating) return;
    if (await once(this.#buffer, ["updateend", "error"]) === "error") {
      throw new UndecodableError("This browser cannot decode it");
    }
  }
}

/**
 * Waits for one of several events.
 *
 * @param {EventTarget} target
 * @param {string[]} names
 * @param {AbortSignal} [signal]
 * @returns {Promise<string>} its name
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
 * Waits a moment.
 *
 * @param {AbortSignal} signal
 */
async function pause(signal) {
  await new Promise((resolve) => setTimeout(resolve, INTERVAL));
  signal.throwIfAborted();
}

/** What this browser can be fed with. */

/** What a browser's way of feeding media is called there; iPhones have the second alone. */
export const Source = globalThis.MediaSource ??
  /** @type {typeof MediaSource | undefined} */ (Reflect.get(globalThis, "ManagedMediaSource"));

/** Names of codecs, and a type that whoever plays them accepts. */
const PROBES = {
  h264: 'video/mp4; codecs="avc1.640028"',
  vp9: 'video/mp4; codecs="vp09.00.10.08"',
  av1: 'video/mp4; codecs="av01.0.05M.08"',
  hevc: 'video/mp4; codecs="hvc1.1.6.L93.B0"',
  aac: 'audio/mp4; codecs="mp4a.40.2"',
  opus: 'audio/mp4; codecs="opus"',
  flac: 'audio/mp4; codecs="flac"',
  mp3: 'audio/mp4; codecs="mp4a.6B"',
};

/** Whether this browser can be fed at all. */
export function canFeed() {
  return Source !== undefined;
}

/** The codecs that this browser plays, as the query of a play names them. */
export function playableCodecs() {
  return Object.entries(PROBES).filter(([, type]) => Source?.isTypeSupported(type))
    .map(([name]) => name).join(",");
}
