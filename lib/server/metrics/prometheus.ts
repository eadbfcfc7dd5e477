import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { type Counts, type Gauges, type Metrics, type Refusal, REFUSALS } from "./metrics.ts";

/** Seconds that requests take: a list, a picture, a short video, a long one, a camera all day. */
const REQUEST_BUCKETS = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600, 36_000];

/** Seconds that frames are late by; from half a second on, viewers may have them left out. */
const LATENESS_BUCKETS = [0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** An answer, and what of it has been counted. */
interface TrackedResponse {
  counts: () => Counts;
  counted: Counts;
}

/** Metrics in the text format of Prometheus. */
export class PrometheusMetrics implements Metrics {
  #registry = new Registry();
  #tracked = new Set<TrackedResponse>();
  #frames = this.#counter("stream_frames_sent_total", "Frames of pictures and sound sent", "type");
  #dropped = this.#counter("stream_frames_dropped_total", "Frames left out for slow viewers");
  #bytes = this.#counter("stream_bytes_sent_total", "Bytes of frames sent, without headers");
  #connectionRefused = this.#counter(
    "stream_connections_refused_total",
    "Connections that were turned away",
    "reason",
  );
  #startCacheHit = this.#counter(
    "stream_head_hits_total",
    "Answers that began with what was remembered of one before",
  );
  #requests = new Histogram({
    name: "stream_request_seconds",
    help: "Seconds from a request to the end of its answer",
    labelNames: ["result"],
    buckets: REQUEST_BUCKETS,
    registers: [this.#registry],
  });
  #lateness = {
    file: this.#histogram(
      "stream_frame_lateness_seconds",
      "Seconds between the moment at which a frame of a file is due and its being written",
    ),
    live: this.#histogram(
      "stream_live_frame_age_seconds",
      "Seconds between the capture of a live frame and its being written",
    ),
  };

  constructor() {
    // Present from the beginning, so that a rate has something to begin from.
    for (const type of ["video", "audio"]) this.#frames.inc({ type }, 0);
    for (const reason of REFUSALS) this.#connectionRefused.inc({ reason }, 0);
    const memory = (kind: "rss" | "heapUsed") => () => Deno.memoryUsage()[kind];
    this.#gauge("stream_resident_memory_bytes", "Memory that the process takes", memory("rss"));
    this.#gauge("stream_heap_bytes", "Memory of JavaScript objects", memory("heapUsed"));
  }

  watch(gauges: Gauges): void {
    this.#gauge("stream_viewers", "Peers that are connected and have a place", gauges.viewers);
    this.#gauge("stream_decoders", "Decoders that run", gauges.decoders);
    this.#gauge("stream_decoders_waiting", "Requests that wait for a decoder", gauges.waiting);
    this.#gauge("stream_live_feeds", "Live sources being read, by rendition", gauges.liveFeeds);
    this.#gauge(
      "stream_frame_memory_bytes",
      "Memory that is set aside for frames",
      gauges.frameMemory,
    );
    this.#gauge(
      "stream_head_memory_bytes",
      "Memory that the remembered beginnings of answers take",
      gauges.startCacheMemory,
    );
  }

  follow(counts: () => Counts): Disposable {
    const nothing = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0 };
    const tracked = { counts, counted: nothing };
    this.#tracked.add(tracked);
    return {
      [Symbol.dispose]: () => {
        if (this.#tracked.delete(tracked)) this.#count(tracked);
      },
    };
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

  /** The type of {@linkcode PrometheusMetrics.text}, as a header says it. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All that is known now. */
  async text(): Promise<string> {
    for (const tracked of this.#tracked) this.#count(tracked);
    return await this.#registry.metrics();
  }

  /** Adds what an answer has sent since it was looked at last. */
  #count(tracked: TrackedResponse): void {
    const { counted } = tracked;
    const { frames, audioFrames, bytes, dropped } = tracked.counts();
    this.#frames.inc({ type: "video" }, frames - counted.frames);
    this.#frames.inc({ type: "audio" }, audioFrames - counted.audioFrames);
    this.#bytes.inc(bytes - counted.bytes);
    this.#dropped.inc(dropped - counted.dropped);
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
