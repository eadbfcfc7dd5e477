import { assertEquals } from "@std/assert";
import {
  formatBytes,
  formatTime,
  lineOutput,
  Progress,
  type ProgressState,
  renderProgress,
} from "../../../lib/client/terminal/progress.ts";
import { pureTest } from "../../support/pure_test.ts";

const STATE: ProgressState = {
  frames: 250,
  audioFrames: 430,
  bytes: 40_000_000,
  seconds: 8,
  position: 10,
  framesPerSecond: 31.25,
  hasPicture: true,
};

pureTest("formatBytes() gives two or three digits and a unit", () => {
  for (
    const [bytes, text] of [
      [0, "0 B"],
      [1, "1 B"],
      [999, "999 B"],
      [1000, "1.0 kB"],
      [1449, "1.4 kB"],
      [99_949, "99.9 kB"],
      [100_000, "100 kB"],
      [1_400_000, "1.4 MB"],
      [2.5e9, "2.5 GB"],
      [7e12, "7.0 TB"],
      [7.2e15, "7200 TB"],
      [416_641_024, "417 MB"],
      [0.4, "0 B"],
    ] as const
  ) {
    assertEquals(formatBytes(bytes), text);
  }
});

pureTest("formatBytes() rounds up to the next unit", () => {
  assertEquals(formatBytes(999.6), "1.0 kB");
  assertEquals(formatBytes(999_949), "1.0 MB");
  assertEquals(formatBytes(99_960), "100 kB");
});

pureTest("formatTime() gives minutes, seconds and tenths, and hours if any", () => {
  for (
    const [seconds, text] of [
      [0, "00:00.0"],
      [0.04, "00:00.0"],
      [0.05, "00:00.1"],
      [9.96, "00:10.0"],
      [59.94, "00:59.9"],
      [59.95, "01:00.0"],
      [62.3, "01:02.3"],
      [3599.96, "1:00:00.0"],
      [36_000, "10:00:00.0"],
    ] as const
  ) {
    assertEquals(formatTime(seconds), text);
  }
});

pureTest("renderProgress() shows frame, time, frame rate and bit rate", () => {
  assertEquals(renderProgress(STATE), "frame 250  00:10.0  31.3 fps  5.0 MB/s");
  assertEquals(
    renderProgress(STATE, 62.3),
    "frame 250  00:10.0 of 01:02.3  31.3 fps  5.0 MB/s",
  );
});

pureTest("renderProgress() shows latency and drops if any", () => {
  const latency = { p50: 12.4, p95: 40 };
  assertEquals(
    renderProgress({ ...STATE, dropped: 7, latency }),
    "frame 250  00:10.0  31.3 fps  5.0 MB/s  latency 12 ms  7 dropped",
  );
  assertEquals(
    renderProgress({ ...STATE, viewers: 1, latency, dropped: 7 }),
    "frame 250  00:10.0  31.3 fps  5.0 MB/s  1 viewer  latency 12 ms  7 dropped",
  );
  assertEquals(
    renderProgress({ ...STATE, dropped: 0, latency: undefined }),
    "frame 250  00:10.0  31.3 fps  5.0 MB/s",
  );
});

pureTest(
  "renderProgress() shows size, speed and remaining time of a recording",
  () => {
    const recording = { ...STATE, recording: true };
    const begin = "frame 250  00:10.0 of 01:02.3  31.3 fps  ";
    assertEquals(renderProgress(recording, 62.3), `${begin}40.0 MB  1.3x  00:42 left`);
    assertEquals(
      renderProgress({ ...recording, written: 1_234_567 }, 62.3),
      `${begin}1.2 MB  1.3x  00:42 left`,
    );
    assertEquals(renderProgress(recording), "frame 250  00:10.0  31.3 fps  40.0 MB  1.3x");
    assertEquals(renderProgress({ ...recording, seconds: 0.5 }, 62.3), `${begin}40.0 MB`);
    assertEquals(
      renderProgress({ ...recording, latency: { p50: 12.4, p95: 40 } }),
      "frame 250  00:10.0  31.3 fps  40.0 MB  latency 12 ms",
    );
    assertEquals(
      renderProgress({ ...recording, position: 500 }, 500),
      "frame 250  08:20.0 of 08:20.0  31.3 fps  40.0 MB  63x  00:00 left",
    );
  },
);

pureTest("renderProgress() drops parts that do not fit the width", () => {
  const long = {
    ...{ ...STATE, recording: true, frames: 12_345_678, bytes: 123_400_000_000 },
    ...{ position: 36_000, seconds: 3600, framesPerSecond: 1234.5, dropped: 1234 },
  };
  assertEquals(
    renderProgress(long, 72_000),
    "10:00:00.0 of 20:00:00.0  1234.5 fps  123 GB  1:00:00 left  1234 dropped",
  );
  assertEquals(
    renderProgress(long, 72_000, { width: 60 }),
    "10:00:00.0 of 20:00:00.0  123 GB  1:00:00 left  1234 dropped",
  );
});

pureTest("renderProgress() shows no frames of audio alone", () => {
  assertEquals(
    renderProgress({ ...STATE, hasPicture: false }, 12),
    "00:10.0 of 00:12.0  5.0 MB/s",
  );
});

pureTest("renderProgress() shows no rate before any time has passed", () => {
  assertEquals(renderProgress({ ...STATE, seconds: 0 }), "frame 250  00:10.0  31.3 fps  0 B/s");
});

pureTest(
  "Progress draws at most four times a second, within the width, and clears its line",
  () => {
    const drawn: string[] = [];
    let now = 1000;
    let columns = 81;
    const write = (text: string) => void drawn.push(text);
    const output = lineOutput({ write, columns: () => columns });
    const progress = new Progress(output, () => now);
    progress.clear();
    assertEquals(drawn, []);
    progress.update(STATE);
    now += 249;
    progress.update({ ...STATE, frames: 251 });
    now += 1;
    columns = 24;
    progress.update({ ...STATE, frames: 252 });
    now += 250;
    columns = 6;
    progress.update({ ...STATE, frames: 253 });
    progress.clear();
    progress.clear();
    assertEquals(drawn, [
      "\rframe 250  00:10.0  31.3 fps  5.0 MB/s\x1b[K",
      "\r00:10.0  5.0 MB/s\x1b[K",
      "\r00:10\x1b[K",
      "\r\x1b[K",
    ]);
  },
);
