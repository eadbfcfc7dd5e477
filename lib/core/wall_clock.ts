/**
 * The time of day, for comparing moments on different machines. It may jump when somebody sets the
 * clock; what only measures how long something takes goes by `performance.now()`.
 *
 * @returns microseconds since 1970, as exact as the system tells
 */
export function wallClock(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}
