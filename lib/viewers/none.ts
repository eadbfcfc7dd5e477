import type { Viewer } from "./viewer.ts";

/** Looks at nothing: for measuring, and for seeing whether media arrives. */
export function createNoneViewer(): Viewer {
  return {
    begin: () => Promise.resolve(),
    show: () => Promise.resolve(true),
    finish: () => Promise.resolve(undefined),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
