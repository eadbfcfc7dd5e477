import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type Counts, type Gauges, type Metrics, type Refusal, REFUSALS } from "./records.ts";

/** Seconds of requests: a list, an image, a short video, a long one, a camera all day. */
const REQUEST_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600, 36_000];

/** Seconds by which frames are late; from half a second on, they may be dropped. */
const LATENESS_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A response or a publisher, and the part of its counts that the metrics include already. */
interface Tracked {
  direction: "sent" | "received";
  counts: () => Counts;
  counted: Counts;
}

/** Metrics in the text format of Prometheus. */
export class PrometheusMetrics implements Metrics {
  #registry = new Registry();
  #tracked = new Set<Tracked>();
  #frames = {
    sent: this.#counter("stream_frames_sent_total", "Frames of video and audio sent", "type"),
    received: this.#counter("stream_frames_received_total", "Frames that publishers sent", "type"),
  };
  #bytes = {
    sent: this.#counter("stream_bytes_sent_total", "Bytes of frames sent, without headers"),
    received: this.#counter("stream_bytes_received_total", "Bytes that publishers sent"),
  };
  #dropped = this.#counter("stream_frames_dropped_total", "Frames dropped for slow viewers");
  #connectionRefused = this.#counter(
    "stream_connections_refused_total",
    "Connections refused",
    "reason",
  );
  #startCacheHit = this.#counter(
    "stream_head_hits_total",
    "Responses that began from memory",
  );
  #requests = new Histogram({
    name: "stream_request_seconds",
    help: "Seconds from a request to the end of its response",
    labelNames: ["result"],
    buckets: REQUEST_BUCKETS,
    registers: [this.#registry],
  });
  #lateness = {
    file: this.#histogram(
      "stream_frame_lateness_seconds",
      "Seconds from when a frame of a file is due until it is written",
    ),
    live: this.#histogram(
      "stream_live_frame_age_seconds",
      "Seconds from the capture of a live frame until it is written",
    ),
  };

  constructor() {
    // Present from the start, so that rates can be computed.
    for (const type of ["video", "audio"]) {
      this.#frames.sent.inc({ type }, 0);
      this.#frames.received.inc({ type }, 0);
    }
    for (const reason of REFUSALS) this.#connectionRefused.inc({ reason }, 0);
    const memory = (kind: "rss" | "heapUsed") => () => Deno.memoryUsage()[kind];
    this.#gauge("stream_resident_memory_bytes", "Memory of the process", memory("rss"));
    this.#gauge("stream_heap_bytes", "Memory of JavaScript objects", memory("heapUsed"));
  }

  watch(gauges: Gauges): void {
    this.#gauge("stream_viewers", "Connections that hold a slot", gauges.viewers);
    this.#gauge("stream_decoders", "Running decoders", gauges.decoders);
    this.#gauge("stream_decoders_waiting", "Requests that wait for a decoder", gauges.waiting);
    this.#gauge(
      "stream_live_feeds",
      "Running live feeds, one for each rendition",
      gauges.liveFeeds,
    );
    this.#gauge("stream_publishers", "Names that publishers have", gauges.publishers);
    this.#gauge(
      "stream_frame_memory_bytes",
      "Memory reserved for frames",
      gauges.frameMemory,
    );
    this.#gauge(
      "stream_head_memory_bytes",
      "Memory of the frames that are kept of files",
      gauges.startCacheMemory,
    );
  }

  follow(counts: () => Counts): Disposable {
    return this.#track("sent", counts);
  }

  receive(counts: () => Counts): Disposable {
    return this.#track("received", counts);
  }

  sending(source: "file" | "live", seconds: number): void {
    this.#lateness[source].observe(Math.max(0, seconds));
  }

  requestEnded(result: string, seconds: number): void {
    this.#requests.observe({ result }, seconds);
  }

  startCacheHit(): void {
    this.#startCacheHit.inc();
  }

  connectionRefused(reason: Refusal): void {
    this.#connectionRefused.inc({ reason });
  }

  /** Media type of {@linkcode PrometheusMetrics.text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Current metrics in the text format of Prometheus. */
  async text(): Promise<string> {
    for (const tracked of this.#tracked) this.#count(tracked);
    return await this.#registry.metrics();
  }

  #track(direction: Tracked["direction"], counts: () => Counts): Disposable {
    const nothing = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0 };
    const tracked = { direction, counts, counted: nothing };
    this.#tracked.add(tracked);
    return {
      [Symbol.dispose]: () => {
        if (this.#tracked.delete(tracked)) this.#count(tracked);
      },
    };
  }

  /** Adds what was sent or received since the last call. */
  #count(tracked: Tracked): void {
    const { direction, counted } = tracked;
    const { frames, audioFrames, bytes, dropped } = tracked.counts();
    const grown = (now: number, before: number) => Math.max(0, now - before);
    this.#frames[direction].inc({ type: "video" }, grown(frames, counted.frames));
    this.#frames[direction].inc({ type: "audio" }, grown(audioFrames, counted.audioFrames));
    this.#bytes[direction].inc(grown(bytes, counted.bytes));
    this.#dropped.inc(grown(dropped, counted.dropped));
    tracked.counted = { frames, audioFrames, bytes, dropped };
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string): Histogram {
    return new Histogram({ name, help, buckets: LATENESS_BUCKETS, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(value());
      },
    });
  }
}
