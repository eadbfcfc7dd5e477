/** FFmpeg's argument that has an encoder make keyframes at an even pace. Pure. */

/**
 * Arguments for a keyframe at the beginning, wherever on the time line that lies, and then every so
 * many seconds. They count from the last one: where nothing came for a while, what follows would
 * else be keyframes only, until their number is made up for.
 *
 * @param seconds from one to the next
 */
export function keyframesEvery(seconds: number): string[] {
  return ["-force_key_frames", `expr:if(isnan(prev_forced_t),1,gte(t,prev_forced_t+${seconds}))`];
}
