/** Follows the library by server-sent events. */

/** Milliseconds after which a connection that was refused is tried again. */
const RETRY_AFTER = 10_000;

/**
 * Calls back whenever the library may have changed: for each event, and when a connection is
 * opened, since nobody reported what changed before. Only a page that is visible is connected,
 * because browsers open few connections to a host over all tabs.
 *
 * @param {() => void} onChange
 */
export function followLibrary(onChange) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const open = () => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
    if (document.visibilityState !== "visible") return;
    const opened = new EventSource("/api/events");
    opened.onopen = onChange;
    opened.onmessage = onChange;
    // A connection that breaks is opened again by the browser; one that is refused is not.
    opened.onerror = () => {
      if (opened.readyState !== EventSource.CLOSED) return;
      onChange();
      timer = setTimeout(open, RETRY_AFTER);
    };
    source = opened;
  };
  addEventListener("visibilitychange", open);
  open();
  if (source === undefined) onChange();
}
