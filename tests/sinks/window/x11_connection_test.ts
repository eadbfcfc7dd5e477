import { assertRejects } from "@std/assert";
import { XConnection } from "../../../lib/sinks/window/x11_connection.ts";
import { linuxTest } from "../../support/test_if.ts";

/** TCP port of display 0. */
const FIRST_PORT = 6000;

linuxTest("XConnection.open() gives up on a host that does not reply", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 0 });
  const { hostname, port } = listener.addr;
  // The one for which there is room, so that the next one waits.
  using _first = await Deno.connect({ hostname, port });
  const before = Deno.env.get("DISPLAY");
  Deno.env.set("DISPLAY", `${hostname}:${port - FIRST_PORT}`);
  try {
    await assertRejects(() => XConnection.open({ onEvent: () => {}, patience: 50 }));
  } finally {
    if (before === undefined) Deno.env.delete("DISPLAY");
    else Deno.env.set("DISPLAY", before);
  }
});
