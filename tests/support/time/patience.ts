/**
 * Milliseconds after which an event counts as missed. It only keeps a failing test from hanging, and
 * is long because of busy machines.
 */
export const PATIENCE = 180_000;
