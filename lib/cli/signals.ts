/** A wait for the user, or the system, to end the program. */
export interface Interrupt extends Disposable {
  /**
   * Where it is set, SIGHUP calls it and ends nothing, unless the terminal is gone: those who keep a
   * service have it read its files again in this way.
   */
  onHangup?: () => void;
  /** Does what SIGHUP does that ends the program: a write has found out that the terminal is gone. */
  hangUp: () => void;
  /** Fires at the first signal, or where the terminal is found to be gone. */
  signal: AbortSignal;
  /** Fires at the second, unless both are SIGHUP: from there on nothing is worth a wait. */
  forced: AbortSignal;
  /** Exit status that the signal stands for: 130 for SIGINT, 143 for SIGTERM, 129 for SIGHUP. */
  status: Promise<number>;
  /** The same, a moment after the second: what has not tidied up until then is left as it is. */
  overdue: Promise<number>;
}

/** Status of a program that the system, or whoever keeps it as a service, told to end. */
export const TERMINATED = 143;

/** Status of a program whose terminal was closed, or lost. */
const HUNG_UP = 129;

/** Milliseconds between the second signal and the end. */
const LAST_MOMENT = 300;

/**
 * The exit status of programs that end by a signal is 128 and the signal's number. SIGHUP comes
 * when the terminal is closed, or the connection to it breaks.
 */
const STATUS: readonly (readonly [Deno.Signal, number])[] = Deno.build.os === "windows"
  ? [["SIGINT", 130]]
  : [["SIGINT", 130], ["SIGTERM", TERMINATED], ["SIGHUP", HUNG_UP]];

/** What a terminal may be at the other end of. */
const STREAMS = [Deno.stdin, Deno.stdout, Deno.stderr];

/**
 * Takes over Ctrl-C, SIGTERM and the end of the terminal until disposed.
 *
 * @param options `outlivesTerminal`: SIGHUP ends nothing, wherever it comes from
 */
export function untilInterrupted({ outlivesTerminal = false } = {}): Interrupt {
  const controller = new AbortController();
  const insistence = new AbortController();
  const { promise, resolve } = Promise.withResolvers<number>();
  const overdue = Promise.withResolvers<number>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const isAttached = () => STREAMS.map((stream) => stream.isTerminal());
  const attached = isAttached();
  let hungUp = false;
  const end = (status: number, { insists = true } = {}) => {
    if (controller.signal.aborted && insists) {
      timer ??= setTimeout(() => overdue.resolve(status), LAST_MOMENT);
      insistence.abort();
    }
    resolve(status);
    controller.abort();
  };
  const hangUp = () => {
    // The shell and the system tell of it, and writes find it out: that is one end, told often.
    end(HUNG_UP, { insists: !hungUp });
    hungUp = true;
  };
  const onHangup = () => {
    // A terminal that is closed is none any more.
    const isAlone = attached.some((was, at) => was && !isAttached()[at]);
    if (interrupt.onHangup && (outlivesTerminal || !isAlone)) interrupt.onHangup();
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
    forced: insistence.signal,
    status: promise,
    overdue: overdue.promise,
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
    },
  };
  return interrupt;
}
