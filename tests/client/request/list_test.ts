/** Entries of the list that are asked for by name, and names without a flag on the command line. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { encodeMessage } from "../../../lib/protocol/native/framing.ts";
import { encodeList } from "../../../lib/protocol/native/list.ts";
import type { ListEntry } from "../../../lib/protocol/native/response.ts";
import { mediaFolder, pictures } from "../../support/media/media_folder.ts";
import { say, ScriptedServer } from "../../support/peers/scripted_server.ts";
import { testServer } from "../../support/peers/test_server.ts";
import { at, runInside } from "../../support/programs/run_inside.ts";
import { askEntry, askList } from "../../../lib/client/request/list.ts";
import { NO_RETRIES } from "../../../lib/client/connection/retry.ts";
import { parseLiveSource } from "../../../lib/sources/live/source_spec.ts";

const media = mediaFolder();
const results = mediaFolder();

async function makeMedia(): Promise<void> {
  await media.make("photo.png", [...pictures(), "-frames:v", "1"]);
  await media.make("trips/sea.mkv", [...pictures({ seconds: 0.2 }), "-c:v", "ffv1"]);
}

function optionsFor(server: { address: Deno.NetAddr }) {
  const { hostname: host, port } = server.address;
  const { signal } = new AbortController();
  return { target: { host, port }, signal, limits: NO_RETRIES, notify: () => {} };
}

/** A server that sends its whole list, whatever a request limits it to. */
function olderServer(names: readonly string[]): ScriptedServer {
  const entries = names.map((name): ListEntry => ({
    ...{ name, kind: "video", live: false, size: 1, codec: "ffv1" },
  }));
  return new ScriptedServer((peer) => say(peer, encodeMessage("list", encodeList({ entries }))));
}

Deno.test("askEntry() gets the one entry that the server finds", async () => {
  await makeMedia();
  const live = { sources: [parseLiveSource("cam=lavfi:testsrc=size=64x48:rate=5")] };
  await using server = await testServer({ media: media.path, live });
  const found = await Promise.all(
    ["sea.mkv", "photo.png", "cam"].map((name) => askEntry(name, optionsFor(server))),
  );
  assertEquals(found.map(({ name, kind }) => [name, kind]), [
    ["trips/sea.mkv", "video"],
    ["photo.png", "image"],
    ["cam", "video"],
  ]);
  const [entry] = await askList({ ...optionsFor(server), filter: { name: "sea.mkv" } });
  const all = await askList(optionsFor(server));
  assertEquals(entry, all.find(({ name }) => name === "trips/sea.mkv"));
});

Deno.test("askEntry() finds the entry in the whole list of an older server", async () => {
  await using server = olderServer(["a/sea.mkv", "b/clip.mkv", "c/clip.mkv", "clip.mkv.mkv"]);
  const outcomes = await Promise.all(
    ["a/sea.mkv", "sea.mkv", "clip.mkv", "none.mkv"].map((name) =>
      askEntry(name, optionsFor(server)).then(({ name }) => name, ({ message }) => message)
    ),
  );
  assertEquals(outcomes, [
    "a/sea.mkv",
    "a/sea.mkv",
    'Cannot find "clip.mkv": no such media, see --list',
    'Cannot find "none.mkv": no such media, see --list',
  ]);
});

Deno.test("askList() asks for what requests without a name get", async () => {
  await makeMedia();
  const defaultsOf = async (options: Partial<Parameters<typeof testServer>[0]>) => {
    await using server = await testServer({ media: media.path, ...options });
    const entries = await askList({ ...optionsFor(server), filter: { defaults: true } });
    return entries.map(({ name, defaultFor }) => [defaultFor, name]);
  };
  assertEquals(await defaultsOf({}), [["image", "photo.png"], ["video", "trips/sea.mkv"]]);
  const live = { sources: [parseLiveSource("cam=lavfi:testsrc=size=64x48:rate=5")] };
  assertEquals(await defaultsOf({ live, defaults: { image: "trips/sea.mkv", video: "cam" } }), [
    ["image", "trips/sea.mkv"],
    ["video", "cam"],
  ]);
  const empty = { media: results.path };
  assertEquals(await defaultsOf(empty), []);
  assertEquals(await defaultsOf({ ...empty, live }), [["video", "cam"]]);
});

Deno.test("stream-client gets an image or a video by its name alone", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const { hostname, port } = server.address;
  const run = (...args: string[]) => runInside([...args, "--view", "none"]);
  const address = `${hostname}:${port}`;
  const image = await run(`${address}/photo.png`, "--json");
  assertEquals([image.status, JSON.parse(image.stdout).command], [0, "get_image"]);
  const video = await run(`stream://${address}/sea.mkv`, "--json");
  const { command, name } = JSON.parse(video.stdout);
  assertEquals([command, name], ["get_video", "trips/sea.mkv"]);
  const series = await run(`${address}/sea.mkv`, "--every", "0.08");
  assertMatch(series.stderr, /^Received 3 pictures in [\d:.]+, [\d.]+ fps, /);
  const unfit = await run(`${address}/photo.png`, "--loop");
  assertEquals([unfit.status, unfit.stderr], [
    2,
    "Cannot use --loop with --image: it is for --video\n",
  ]);
  const missing = await run(`${address}/sea.mp4`);
  assertEquals([missing.status, missing.stderr], [
    1,
    'Cannot find "sea.mp4": no such media, did you mean "trips/sea.mkv"?\n',
  ]);
});

Deno.test("stream-client takes the server out of an address for everything else", async () => {
  await makeMedia();
  await using server = await testServer({ media: media.path });
  const address = `${server.address.hostname}:${server.address.port}`;
  const listed = await runInside(["--list", address]);
  assertMatch(listed.stdout, /^NAME .*\nphoto\.png .*\ntrips\/sea\.mkv .*\n$/);
  const host = await runInside(["--list", "--host", address]);
  assertEquals(host.stdout, listed.stdout);
  const output = results.pathOf("sea.mkv");
  const recorded = await runInside(["--video", `stream://${address}/sea.mkv`, "--output", output]);
  assertEquals(recorded.status, 0, recorded.stderr);
  assert((await Deno.stat(output)).size > 0);
  const plain = await runInside(["sea.mkv", "--view", "none", ...at(server)]);
  assertMatch(plain.stderr, /^Received 5 frames in /);
});
