import { assertEquals } from "@std/assert";
import {
  DeadlineError,
  FormatError,
  isConnectionLost,
  RequestError,
  TruncatedError,
} from "../../../lib/base/errors.ts";
import { ConnectError, CutError, mayPass } from "../../../lib/client/connection/errors.ts";

Deno.test({
  name: "isConnectionLost() knows a broken connection by Deno's classes and by the system's names",
  permissions: "none",
  fn() {
    const breaks = [
      new Deno.errors.ConnectionReset(),
      new Deno.errors.BrokenPipe(),
      new TruncatedError(4, 1),
      Object.assign(new Error("no route"), { code: "EHOSTUNREACH" }),
    ];
    assertEquals(breaks.map(isConnectionLost), breaks.map(() => true));
    const others = [
      new Error("other"),
      new FormatError("garbage"),
      new Deno.errors.Interrupted(),
      Object.assign(new Error("no entry"), { code: "ENOENT" }),
      "ECONNRESET",
    ];
    assertEquals(others.map(isConnectionLost), others.map(() => false));
  },
});

Deno.test({
  name: "mayPass() tells what may go better from what will be the same",
  permissions: "none",
  fn() {
    const passing = [
      new CutError("cut"),
      new DeadlineError("silent"),
      new ConnectError("refused"),
      new RequestError("busy", "full"),
    ];
    assertEquals(passing.map(mayPass), passing.map(() => true));
    const lasting = [
      new ConnectError("the wrong certificate", { lasting: true }),
      new RequestError("not_found", "no such file"),
      new RequestError("unauthorized", "no"),
      new FormatError("garbage"),
      new Error("disk full"),
    ];
    assertEquals(lasting.map(mayPass), lasting.map(() => false));
  },
});
