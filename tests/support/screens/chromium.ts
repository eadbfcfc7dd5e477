/** Chromium without a screen, controlled over the DevTools protocol. */
import { HelperProgram } from "../programs/running_program.ts";
import { PATIENCE } from "../time/patience.ts";

/** Milliseconds that Chromium may take to end by itself. */
const FAREWELL = 5_000;

/** Flags for a browser that makes no requests of its own. */
const FLAGS = [
  ...["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--mute-audio"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  ...["--hide-scrollbars", "--disable-extensions", "--disable-dev-shm-usage"],
  "--no-default-browser-check",
  ...["--remote-debugging-port=0", "--window-size=1000,800"],
];

/** The name that the browser of a phone gives. */
const PHONE = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) " +
  "Chrome/126.0.0.0 Mobile Safari/537.36";

/** Levels of what a page or the browser complains of; others are for information. */
const COMPLAINTS = /^(error|warning|assert)$/;

/** A response of the protocol. */
interface Reply {
  [name: string]: unknown;
}

interface Message extends Reply {
  id?: number;
  method?: string;
  sessionId?: string;
  params?: Reply;
  result?: Reply;
  error?: { message: string };
}

/** A browser with a temporary profile. */
export class Chromium implements AsyncDisposable {
  #program: HelperProgram;
  #profile: string;
  #socket: WebSocket;
  #asked = new Map<number, PromiseWithResolvers<Reply>>();
  #pages = new Map<string, Page>();
  #last = 0;

  private constructor(program: HelperProgram, profile: string, socket: WebSocket) {
    this.#program = program;
    this.#profile = profile;
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
  }

  /** Starts it and waits until it can be controlled. */
  static async start(...flags: readonly string[]): Promise<Chromium> {
    const profile = await Deno.makeTempDir({ prefix: "stream_chromium_" });
    const args = [...FLAGS, ...flags, `--user-data-dir=${profile}`, "about:blank"];
    const program = new HelperProgram("chromium", args);
    const [, address] = await program.stderr.until(/DevTools listening on (ws:\S+)/);
    const socket = new WebSocket(address);
    const opened = Promise.withResolvers<void>();
    socket.onopen = () => opened.resolve();
    socket.onerror = () => opened.reject(new Error(`Cannot steer Chromium at ${address}`));
    await opened.promise;
    return new Chromium(program, profile, socket);
  }

  /**
   * Opens a tab and waits until its page is loaded.
   *
   * @param script runs before those of each page of the tab
   */
  async open(address: string, { script }: { script?: string } = {}): Promise<Page> {
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    const page = new Page((method, params) => this.send(method, params, String(sessionId)));
    this.#pages.set(String(sessionId), page);
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await page.send(`${domain}.enable`);
    await page.send("Page.setLifecycleEventsEnabled", { enabled: true });
    if (script !== undefined) {
      await page.send("Page.addScriptToEvaluateOnNewDocument", { source: script });
    }
    await page.goTo(address);
    return page;
  }

  /** Sends a command and waits for the response. */
  async send(method: string, params: Reply = {}, sessionId?: string): Promise<Reply> {
    const id = ++this.#last;
    const asked = Promise.withResolvers<Reply>();
    this.#asked.set(id, asked);
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return await asked.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.#socket.onclose = () => closed.resolve();
    this.#socket.send(JSON.stringify({ id: ++this.#last, method: "Browser.close" }));
    const timer = setTimeout(() => this.#program[Symbol.asyncDispose](), FAREWELL);
    await Promise.all([this.#program.ended, closed.promise]);
    clearTimeout(timer);
    await Deno.remove(this.#profile, { recursive: true });
  }

  #receive({ id, method, sessionId = "", params = {}, result = {}, error }: Message): void {
    if (id === undefined) return this.#pages.get(sessionId)?.hear(String(method), params);
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(new Error(error.message));
  }
}

/** A tab. */
export class Page {
  /** Addresses of its requests. */
  readonly requests: string[] = [];
  /** Errors and warnings of the page, the browser and the network. */
  readonly complaints: string[] = [];
  /** Sends a command to the tab. */
  readonly send: (method: string, params?: Reply) => Promise<Reply>;

  #loads = new Map<string, PromiseWithResolvers<void>>();

  constructor(send: (method: string, params?: Reply) => Promise<Reply>) {
    this.send = send;
  }

  /** Opens another page and waits until it is loaded. */
  async goTo(address: string): Promise<void> {
    const { loaderId } = await this.send("Page.navigate", { url: address });
    await this.#load(String(loaderId)).promise;
  }

  /** Loads the page again, and waits until it is loaded. */
  async reload(): Promise<void> {
    await this.evaluate("document.documentElement.dataset.old = ''");
    await this.send("Page.reload");
    await this.until(
      "document.readyState === 'complete' && !('old' in document.documentElement.dataset)",
    );
  }

  #load(loader: string): PromiseWithResolvers<void> {
    const load = this.#loads.get(loader) ?? Promise.withResolvers<void>();
    this.#loads.set(loader, load);
    return load;
  }

  /** Handles an event of the tab. */
  hear(method: string, params: Reply): void {
    const text = JSON.stringify(params);
    if (method === "Network.requestWillBeSent") {
      this.requests.push(String((params.request as Reply).url));
    } else if (method === "Page.lifecycleEvent") {
      if (params.name === "load") this.#load(String(params.loaderId)).resolve();
    } else if (method === "Network.webSocketCreated") {
      this.requests.push(String(params.url));
    } else if (
      method === "Runtime.exceptionThrown" ||
      (method === "Runtime.consoleAPICalled" && COMPLAINTS.test(`${params.type}`)) ||
      (method === "Log.entryAdded" && COMPLAINTS.test(`${(params.entry as Reply).level}`))
    ) {
      this.complaints.push(text);
    }
  }

  /** The value of an expression; a promise is awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const reply = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    const { result, exceptionDetails } = reply as {
      result: { value: T };
      exceptionDetails?: unknown;
    };
    if (exceptionDetails === undefined) return result.value;
    throw new Error(`Cannot evaluate ${expression}: ${JSON.stringify(exceptionDetails)}`);
  }

  /**
   * Waits until an expression holds.
   *
   * @throws {Error} with the page's text, if it does not
   */
  async until(expression: string): Promise<void> {
    const holds = await this.evaluate<boolean>(`new Promise((resolve) => {
      const end = Date.now() + ${PATIENCE};
      const look = () => {
        if (${expression}) resolve(true);
        else if (Date.now() > end) resolve(false);
        else setTimeout(look, 20);
      };
      look();
    })`);
    if (holds) return;
    const shown = await this.evaluate<string>("document.body.innerText");
    throw new Error(`Cannot see ${expression}: ${shown}; ${this.complaints.join("; ")}`);
  }

  /** Presses a key, by its name: `ArrowRight`, `k`. */
  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : key === "Enter" ? { text: "\r" } : {};
    const code = { " ": 32, Enter: 13, Tab: 9, Escape: 27, ArrowDown: 40, ArrowUp: 38 }[key] ?? 0;
    const event = { key, windowsVirtualKeyCode: code, ...text };
    await this.send("Input.dispatchKeyEvent", { type: "keyDown", ...event });
    await this.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
  }

  /** Clicks into the middle of what a selector finds. */
  async click(selector: string): Promise<void> {
    const { x, y } = await this.evaluate<{ x: number; y: number }>(`(() => {
      const found = document.querySelector(${JSON.stringify(selector)});
      found.scrollIntoView({ block: "nearest" });
      const { x, y, width, height } = found.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    for (const type of ["mousePressed", "mouseReleased"]) {
      const event = { type, x, y, button: "left", clickCount: 1 };
      await this.send("Input.dispatchMouseEvent", event);
    }
  }

  /** Makes it a phone: its size, its fingers and its name. */
  async becomePhone(): Promise<void> {
    const metrics = { width: 390, height: 844, deviceScaleFactor: 2, mobile: true };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
    await this.send("Emulation.setTouchEmulationEnabled", { enabled: true });
    await this.send("Emulation.setUserAgentOverride", { userAgent: PHONE });
  }

  /** Makes it as wide as a device, pixels. */
  async resize(width: number, height: number): Promise<void> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.send("Emulation.setDeviceMetricsOverride", metrics);
  }

  /** Says what the user likes better. */
  async prefer(scheme: "light" | "dark"): Promise<void> {
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.send("Emulation.setEmulatedMedia", { features });
  }

  /** What can be seen now: a PNG. */
  async screenshot(): Promise<Uint8Array<ArrayBuffer>> {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Uint8Array.fromBase64(String(data));
  }
}
