import { assertEquals } from "@std/assert";
import {
  DeadlineError,
  FormatError,
  isConnectionLost,
  RequestError,
  TruncatedError,
} from "../../lib/base/errors.ts";
import { ConnectError, CutError, isTransient } from "../../lib/net/errors.ts";
import { pureTest } from "../support/pure_test.ts";

pureTest(
  "isConnectionLost() knows a broken connection by Deno's classes and by the system's names",
  () => {
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
);

pureTest("isTransient() tells transient failures from permanent ones", () => {
  const transient = [
    new CutError("cut"),
    new DeadlineError("silent"),
    new ConnectError("refused"),
    new RequestError("busy", "full"),
  ];
  assertEquals(transient.map(isTransient), transient.map(() => true));
  const permanent = [
    new ConnectError("the wrong certificate", { permanent: true }),
    new RequestError("not_found", "no such file"),
    new RequestError("unauthorized", "no"),
    new FormatError("garbage"),
    new Error("disk full"),
  ];
  assertEquals(permanent.map(isTransient), permanent.map(() => false));
});
