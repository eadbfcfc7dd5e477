import { assertEquals } from "@std/assert";
import {
  PlayerControls,
  type PlayerControlsOptions,
} from "../../../lib/client/playback/controls.ts";
import type { MediaResponse } from "../../../lib/client/request/request.ts";
import type { Description } from "../../../lib/media/frame.ts";
import type { Control } from "../../../lib/protocol/native/request.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const DESCRIPTION: Description = { name: "grey", live: false, duration: 100, streams: [GREY] };

/** Controls of an answer that writes down what is sent, and told. */
function watched(
  { options = {}, description = {}, classic = false }: {
    options?: Partial<PlayerControlsOptions>;
    description?: Partial<Description>;
    classic?: boolean;
  } = {},
) {
  const sent: Control[] = [];
  const told: string[] = [];
  let abandoned = 0;
  const response: MediaResponse = {
    async *[Symbol.asyncIterator]() {},
    control: classic ? undefined : (control) => {
      sent.push(control);
      return Promise.resolve();
    },
    abandon: () => void abandoned++,
  };
  const controls = new PlayerControls({
    recording: false,
    tell: (line) => void told.push(line),
    ...options,
  });
  const attach = () => controls.attach(response, { ...DESCRIPTION, ...description });
  return { controls, sent, told, attach, abandoned: () => abandoned };
}

pureTest("PlayerControls pauses and goes on in turn, and tells of it", () => {
  const pauses: boolean[] = [];
  const { controls, sent, attach } = watched({ options: { onPause: (on) => pauses.push(on) } });
  controls.act("pause");
  assertEquals(sent, []);
  attach();
  controls.act("pause");
  controls.act("pause");
  assertEquals(sent, [{ action: "pause" }, { action: "resume" }]);
  assertEquals(pauses, [true, false]);
});

pureTest("PlayerControls seeks from where it is, between the beginning and the last second", () => {
  const { controls, sent, attach } = watched();
  attach();
  controls.moved(30);
  for (const action of ["forward", "back", "back", "far_back", "far_forward"] as const) {
    controls.act(action);
  }
  controls.act("far_forward");
  assertEquals(sent.map(({ to }) => to), [40, 30, 20, 0, 60, 99]);
});

pureTest("PlayerControls goes on from the newest place when a seek is answered", () => {
  const { controls, sent, attach } = watched();
  attach();
  controls.act("forward");
  controls.act("forward");
  assertEquals(controls.arrived({ action: "seek", to: 20, id: 2 }), 20);
  controls.moved(24);
  controls.act("forward");
  assertEquals(sent.map(({ to, id }) => [to, id]), [[10, 1], [20, 2], [34, 3]]);
});

pureTest("PlayerControls keeps a later seek in mind while an earlier one is answered", () => {
  const { controls, sent, attach } = watched();
  attach();
  controls.act("far_forward");
  controls.act("back");
  controls.arrived({ action: "seek", to: 60, id: 1 });
  controls.act("back");
  assertEquals(sent.map(({ to }) => to), [60, 50, 40]);
});

pureTest("PlayerControls counts from where the part begins that was asked for", () => {
  const { controls, sent, attach } = watched({ options: { part: { start: 50, duration: 20 } } });
  attach();
  controls.moved(5);
  controls.act("far_forward");
  assertEquals(controls.arrived({ action: "seek", to: 69, id: 1 }), 19);
  controls.act("far_back");
  assertEquals(sent.map(({ to }) => to), [69, 50]);
});

pureTest("PlayerControls finds the place in a round of a loop", () => {
  const { controls, sent, attach } = watched({ options: { loop: true } });
  attach();
  controls.moved(230);
  controls.act("forward");
  assertEquals(sent.map(({ to }) => to), [40]);
});

pureTest("PlayerControls does not seek in what is recorded, live or classic, and says so", () => {
  for (
    const [options, line] of [
      [{ options: { recording: true } }, "Cannot seek while it is recorded"],
      [{ description: { live: true } }, "Cannot seek in what is live"],
      [{ classic: true }, "Cannot seek in a classic server"],
    ] as const
  ) {
    const { controls, sent, told, attach } = watched(options);
    attach();
    controls.act("forward");
    assertEquals([sent, told], [[], [line]]);
  }
});

pureTest("PlayerControls does not pause what comes from a classic server, and says so", () => {
  const { controls, told, attach } = watched({ classic: true });
  attach();
  controls.act("pause");
  assertEquals([controls.paused, told], [false, ["Cannot pause a classic server"]]);
});

pureTest("PlayerControls ends it once, with a farewell", () => {
  const { controls, sent, attach, abandoned } = watched();
  attach();
  controls.act("quit");
  controls.act("quit");
  controls.act("pause");
  controls[Symbol.dispose]();
  assertEquals([sent, controls.quitting, controls.signal.aborted], [
    [{ action: "stop" }],
    true,
    true,
  ]);
  assertEquals(abandoned(), 0);
});

pureTest("PlayerControls ends what has not begun as soon as it does", () => {
  const { controls, sent, attach } = watched();
  controls.quit();
  assertEquals(sent, []);
  attach();
  controls[Symbol.dispose]();
  assertEquals(sent, [{ action: "stop" }]);
});

pureTest("PlayerControls leaves a classic server, which knows no farewell", () => {
  const { controls, attach, abandoned } = watched({ classic: true });
  attach();
  controls.quit();
  assertEquals(abandoned(), 1);
});

pureTest("PlayerControls has frames come in a pause when a viewer is gone", () => {
  const { controls, sent, attach } = watched();
  attach();
  controls.wake();
  controls.act("pause");
  controls.wake();
  assertEquals(sent, [{ action: "pause" }, { action: "resume" }]);
});
