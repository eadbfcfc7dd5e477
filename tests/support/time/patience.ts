/**
 * Milliseconds after which an event counts as missed. It only keeps a test from hanging: a busy
 * machine may take many times as long as an idle one, so no test that works comes close.
 */
export const PATIENCE = 180_000;
