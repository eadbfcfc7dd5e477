import { assertEquals } from "@std/assert";
import {
  PlayerControls,
  type PlayerControlsOptions,
} from "../../../lib/client/playback/controls.ts";
import type { MediaResponse } from "../../../lib/protocol/media_response.ts";
import type { Description } from "../../../lib/media/frame.ts";
import type { Control } from "../../../lib/protocol/native/request.ts";
import { GREY } from "../../support/peers/scripted_server.ts";
import { pureTest } from "../../support/pure_test.ts";

const DESCRIPTION: Description = { name: "grey", live: false, duration: 100, streams: [GREY] };

/** Controls of a response that records the control messages, and the lines for the user. */
function createControls(
  { options = {}, description = {}, classic = false }: {
    options?: Partial<PlayerControlsOptions>;
    description?: Partial<Description>;
    classic?: boolean;
  } = {},
) {
  const sent: Control[] = [];
  const notified: string[] = [];
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
    notify: (line) => void notified.push(line),
    ...options,
  });
  const attach = () => controls.attach(response, { ...DESCRIPTION, ...description });
  return { controls, sent, notified, attach, abandoned: () => abandoned };
}

pureTest("PlayerControls pauses and resumes in turn, and calls onPause", () => {
  const pauses: boolean[] = [];
  const { controls, sent, attach } = createControls({
    options: { onPause: (on) => pauses.push(on) },
  });
  controls.act("pause");
  assertEquals(sent, []);
  attach();
  controls.act("pause");
  controls.act("pause");
  assertEquals(sent, [{ action: "pause" }, { action: "resume" }]);
  assertEquals(pauses, [true, false]);
});

pureTest(
  "PlayerControls seeks from the current position, between the start and the last second",
  () => {
    const { controls, sent, attach } = createControls();
    attach();
    controls.moved(30);
    for (const action of ["forward", "back", "back", "far_back", "far_forward"] as const) {
      controls.act(action);
    }
    controls.act("far_forward");
    assertEquals(sent.map(({ to }) => to), [40, 30, 20, 0, 60, 99]);
  },
);

pureTest("PlayerControls goes on from the newest position after the reply to a seek", () => {
  const { controls, sent, attach } = createControls();
  attach();
  controls.act("forward");
  controls.act("forward");
  assertEquals(controls.arrived({ action: "seek", to: 20, id: 2 }), 20);
  controls.moved(24);
  controls.act("forward");
  assertEquals(sent.map(({ to, id }) => [to, id]), [[10, 1], [20, 2], [34, 3]]);
});

pureTest(
  "PlayerControls seeks from the position of a later seek after the reply to an earlier one",
  () => {
    const { controls, sent, attach } = createControls();
    attach();
    controls.act("far_forward");
    controls.act("back");
    controls.arrived({ action: "seek", to: 60, id: 1 });
    controls.act("back");
    assertEquals(sent.map(({ to }) => to), [60, 50, 40]);
  },
);

pureTest("PlayerControls counts positions from the start of the requested part", () => {
  const { controls, sent, attach } = createControls({
    options: { part: { start: 50, duration: 20 } },
  });
  attach();
  controls.moved(5);
  controls.act("far_forward");
  assertEquals(controls.arrived({ action: "seek", to: 69, id: 1 }), 19);
  controls.act("far_back");
  assertEquals(sent.map(({ to }) => to), [69, 50]);
});

pureTest("PlayerControls finds the position in a round of a loop", () => {
  const { controls, sent, attach } = createControls({ options: { loop: true } });
  attach();
  controls.moved(230);
  controls.act("forward");
  assertEquals(sent.map(({ to }) => to), [40]);
});

pureTest(
  "PlayerControls reports the position when it is asked for, at a pause, and at a seek",
  () => {
    const reported: (number | undefined)[][] = [];
    const { controls, attach } = createControls({
      options: {
        part: { start: 5 },
        onPosition: (...position) => void reported.push(position),
      },
    });
    controls.act("position");
    attach();
    controls.moved(25);
    controls.act("position");
    controls.act("pause");
    controls.act("pause");
    controls.act("forward");
    controls.act("forward");
    assertEquals(reported, [[30, 100], [30, 100], [40, 100], [50, 100]]);
  },
);

pureTest("PlayerControls refuses to seek in a recording, in live media, or in a script", () => {
  for (
    const [options, line] of [
      [{ options: { recording: true } }, "Cannot seek while recording"],
      [{ description: { live: true } }, "Cannot seek in live media"],
      [{ classic: true }, "Cannot seek in what a script sends"],
    ] as const
  ) {
    const { controls, sent, notified, attach } = createControls(options);
    attach();
    controls.act("forward");
    assertEquals([sent, notified], [[], [line]]);
  }
});

pureTest("PlayerControls refuses to pause a script", () => {
  const { controls, notified, attach } = createControls({ classic: true });
  attach();
  controls.act("pause");
  assertEquals([controls.paused, notified], [false, ["Cannot pause what a script sends"]]);
});

pureTest("PlayerControls sends one stop when the user quits", () => {
  const { controls, sent, attach, abandoned } = createControls();
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

pureTest("PlayerControls sends a stop as soon as the response begins, if the user has quit", () => {
  const { controls, sent, attach } = createControls();
  controls.quit();
  assertEquals(sent, []);
  attach();
  controls[Symbol.dispose]();
  assertEquals(sent, [{ action: "stop" }]);
});

pureTest("PlayerControls closes the connection of a script when the user quits", () => {
  const { controls, attach, abandoned } = createControls({ classic: true });
  attach();
  controls.quit();
  assertEquals(abandoned(), 1);
});

pureTest("PlayerControls resumes from a pause when a sink is closed", () => {
  const { controls, sent, attach } = createControls();
  attach();
  controls.wake();
  controls.act("pause");
  controls.wake();
  assertEquals(sent, [{ action: "pause" }, { action: "resume" }]);
});
