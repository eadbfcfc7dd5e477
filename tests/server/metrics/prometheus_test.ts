import { assertEquals, assertMatch } from "@std/assert";
import { PrometheusMetrics } from "../../../lib/server/metrics/prometheus.ts";
import { pureTest } from "../../support/pure_test.ts";

const zero = () => 0;

const NOTHING = {
  publishers: () => 0,
  ...{ viewers: zero, decoders: zero, waiting: zero, liveFeeds: zero },
  ...{ frameMemory: zero, startCacheMemory: zero },
};

/** The samples of the text whose names begin with something, by name and labels. */
async function samples(metrics: PrometheusMetrics, prefix: string) {
  const lines = (await metrics.text()).split("\n").filter((line) => line.startsWith(prefix));
  return Object.fromEntries(lines.map((line) => {
    const [, name, value] = line.match(/^(\S+) (\S+)$/) ?? [];
    return [name.slice(prefix.length), Number(value)];
  }));
}

pureTest(
  "PrometheusMetrics counts a response whenever it is read, and each frame once",
  async () => {
    const metrics = new PrometheusMetrics();
    const counts = { frames: 0, audioFrames: 0, bytes: 0, dropped: 0 };
    const following = metrics.follow(() => counts);
    Object.assign(counts, { frames: 3, audioFrames: 5, bytes: 700, dropped: 1 });
    for (let look = 0; look < 2; look++) {
      assertEquals(await samples(metrics, "stream_frames_sent_total"), {
        '{type="video"}': 3,
        '{type="audio"}': 5,
      });
    }
    Object.assign(counts, { frames: 4, bytes: 1000, dropped: 2 });
    following[Symbol.dispose]();
    following[Symbol.dispose]();
    Object.assign(counts, { frames: 100 });
    assertEquals(await samples(metrics, "stream_frames_sent_total"), {
      '{type="video"}': 4,
      '{type="audio"}': 5,
    });
    assertEquals(await samples(metrics, "stream_bytes_sent_total"), { "": 1000 });
    assertEquals(await samples(metrics, "stream_frames_dropped_total"), { "": 2 });
  },
);

pureTest("PrometheusMetrics reads gauges when it is read", async () => {
  const metrics = new PrometheusMetrics();
  let viewers = 2;
  metrics.watch({
    ...NOTHING,
    viewers: () => viewers,
    frameMemory: () => 4096,
    startCacheMemory: () => 512,
  });
  assertEquals(await samples(metrics, "stream_viewers"), { "": 2 });
  viewers = 3;
  assertEquals(await samples(metrics, "stream_viewers"), { "": 3 });
  assertEquals(await samples(metrics, "stream_decoders"), { "": 0, "_waiting": 0 });
  assertEquals(await samples(metrics, "stream_frame_memory_bytes"), { "": 4096 });
  assertEquals(await samples(metrics, "stream_head_memory_bytes"), { "": 512 });
  const memory = await samples(metrics, "stream_resident_memory_bytes");
  assertEquals(memory[""] > 1e6, true);
});

pureTest("PrometheusMetrics sorts requests by result, and frames by lateness", async () => {
  const metrics = new PrometheusMetrics();
  metrics.requestEnded("done", 0.02);
  metrics.requestEnded("not_found", 0.001);
  metrics.sending("file", -0.5);
  metrics.sending("file", 0.3);
  metrics.sending("live", 0.015);
  metrics.connectionRefused("full");
  metrics.startCacheHit();
  const requests = await samples(metrics, "stream_request_seconds_count");
  assertEquals(requests, { '{result="done"}': 1, '{result="not_found"}': 1 });
  const late = await samples(metrics, "stream_frame_lateness_seconds");
  assertEquals([late['_bucket{le="0.001"}'], late['_bucket{le="0.5"}'], late._count], [1, 2, 2]);
  // A frame that is sent early is not late.
  assertEquals(late._sum, 0.3);
  const age = await samples(metrics, "stream_live_frame_age_seconds");
  assertEquals([age['_bucket{le="0.01"}'], age['_bucket{le="0.02"}']], [0, 1]);
  assertEquals(await samples(metrics, "stream_head_hits_total"), { "": 1 });
  const connectionRefused = await samples(metrics, "stream_connections_refused_total");
  assertEquals(connectionRefused, { '{reason="full"}': 1, '{reason="address"}': 0 });
});

pureTest("PrometheusMetrics has a type and a help text for every metric", async () => {
  const metrics = new PrometheusMetrics();
  metrics.watch(NOTHING);
  const text = await metrics.text();
  const named = (kind: string) =>
    [...text.matchAll(new RegExp(`^# ${kind} (stream_\\w+) \\S`, "gm"))].map(([, name]) => name);
  assertEquals(named("TYPE"), named("HELP"));
  assertMatch(metrics.contentType, /^text\/plain; version=0\.0\.4/);
});
