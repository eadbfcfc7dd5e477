/** Signals that end the program. */
export interface Interrupt extends Disposable {
  /**
   * Called by SIGHUP instead of ending the program, unless the terminal is gone. Services reload
   * their files this way.
   */
  onHangup?: () => void;
  /** Ends the program like SIGHUP, after a write has failed because the terminal is gone. */
  hangUp: () => void;
  /** Aborts at the first signal, or when the terminal is gone. */
  signal: AbortSignal;
  /** Aborts at the second signal, unless both are SIGHUP: the program ends without waiting. */
  forced: AbortSignal;
  /** Exit status of the signal: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP. */
  status: Promise<number>;
  /** The same, shortly after the second signal: the program ends even if it has not cleaned up. */
  overdue: Promise<number>;
}

/** Exit status after SIGTERM. */
export const TERMINATED = 143;

/** Exit status after SIGHUP. */
const HUNG_UP = 129;

/** Milliseconds to clean up after the second signal. */
const FORCED_GRACE = 1000;

/**
 * The exit status after a signal is 128 + the signal's number. SIGHUP comes when the terminal is
 * closed, or the connection to it is lost.
 */
const STATUS: readonly (readonly [Deno.Signal, number])[] = Deno.build.os === "windows"
  ? [["SIGINT", 130]]
  : [["SIGINT", 130], ["SIGTERM", TERMINATED], ["SIGHUP", HUNG_UP]];

/** Streams that may be connected to a terminal. */
const STREAMS = [Deno.stdin, Deno.stdout, Deno.stderr];

/**
 * Handles Ctrl-C, SIGTERM and the end of the terminal until disposed.
 *
 * @param options `outlivesTerminal`: SIGHUP never ends the program
 */
export function untilInterrupted({ outlivesTerminal = false } = {}): Interrupt {
  const controller = new AbortController();
  const forced = new AbortController();
  const { promise, resolve } = Promise.withResolvers<number>();
  const overdue = Promise.withResolvers<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const isAttached = () => STREAMS.map((stream) => stream.isTerminal());
  const attached = isAttached();
  let hungUp = false;
  const end = (status: number, { forces = true } = {}) => {
    if (controller.signal.aborted && forces) {
      timer ??= setTimeout(() => overdue.resolve(status), FORCED_GRACE);
      forced.abort();
    }
    resolve(status);
    controller.abort();
  };
  const hangUp = () => {
    // The shell and the system each send SIGHUP, and writes fail: together they count once.
    end(HUNG_UP, { forces: !hungUp });
    hungUp = true;
  };
  const onHangup = () => {
    // isTerminal() is false after the terminal was closed.
    const lostTerminal = attached.some((was, at) => was && !isAttached()[at]);
    if (interrupt.onHangup && (outlivesTerminal || !lostTerminal)) interrupt.onHangup();
    else if (!outlivesTerminal) hangUp();
  };
  const listeners = STATUS.map(([name, status]) => {
    const listener = status === HUNG_UP ? onHangup : () => end(status);
    Deno.addSignalListener(name, listener);
    return [name, listener] as const;
  });
  const interrupt: Interrupt = {
    hangUp,
    signal: controller.signal,
    forced: forced.signal,
    status: promise,
    overdue: overdue.promise,
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
    },
  };
  return interrupt;
}
