import { deadline } from "../../../lib/base/async.ts";
import { PATIENCE } from "./patience.ts";

/** The system's handle of a timer. */
type Handle = ReturnType<typeof setTimeout>;

/** A pending timer. */
interface Timer {
  /** Milliseconds. */
  delay: number;
  /** Time at which it fires, milliseconds. */
  due: number;
  fire: () => void;
  /** Fires again after the same delay. */
  repeats: boolean;
  /** The system's timer, which fires it unless a leap does. */
  system?: Handle;
}

/**
 * Replaces the timers and the monotonic clock of this process until disposed. Time passes as always,
 * and by leaps, so that timeouts can be long enough for a busy machine and expire at once. Timers of
 * {@linkcode PATIENCE} stay the system's.
 */
export class LeapingTime implements Disposable {
  #timers = new Map<unknown, Timer>();
  /** Milliseconds that the time is ahead of the system's. */
  #ahead = 0;
  #news = Promise.withResolvers<void>();
  readonly #system = {
    setTimeout: globalThis.setTimeout.bind(globalThis),
    clearTimeout: globalThis.clearTimeout.bind(globalThis),
    now: performance.now.bind(performance),
  };
  readonly #replaced = { setTimeout, setInterval, clearTimeout, clearInterval };

  constructor() {
    type Action = (...args: unknown[]) => void;
    const setter = (repeats: boolean) => (action: Action, delay = 0, ...args: unknown[]) =>
      this.#set(() => action(...args), { delay, repeats });
    const clear = (handle?: Handle) => this.#clear(handle);
    Object.assign(globalThis, {
      setTimeout: setter(false),
      setInterval: setter(true),
      clearTimeout: clear,
      clearInterval: clear,
    });
    performance.now = () => this.#now();
  }

  /**
   * Waits until a timer with a delay is pending.
   *
   * @param delay milliseconds
   */
  async running(delay: number): Promise<void> {
    while (!this.#runs(delay)) await this.#change();
  }

  /**
   * Waits until no timer with a delay is pending, nor set again in the next turn of the event loop.
   *
   * @param delay milliseconds
   */
  async idle(delay: number): Promise<void> {
    do {
      while (this.#runs(delay)) await this.#change();
      await this.#turn();
    } while (this.#runs(delay));
  }

  /**
   * Lets time pass at once; due timers fire in order.
   *
   * @param milliseconds how much
   */
  async leap(milliseconds: number): Promise<void> {
    const end = this.#now() + milliseconds;
    while (true) {
      const [next] = [...this.#timers.values()].sort((one, other) => one.due - other.due);
      if (next === undefined || next.due > end) break;
      this.#ahead += Math.max(0, next.due - this.#now());
      next.fire();
      await this.#turn();
    }
    this.#ahead += Math.max(0, end - this.#now());
    for (const timer of this.#timers.values()) this.#start(timer);
    await this.#turn();
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#replaced);
    // The system's function is on the prototype.
    Reflect.deleteProperty(performance, "now");
  }

  #now(): number {
    return this.#system.now() + this.#ahead;
  }

  #runs(delay: number): boolean {
    return [...this.#timers.values()].some((timer) => timer.delay === delay);
  }

  /** Waits until a timer is set or ends. */
  async #change(): Promise<void> {
    const missed = Promise.withResolvers<never>();
    using _limit = deadline(PATIENCE, () => missed.reject(new Error("No timer is set, or ends")));
    await Promise.race([this.#news.promise, missed.promise]);
  }

  /** Waits for one turn of the event loop. */
  #turn(): Promise<void> {
    return new Promise((resolve) => this.#system.setTimeout(resolve, 0));
  }

  #set(action: () => void, { delay, repeats }: Pick<Timer, "delay" | "repeats">): Handle {
    if (delay === PATIENCE) return this.#system.setTimeout(action, delay);
    const fire = () => {
      if (repeats) {
        timer.due += Math.max(1, delay);
        this.#start(timer);
      } else this.#clear(handle);
      action();
    };
    const timer: Timer = { delay, due: this.#now() + delay, fire, repeats };
    const handle = this.#start(timer);
    this.#timers.set(handle, timer);
    this.#tell();
    return handle;
  }

  /** Starts the system's timer, and cancels the one before. */
  #start(timer: Timer): Handle {
    this.#system.clearTimeout(timer.system);
    timer.system = this.#system.setTimeout(timer.fire, Math.max(0, timer.due - this.#now()));
    return timer.system;
  }

  #clear(handle?: Handle): void {
    const timer = this.#timers.get(handle);
    // The timer was set before the replacement.
    if (timer === undefined) return this.#system.clearTimeout(handle);
    this.#system.clearTimeout(timer.system);
    this.#timers.delete(handle);
    this.#tell();
  }

  #tell(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
