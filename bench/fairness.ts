import { deadline } from "../lib/base/async.ts";
import { MONOTONIC_CLOCK } from "../lib/base/clock.ts";
import { messageOf } from "../lib/base/errors.ts";
import { Secret } from "../lib/net/secret.ts";
import { type AbuseName, type AbuseOptions, MEDIA } from "./abusers.ts";
import { Clips } from "./clips.ts";
import type { ManyOptions, PlayedResult } from "./many_viewers.ts";
import { type Bench, type Goal, measured, type Row, takeTurns } from "./measurement.ts";
import { quantile } from "./numbers.ts";
import type { ServerProcess } from "./programs.ts";
import { watch } from "./viewer.ts";

/** Rounds of the other benchmarks for one of these. */
const ROUNDS_DIVISOR = 5;

/** Frames per second of the watched video. */
const RATE = 30;

/** Seconds for which the viewer plays, the start of the abusers included. */
const SECONDS = 5;

/** Milliseconds between new requests, and until one that was refused is repeated. */
const REST = 100;

/** Milliseconds that a run may take beyond its viewer's. */
const PATIENCE = 60_000;

/** Decoders of a server by default. */
const DECODERS = Math.min(4 * navigator.hardwareConcurrency, 60);

/**
 * Address of the abusers, so that the server can tell them from others, who come from 127.0.0.1. It
 * listens on both.
 */
const ABUSER_HOST = "::1";

/** Abusers, and what they are called in the rows. */
interface Abuse {
  what: string;
  name: AbuseName;
  clients: number;
  /** The server requires a token, which abusers do not have. */
  hasToken?: boolean;
  /** Also measures the share of requests that are served. */
  countsServed?: boolean;
  /** Largest log, bytes a second, of them and of the others. */
  maxLog?: number;
}

const ABUSES: readonly Abuse[] = [
  { what: `${DECODERS} paused`, name: "paused", clients: DECODERS },
  { what: "60 sizes", name: "sizes", clients: 60 },
  { what: `${DECODERS} with every 0.01`, name: "every", clients: DECODERS },
  { what: "60 stuck scripts", name: "scripts", clients: 60 },
  { what: "63 read nothing of 4K", name: "unread", clients: 63 },
  { what: "large pings", name: "pings", clients: 1, hasToken: true },
  { what: "28,000 seeks/s", name: "seeks", clients: 1 },
  { what: "99,000 controls/s", name: "controls", clients: 1 },
  { what: "200 idle", name: "idle", clients: 200, countsServed: true },
  { what: "names of 4 KB", name: "names", clients: 1, maxLog: 20_000 },
  { what: "leaving 8K", name: "leaving", clients: 1 },
];

/** What others get from a server. */
interface Outcome {
  /** Milliseconds by which frames of the viewer are late, 99th percentile. */
  lateness: number;
  /** Milliseconds until the first frame of each new request. */
  firsts: number[];
  /** Percentage of the requests that were served. */
  served: number;
  /** Bytes of the log, a second. */
  logged: number;
}

/** Measures what clients that behave badly do to others, against the same server without them. */
export async function measureFairness(bench: Bench): Promise<Row[]> {
  const { signal, seconds, log, skip } = bench;
  if (!hasIpv6()) {
    skip(`abusers: they connect to ${ABUSER_HOST}, and this machine has no IPv6`);
    return [];
  }
  // Apart from those of other benchmarks, whose servers look into all files of their folder.
  const folder = await Deno.makeTempDir({ prefix: "stream_bench_fairness_" });
  const tokenFile = await Deno.makeTempFile({ prefix: "stream_bench_token_" });
  try {
    await Deno.writeTextFile(tokenFile, crypto.randomUUID());
    const clips = new Clips(folder, { seconds, log });
    await Promise.all((["small", "uhd", "ultra"] as const).map((name) => clips.get(name, signal)));
    const rounds = Math.ceil(bench.rounds / ROUNDS_DIVISOR);
    const rows: Row[] = [];
    for (const abuse of ABUSES) {
      const run = (isAbused: boolean) => play(abuse, { folder, tokenFile, isAbused }, bench);
      const outcomes = await takeTurns({ ...bench, rounds }, {
        [`without ${abuse.what}`]: () => run(false),
        [abuse.what]: () => run(true),
      });
      rows.push(...rowsOf(abuse, outcomes[abuse.what], outcomes[`without ${abuse.what}`]));
    }
    return rows;
  } finally {
    await Deno.remove(folder, { recursive: true });
    await Deno.remove(tokenFile);
  }
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: ABUSER_HOST, port: 0 }).close();
    return true;
  } catch {
    // The system says so in different ways.
    return false;
  }
}

async function play(
  { name: abuse, clients, hasToken = false }: Abuse,
  { folder, tokenFile, isAbused }: { folder: string; tokenFile: string; isAbused: boolean },
  { programs, signal }: Bench,
): Promise<Outcome> {
  const flags = [
    ...["--host", "::", "--video", MEDIA.small],
    ...(hasToken ? ["--token-file", tokenFile] : []),
  ];
  const token = hasToken ? await Deno.readTextFile(tokenFile) : undefined;
  await using server = await programs.startServer(folder, { flags, countsLog: true, signal });
  const viewer: ManyOptions = {
    ...{ port: server.port, rate: RATE, within: 0, seconds: SECONDS, length: SECONDS },
    requests: [
      { command: "get_video", name: MEDIA.small, encoding: "raw", audio: false, token },
    ],
  };
  await using viewers = programs.startMany(JSON.stringify(viewer), signal);
  await viewers.expect("began");
  const newcomer = new Newcomer(server, { token, isPatient: isAbused });
  // When it is served, the viewer is, too.
  await newcomer.ask(signal);
  const options: AbuseOptions = {
    ...{ host: ABUSER_HOST, port: server.port, abuse },
    // Without them the same program starts, which takes time of the processor, too.
    clients: isAbused ? clients : 0,
  };
  await using abusers = programs.startAbusers(JSON.stringify(options), signal);
  await abusers.expect("began");
  const before = { logged: server.logged, at: performance.now() };
  const over = new AbortController();
  const asked = newcomer.askOn(AbortSignal.any([signal, over.signal]));
  // Its error comes after the viewer's result.
  asked.catch(() => {});
  using _limit = deadline(SECONDS * 1000 + PATIENCE, () => over.abort());
  const [result]: PlayedResult[] = JSON.parse(await viewers.nextLine());
  over.abort();
  const logged = (server.logged - before.logged) / (performance.now() - before.at) * 1000;
  return { lateness: latenessOf(result, SECONDS * 1000), ...await asked, logged };
}

/** Somebody who requests a video in a size that nobody has requested before, again and again. */
class Newcomer {
  #server: ServerProcess;
  #token: Secret | undefined;
  #isPatient: boolean;
  #width = 320;
  #served = 0;
  #refused = 0;

  /** @param isPatient repeats requests that fail, and does not throw their errors */
  constructor(
    server: ServerProcess,
    { token, isPatient }: { token?: string; isPatient: boolean },
  ) {
    this.#server = server;
    this.#token = token === undefined ? undefined : new Secret(token);
    this.#isPatient = isPatient;
  }

  /** Asks until the signal aborts. */
  async askOn(over: AbortSignal): Promise<Pick<Outcome, "firsts" | "served">> {
    const firsts: number[] = [];
    while (!over.aborted) {
      const began = performance.now();
      const first = await this.ask(over);
      // One that was not served counts if it waited longer than all that were.
      const waited = first ?? performance.now() - began;
      if (first !== undefined || waited > Math.max(0, ...firsts)) firsts.push(waited);
      await rest(over);
    }
    return { firsts, served: 100 * this.#served / (this.#served + this.#refused) };
  }

  /**
   * Asks until there is a frame.
   *
   * @returns milliseconds until then; `undefined` if the signal aborts first
   */
  async ask(over: AbortSignal): Promise<number | undefined> {
    const began = performance.now();
    const request = { name: MEDIA.small, width: this.#width += 2, audio: false };
    const { port } = this.#server;
    let first: number | undefined;
    while (first === undefined && !over.aborted) {
      try {
        await watch({
          ...{ port, token: this.#token, request },
          onFrame: async ({ stop }) => {
            if (first !== undefined) return;
            first = performance.now() - began;
            this.#served++;
            await stop();
          },
        }, over);
      } catch (error) {
        if (over.aborted || first !== undefined) break;
        if (!this.#isPatient) {
          throw new Error(`Cannot measure: ${messageOf(error)}`, { cause: error });
        }
        this.#refused++;
        await rest(over);
      }
    }
    return first;
  }
}

/** Waits for a while, or until the signal aborts. */
async function rest(over: AbortSignal): Promise<void> {
  await MONOTONIC_CLOCK.sleep(REST, over).catch(() => {});
}

/**
 * The 99th percentile of a viewer's lateness in milliseconds, in which frames that are due and did
 * not come count as if they came at the end.
 *
 * @param length milliseconds from before the viewer connected to the end
 */
export function latenessOf(
  { first, lateness, speed }: Pick<PlayedResult, "first" | "lateness" | "speed">,
  length: number,
): number {
  const behind = first === undefined ? length : (1 - speed) * (length - first);
  const distance = 1000 / RATE;
  const missing = Array.from(
    { length: Math.floor(behind / distance) },
    (_, frame) => behind - (frame + 1) * distance,
  );
  return quantile([0, ...lateness, ...missing], 0.99);
}

/** Most that abusers may change: 1.3 times what it is without them plus 50 ms. */
export function fairGoal(without: number): Goal {
  return { of: "ours", relation: "at most", value: 1.3 * without + 50 };
}

function rowsOf(
  { what, countsServed = false, maxLog }: Abuse,
  outcomes: readonly Outcome[],
  without: readonly Outcome[],
): Row[] {
  const row = (name: string, unit: string, pick: (outcome: Outcome) => number): Row =>
    measured({ ours: outcomes.map(pick), other: without.map(pick) }, {
      ...{ what: `${what}: ${name}`, unit, against: "the same server without them" },
    });
  const fair = (row: Row): Row => ({ ...row, goal: fairGoal(row.other ?? 0) });
  const extra: Row[] = [];
  if (countsServed) {
    const goal: Goal = { of: "ours", relation: "at least", value: 100 };
    extra.push({ ...row("requests served", "%", ({ served }) => served), goal });
  }
  if (maxLog !== undefined) {
    const goal: Goal = { of: "ours", relation: "at most", value: maxLog };
    extra.push({ ...row("log", "B/s", ({ logged }) => logged), goal });
  }
  return [
    fair(row("lateness, p99", "ms", ({ lateness }) => lateness)),
    fair(row("first frame", "ms", ({ firsts }) => quantile(firsts, 0.5))),
    ...extra,
  ];
}
