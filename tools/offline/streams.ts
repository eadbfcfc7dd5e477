/** Stand-in for `@std/streams` 1.1.2 where JSR cannot be reached: the exports this project uses. */
export { TextLineStream, type TextLineStreamOptions } from "./text_line_stream.ts";
