import { assert, assertEquals } from "@std/assert";
import { mediaFolder, pictures, run } from "../../support/media/media_folder.ts";
import { watchLive } from "../../support/peers/native_client.ts";
import { serverOf } from "../../support/peers/relays.ts";
import { pushPort } from "../../support/peers/script_peer.ts";
import { PYTHON, ScriptServer } from "../../support/peers/script_server.ts";
import { HelperProgram } from "../../support/programs/running_program.ts";
import { testIf } from "../../support/test_if.ts";

// Python programs as live sources.

const pythonTest = testIf(PYTHON !== undefined, "no Python with numpy and OpenCV");

/** A camera of noise: what it sends, and how often, is what its arguments say. */
const PUSHER = `
import pickle, socket, struct, sys, time
import cv2, numpy as np
port, kind = int(sys.argv[1]), sys.argv[2]
peer = socket.create_connection(("127.0.0.1", port))
frame = np.arange(8 * 4 * 3, dtype=np.uint8).reshape(4, 8, 3)
for number in range(10**9):
    if kind == "dict":
        body = pickle.dumps({"number": number, "camera": "left", "frame": frame})
        head = struct.pack("Q", len(body))
    elif kind == "jpeg":
        body = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()
        head = struct.pack(">L", len(body))
    else:
        body = pickle.dumps(np.full((4, 8), number, np.uint16))
        head = struct.pack("<L", len(body))
    peer.sendall(head + body)
    time.sleep(0.02)
`;

function pusher(port: number, kind: string): HelperProgram {
  return new HelperProgram(PYTHON ?? "python3", ["-c", PUSHER, String(port), kind]);
}

/** Bytes 0, 1, 2, … */
const ARRAY = Uint8Array.from({ length: 8 * 4 * 3 }, (_, at) => at);

pythonTest("values beside a pickled array are messages of a data stream", async () => {
  await using server = await serverOf(["cam=script::0"]);
  await using _script = pusher(await pushPort(server), "dict");
  using viewer = await watchLive(server, { name: "cam", encoding: "raw", data: true });
  const frames = await viewer.frames(6);
  const [video] = viewer.description.streams;
  assert(video.type === "video");
  assertEquals([video.pixelFormat, video.width, video.height], ["bgr24", 8, 4]);
  assertEquals(viewer.description.data?.map(({ codec }) => codec), ["json"]);
  for (const { data } of frames.filter(({ type }) => type === "video")) assertEquals(data, ARRAY);
  const messages = frames.filter(({ type }) => type === "data")
    .map(({ data }) => JSON.parse(new TextDecoder().decode(data)));
  const [{ number }] = messages;
  assertEquals(messages, [0, 1, 2].map((more) => ({ number: number + more, camera: "left" })));
});

pythonTest("one port takes Python programs of different formats, each under a name", async () => {
  await using server = await serverOf(["cam=script::0"]);
  const port = await pushPort(server);
  await using _first = pusher(port, "jpeg");
  await server.logged(
    /name=cam .*format="4-byte length \(big-endian\), then a JPEG" size=64x48\n$/,
  );
  await using _second = pusher(port, "depth");
  await server.logged(
    /name=cam-2 .*format="4-byte length \(little-endian\), then a pickle" size=8x4\n$/,
  );
  using color = await watchLive(server, { name: "cam", encoding: "copy" });
  await color.frames(2);
  using depth = await watchLive(server, { name: "cam-2", encoding: "copy" });
  const [{ data }] = await depth.frames(1);
  const [video] = depth.description.streams;
  assert(video.type === "video");
  assertEquals([video.pixelFormat, video.width, video.height], ["gray16le", 8, 4]);
  assertEquals(new Set(new Uint16Array(data.buffer)).size, 1);
});

pythonTest("a Python program that listens is a live source, again and again", async () => {
  const folder = mediaFolder();
  const path = await folder.make("clip.mkv", [
    ...[...pictures({ rate: "10", seconds: 0.5 }), "-c:v", "ffv1", "-pix_fmt", "bgr0"],
  ]);
  const pixels = await run("ffmpeg", ["-i", path, "-f", "rawvideo", "-pix_fmt", "bgr24", "-"]);
  await using script = await ScriptServer.start(folder.path, ["--fps", "20"]);
  await using server = await serverOf([`cam=script:127.0.0.1:${script.port}`]);
  using viewer = await watchLive(server, { name: "cam", encoding: "copy" });
  for (let times = 0; times < 2; times++) {
    const frames = await viewer.frames(5);
    for (const [at, { data }] of frames.entries()) {
      assertEquals(data, pixels.slice(at * 64 * 48 * 3, (at + 1) * 64 * 48 * 3));
    }
    assertEquals((await viewer.until("notice")).notice.code, "source_lost");
  }
});
