import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { Camera, CAMERA_RATE } from "./camera.ts";
import type { ViewerResult, ViewersOptions } from "./live_viewers.ts";
import { type Bench, measured, type Row, takeTurns } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import type { ServerProcess } from "./programs.ts";

/** The name of the source, on all servers. */
const NAME = "live";

/** Relays between the server of the camera and the viewer. */
const RELAYS = 3;

/** Milliseconds between the first frames and the measurement. */
const SETTLING = 2000;

/** What the chain may add: milliseconds of two frames. */
const AFFORDABLE = 2 * 1000 / CAMERA_RATE;

/** Milliseconds of all frames from the camera to a viewer, and what the relays add to each. */
interface Outcome {
  direct: number[];
  relayed: number[];
  added: number[];
  /** Frames per second at the end of the chain. */
  rate: number;
}

/** Measures a viewer of a server, and at the same time one behind a chain of relays. */
export async function measureRelays(bench: Bench): Promise<Row[]> {
  const { chain } = await takeTurns(bench, { chain: () => watchChain(bench) });
  const quantiles = (pick: (outcome: Outcome) => number[], share: number) =>
    chain.map((outcome) => quantile(pick(outcome), share));
  const total = (share: number): Row =>
    measured({
      ours: quantiles(({ relayed }) => relayed, share),
      other: quantiles(({ direct }) => direct, share),
    }, { what: titleOf(`from camera, p${100 * share}`), unit: "ms", against: "without relays" });
  const added = (share: number): Row =>
    measured({ ours: quantiles(({ added }) => added, share) }, {
      ...{ what: titleOf(`added, p${100 * share}`), unit: "ms" },
      goal: { of: "ours", relation: "below", value: AFFORDABLE },
    });
  const rate = measured({ ours: chain.map(({ rate }) => rate) }, {
    ...{ what: titleOf("frames"), unit: "fps" },
    goal: { of: "ours", relation: "above", value: 29 },
  });
  return [total(0.5), total(0.99), added(0.5), added(0.99), rate];
}

function titleOf(what: string): string {
  return `${RELAYS} relays: ${what}`;
}

async function watchChain(
  { programs, clips, signal, liveSeconds: seconds }: Bench,
): Promise<Outcome> {
  await using stack = new AsyncDisposableStack();
  const camera = stack.use(new Camera());
  const start = async (input: string): Promise<ServerProcess> => {
    const flags = ["--live", `${NAME}=${input}`];
    return stack.use(await programs.startServer(clips.folder, { flags, signal }));
  };
  const first = await start(camera.input);
  let last = first;
  for (let count = 0; count < RELAYS; count++) {
    last = await start(`stream://127.0.0.1:${last.port}/${NAME}`);
  }
  const viewers = [first, last].map(({ port }) => {
    const request = { command: "get_video", name: NAME, late: "drop" } as const;
    const options: ViewersOptions = { port, seconds, request, reading: 1, stuck: 0 };
    return stack.use(programs.startViewers(JSON.stringify(options), signal));
  });
  for (const viewer of viewers) await viewer.expect("joined");
  await MONOTONIC_CLOCK.sleep(SETTLING, signal);
  for (const viewer of viewers) await viewer.writeLine("go");
  const lines = await Promise.all(viewers.map((viewer) => viewer.nextLine()));
  const [direct, relayed] = lines.map((line): ViewerResult => JSON.parse(line)[0]);
  const ageOf = new Map(direct.numbers.map((number, at) => [number, direct.ages[at]]));
  return {
    direct: direct.ages,
    relayed: relayed.ages,
    added: relayed.numbers.flatMap((number, at) => {
      const age = ageOf.get(number);
      return age === undefined ? [] : [relayed.ages[at] - age];
    }),
    rate: relayed.frames / seconds,
  };
}
