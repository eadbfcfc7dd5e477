/** A wait for the user, or the system, to end the program. */
export interface Interrupt extends Disposable {
  /** Fires at the first signal. */
  signal: AbortSignal;
  /** Exit status that the signal stands for: 130 for SIGINT, 143 for SIGTERM. */
  status: Promise<number>;
}

/** The exit status of programs that end by a signal is 128 and the signal's number. */
const STATUS: readonly (readonly [Deno.Signal, number])[] = [["SIGINT", 130], ["SIGTERM", 143]];

/** Takes over Ctrl-C and SIGTERM until disposed. */
export function untilInterrupted(): Interrupt {
  const controller = new AbortController();
  const { promise, resolve } = Promise.withResolvers<number>();
  const listeners = STATUS.map(([name, status]) => {
    const listener = () => {
      resolve(status);
      controller.abort();
    };
    Deno.addSignalListener(name, listener);
    return [name, listener] as const;
  });
  return {
    signal: controller.signal,
    status: promise,
    [Symbol.dispose]() {
      for (const [name, listener] of listeners) Deno.removeSignalListener(name, listener);
    },
  };
}
