/** Responses in the framing of the native protocol. */
import type { Connection } from "../../protocol/native/connection.ts";
import { encodeControl } from "../../protocol/native/request.ts";
import { encodeDescription, encodeEnd, encodeNotice } from "../../protocol/native/response.ts";
import type { ResponseWriter } from "./sender.ts";

/** Writes responses as messages of the native protocol. */
export function nativeResponse(connection: Connection): ResponseWriter {
  return {
    describe: (description) => connection.send("describe", encodeDescription(description)),
    write(frame, { dropped }) {
      const { byteLength } = frame.data;
      return connection.sendFrame(frame, { dropped })?.then(() => byteLength) ?? byteLength;
    },
    async writeShared({ message, size }, options) {
      await connection.sendShared(message, options);
      return size;
    },
    flush: () => connection.flush(),
    end: (report) => connection.send("end", encodeEnd(report)),
    notify: (notice) => connection.send("notice", encodeNotice(notice)),
    seek: (seek) => connection.send("control", encodeControl({ action: "seek", ...seek })),
  };
}
