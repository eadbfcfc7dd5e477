import type { Description, Frame } from "../core/frame.ts";

/** What is shown: a description, and whether it is one picture. */
export interface Presentation extends Description {
  still: boolean;
}

/** Where frames end up. Each method is called in turn, never two at once. */
export interface Viewer extends AsyncDisposable {
  /** Gets ready, before the first frame. */
  begin(presentation: Presentation): Promise<void>;
  /**
   * Takes a frame, and its time for it: the next comes when this one is done with.
   *
   * @returns false where the viewer has been closed and wants no more
   */
  show(frame: Frame): Promise<boolean>;
  /**
   * Ends in good order: nothing more comes.
   *
   * @param whole false where the media was cut short
   * @returns what the user should know, such as where the file is
   */
  finish(whole: boolean): Promise<string | undefined>;
}
