/** The connection to mpv, with a server of the test in its place. */
import { assertEquals, assertRejects } from "@std/assert";
import type { PlayAction } from "../../../lib/sinks/sink.ts";
import { keyBindings, MpvControl } from "../../../lib/sinks/window/mpv_control.ts";
import { mediaFolder } from "../../support/media/media_folder.ts";
import { pureTest } from "../../support/pure_test.ts";
import { unixTest } from "../../support/test_if.ts";

const media = mediaFolder();

pureTest(
  "keyBindings() sends the keys of a view, in both cases, and lets those that seek repeat",
  () => {
    const lines = keyBindings().split("\n");
    const expected = [
      'SPACE script-message pressed " "',
      'q script-message pressed "q"',
      'Q script-message pressed "q"',
      'LEFT repeatable script-message pressed "left"',
      "ESC script-message pressed escape",
      "CLOSE_WIN quit",
    ];
    assertEquals(lines.filter((line) => expected.includes(line)).toSorted(), expected.toSorted());
    assertEquals(lines.at(-1), "");
  },
);

/** A peer in mpv's place. */
class Peer implements Disposable {
  readonly path: string;
  #listener: Deno.UnixListener;
  #connection: Deno.UnixConn | undefined;
  #text = "";

  constructor(path: string) {
    this.path = path;
    this.#listener = Deno.listen({ transport: "unix", path });
  }

  async accept(): Promise<void> {
    this.#connection = await this.#listener.accept();
  }

  /** Sends text as it is. */
  async send(text: string): Promise<void> {
    await this.#connection?.write(new TextEncoder().encode(text));
  }

  /** Reads commands until one fits. */
  async command(name: string): Promise<{ command: unknown; request_id: number }> {
    const chunk = new Uint8Array(1024);
    while (true) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        if (line.includes(name)) return JSON.parse(line);
        continue;
      }
      const count = await this.#connection?.read(chunk) ?? null;
      if (count === null) throw new Error(`Cannot find ${name}: the connection has ended`);
      this.#text += new TextDecoder().decode(chunk.subarray(0, count));
    }
  }

  hangUp(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  [Symbol.dispose](): void {
    this.hangUp();
    this.#listener.close();
  }
}

/** Actions that a control has reported, and a wait for the next one. */
function actionLog() {
  const actions: PlayAction[] = [];
  let news = Promise.withResolvers<void>();
  const onAction = (action: PlayAction) => {
    actions.push(action);
    news.resolve();
    news = Promise.withResolvers();
  };
  const until = async (count: number) => {
    while (actions.length < count) await news.promise;
  };
  return { actions, onAction, until };
}

function pressed(key: string): string {
  return `${JSON.stringify({ event: "client-message", args: ["pressed", key] })}\n`;
}

unixTest("MpvControl reports keys that arrive in any pieces, and nothing else", async () => {
  const { actions, onAction, until } = actionLog();
  using peer = new Peer(media.pathOf("keys"));
  await using control = new MpvControl({ onAction });
  await Promise.all([control.connect(peer.path), peer.accept()]);
  const other = `${JSON.stringify({ event: "client-message", args: ["else", "q"] })}\n`;
  const text = `{"event":"idle"}\n${other}${pressed("x")}${pressed("left")}${pressed(" ")}`;
  await peer.send(text.slice(0, -20));
  await until(1);
  await peer.send(text.slice(-20));
  await until(2);
  assertEquals(actions, ["back", "pause"]);
});

unixTest("MpvControl leaves full screen at Esc, or else quits", async () => {
  const { actions, onAction, until } = actionLog();
  using peer = new Peer(media.pathOf("escape"));
  await using control = new MpvControl({ onAction });
  await Promise.all([control.connect(peer.path), peer.accept()]);
  await peer.send('{"event":"property-change","id":1,"name":"fullscreen","data":true}\n');
  await peer.send(pressed("escape"));
  assertEquals((await peer.command('["set_property","fullscreen"')).command, [
    ...["set_property", "fullscreen", false],
  ]);
  await peer.send('{"event":"property-change","id":1,"name":"fullscreen","data":false}\n');
  await peer.send(pressed("escape"));
  await until(1);
  assertEquals(actions, ["quit"]);
});

unixTest("MpvControl waits until buffers are dropped, or mpv is gone", async () => {
  using peer = new Peer(media.pathOf("drop"));
  await using control = new MpvControl();
  await Promise.all([control.connect(peer.path), peer.accept()]);
  let isDropped = false;
  const dropping = control.dropBuffers().then(() => isDropped = true);
  const { request_id } = await peer.command("drop-buffers");
  await peer.send(`{"request_id":${request_id + 1},"error":"success"}\n`);
  control.pause(true);
  await peer.command("pause");
  assertEquals(isDropped, false);
  await peer.send(`{"request_id":${request_id},"error":"success"}\n`);
  await dropping;
  const another = control.dropBuffers();
  await peer.command("drop-buffers");
  peer.hangUp();
  await another;
  await control.dropBuffers();
});

unixTest("MpvControl reports the time of what shows", async () => {
  const came = Promise.withResolvers<number>();
  using peer = new Peer(media.pathOf("time"));
  await using control = new MpvControl({ onTime: came.resolve });
  await Promise.all([control.connect(peer.path), peer.accept()]);
  assertEquals((await peer.command("time-pos")).command, ["observe_property", 2, "time-pos"]);
  // Nothing shows at first.
  await peer.send('{"event":"property-change","id":2,"name":"time-pos"}\n');
  await peer.send('{"event":"property-change","id":2,"name":"time-pos","data":1.52}\n');
  assertEquals(await came.promise, 1.52);
});

unixTest("MpvControl shows text without its marks, and removes it", async () => {
  using peer = new Peer(media.pathOf("text"));
  await using control = new MpvControl();
  await Promise.all([control.connect(peer.path), peer.accept()]);
  control.showText("a {b}\\N\nc");
  const { command } = await peer.command("osd-overlay");
  const { data, format } = command as Record<string, string>;
  assertEquals(format, "ass-events");
  assertEquals(data.slice(data.indexOf("}") + 1), "a \\{b}\\\u2060N\\Nc");
  control.showText("");
  const removal = await peer.command("osd-overlay");
  assertEquals((removal.command as Record<string, string>).format, "none");
});

unixTest("MpvControl shows text over the picture for a moment", async () => {
  using peer = new Peer(media.pathOf("moment"));
  await using control = new MpvControl();
  await Promise.all([control.connect(peer.path), peer.accept()]);
  control.showBriefly("00:12.3 of 01:02.0");
  const { command } = await peer.command("show-text");
  assertEquals(command, ["show-text", "00:12.3 of 01:02.0", 1500]);
});

unixTest("MpvControl gives up when it is disposed before mpv accepts", async () => {
  const control = new MpvControl();
  const connecting = control.connect(media.pathOf("nobody"));
  await Promise.all([
    assertRejects(() => connecting, Deno.errors.NotFound),
    control[Symbol.asyncDispose](),
  ]);
});
