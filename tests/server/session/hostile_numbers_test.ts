/** Numbers at and beyond every limit, through a real connection. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { MediaRequest } from "../../../lib/protocol/native/request.ts";
import { mediaFolder, pictures, tone } from "../../support/media/media_folder.ts";
import { ask, type NativeClient, type NativeResponse } from "../../support/peers/native_client.ts";
import { testServer } from "../../support/peers/test_server.ts";

const media = mediaFolder();

async function clip(): Promise<void> {
  await media.make("clip.mp4", [
    ...[...pictures({ size: "33x17" }), ...tone(), "-c:v", "libx264", "-pix_fmt", "yuv444p"],
  ]);
}

/** Values that a strange client may write in place of a number. */
const STRANGE = ["-1", "-0.001", "1e400", "-1e400", "1e308", '"1"', "[]", "{}", "true", "NaN"];

const FIELDS: (keyof MediaRequest)[] = [
  ...["width", "height", "fps", "bitrate", "quality"] as const,
  ...["start", "duration", "every", "speed"] as const,
];

/** Sends a request whose one field is written as given. */
async function askFor(client: NativeClient, field: string, value: string): Promise<string> {
  const text = `{"version":1,"command":"get_video","name":"clip.mp4","${field}":${value}}`;
  await client.connection.send("request", new TextEncoder().encode(text));
  const message = await client.connection.receive();
  assert(message !== undefined && message.kind === "error", `${field}: ${value}`);
  return new TextDecoder().decode(message.payload);
}

Deno.test("a server refuses strange numbers in every field, and goes on", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  using client = await server.connect();
  for (const field of FIELDS) {
    for (const value of STRANGE) {
      assertMatch(await askFor(client, field, value), /^\{"code":"bad_request","message":"Cannot /);
    }
  }
  const response = await client.request({ command: "get_video", name: "clip.mp4", speed: 0 });
  assertEquals(response.end?.frames, 25);
});

/** Requests at the edge of every limit, and their results. */
const EDGES: [Partial<MediaRequest>, (response: NativeResponse) => boolean][] = [
  [{ width: 16384, height: 16384 }, ({ error }) => error?.code === "unsupported"],
  [
    { width: 16384, height: 16384, encoding: "mjpeg" },
    ({ error }) => error?.code === "unsupported",
  ],
  [{ width: 1, height: 1 }, ({ end }) => end?.frames === 25],
  [{ width: 1, height: 1, encoding: "h264" }, ({ end }) => end?.frames === 25],
  [{ width: 16384 }, ({ error }) => error?.code === "unsupported"],
  [{ fps: 240, audio: false }, ({ end }) => end?.frames === 240],
  [{ fps: 0.01 }, ({ end }) => end?.reason === "end"],
  [{ bitrate: 10_000, encoding: "h264" }, ({ end }) => end?.frames === 25],
  [{ bitrate: 1e9, encoding: "h264" }, ({ end }) => end?.frames === 25],
  [{ quality: 1, encoding: "mjpeg" }, ({ end }) => end?.frames === 25],
  [{ quality: 100, encoding: "mjpeg" }, ({ end }) => end?.frames === 25],
  [{ start: 1e8 }, ({ error }) => error?.code === "bad_request"],
  [{ start: 5e-324 }, ({ end }) => end?.frames === 25],
  [{ duration: 0.001 }, ({ end }) => end?.frames === 1],
  [{ duration: 1e8 }, ({ end }) => end?.frames === 25],
  [{ command: "get_image", every: 0.01 }, ({ end }) => (end?.frames ?? 0) >= 99],
  [{ command: "get_image", every: 1e6 }, ({ end }) => end?.frames === 1],
  [{ speed: 100 }, ({ end }) => end?.frames === 25],
];

Deno.test("a server serves requests at the edge of every limit", async () => {
  await clip();
  await using server = await testServer({ media: media.path });
  for (const [fields, isRight] of EDGES) {
    const response = await ask(server, { command: "get_video", name: "clip.mp4", ...fields });
    const { end, error } = response;
    assert(
      isRight(response),
      `${JSON.stringify(fields)}: ${JSON.stringify({ end, error })} ${error}`,
    );
  }
});
