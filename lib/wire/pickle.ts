/**
 * Python's pickles, as far as numpy arrays and bytes go: read without executing anything, and
 * written so that numpy 1 and 2 load them.
 *
 * @module
 */
export type { NumpyArray } from "./pickle_numpy.ts";
export { type PickleValue, readPickle } from "./pickle_read.ts";
export { ARRAY_SUFFIX, arrayPrefix, bytesPickle } from "./pickle_write.ts";
